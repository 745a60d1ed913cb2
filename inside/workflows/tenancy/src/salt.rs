//! The salt of a tenant's subject hashes.

use adyton_decider::{Corrupt, Fresh};
use adyton_wire::Reader;

/// 16 random bytes that enter the key of a tenant's subject hashes (`docs/spec/00-conventions.md`).
/// They stand in the tenant's record and nowhere else: once that is deleted, not even the root key
/// reveals the addresses behind the remaining hashes. Nothing prints it.
#[derive(Clone, Copy)]
pub struct SubjectSalt([u8; 16]);

impl SubjectSalt {
    /// Salt used for a tenant that does not exist.
    pub const NONE: Self = Self([0; 16]);

    /// A salt of 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes, for keys and for the encoder.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    pub(crate) fn draw(fresh: &mut Fresh) -> Self {
        Self(*fresh.id::<()>().as_bytes())
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        Ok(Self(reader.array()?))
    }
}
