//! Approvals of policies, as the owners' tool left them in the vault's folder (`docs/spec/08-signed-requests.md`). They are
//! handed over as they are; whether one holds, the enclave says.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;

use crate::StoreError;

/// Longest file: a policy of 64 KiB and its signatures, all of it escaped.
const MAX_APPROVAL: u64 = 768 * 1024;

/// `approvals/` of a vault's folder.
#[derive(Clone, Debug)]
pub struct Approvals(PathBuf);

impl Approvals {
    /// Those of the vault in this folder.
    pub fn new(data: &std::path::Path) -> Self {
        Self(data.join("approvals"))
    }

    /// The file of an approval.
    pub fn path(&self, release: u64) -> PathBuf {
        self.0.join(format!("{release}.json"))
    }

    /// The approval of a release, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Io`] if it cannot be read, or is too long to be one.
    pub fn read(&self, release: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let io = |error: std::io::Error| StoreError::Io(Box::new(redb::Error::Io(error)));
        let file = match File::open(self.path(release)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(error)),
        };
        let mut bytes = Vec::new();
        file.take(MAX_APPROVAL + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() as u64 > MAX_APPROVAL { Err(io(ErrorKind::FileTooLarge.into())) } else { Ok(Some(bytes)) }
    }
}
