//! A vault's image: two ramdisks, three files' bytes, and nothing that anybody could add unseen.
//!
//! - ramdisk 1 has only an empty folder, always the same, so register 1 depends on kernel and command line alone;
//! - ramdisk 2 has the enclave as `/init` and the policy as `/adyton.toml`, so register 2 is the code together with its policy;
//!   register 16 is the policy alone.

use core::fmt;

use crate::ramdisk::{RamdiskError, pack, unpack};
use crate::{Content, Eif, Entry, Metadata, kernel_version};

/// The kernel's command line.
///
/// - `reboot=t`: a triple fault ends the virtual machine, and there is neither firmware nor keyboard controller to ask;
/// - `panic=-1`: a kernel that has failed, or whose `/init` has ended, reboots at once. The enclave is then gone and is
///   started again; one that stands still would look alive;
/// - `console=ttyS0`: what is written to the console is seen in debug mode, and nowhere in production.
///
/// No word of it is read by the enclave: what a hypervisor hands over at boot may have words of its own added.
pub const COMMAND_LINE: &str = "reboot=t panic=-1 console=ttyS0";
/// The enclave's name in ramdisk 2.
pub const INIT: &str = "init";
/// The policy's name in ramdisk 2.
pub const POLICY: &str = "adyton.toml";

/// Folders of ramdisk 1, where `/init` mounts what it needs of the kernel's offers: devices, and nothing else.
const FOLDERS: [&str; 1] = ["dev"];
/// What AWS's tools write; whoever starts an enclave says how much it gets.
const MEMORY: u64 = 1 << 30;
const PROCESSORS: u64 = 2;

/// The image of this kernel, enclave and policy.
///
/// # Errors
/// [`RamdiskError`], if the enclave has 4 GiB or more.
pub fn assemble(kernel: &[u8], init: &[u8], policy: &[u8]) -> Result<Eif, RamdiskError> {
    let files = [(INIT, 0o755, init), (POLICY, 0o444, policy)];
    let files = files.map(|(name, permissions, content)| Entry {
        name: name.into(),
        permissions,
        content: Content::File(content.to_vec()),
    });
    Ok(Eif {
        memory: MEMORY,
        processors: PROCESSORS,
        kernel: kernel.to_vec(),
        command_line: COMMAND_LINE.into(),
        metadata: Metadata::ours(&kernel_version(kernel).unwrap_or_else(|| "unknown".into())).write(),
        ramdisks: vec![pack(&folders())?, pack(&files)?],
        signature: None,
    })
}

fn folders() -> Vec<Entry> {
    FOLDERS.map(|name| Entry { name: name.into(), permissions: 0o755, content: Content::Folder }).into()
}

/// Why an image is not of a vault's layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// It has not two ramdisks.
    Ramdisks {
        /// So many.
        got: usize,
    },
    /// A ramdisk is not of the one form; it counts from 1.
    Ramdisk {
        /// Which.
        number: usize,
        /// What is wrong with it.
        error: RamdiskError,
    },
    /// Ramdisk 1 has not exactly the one folder.
    Folders,
    /// Ramdisk 2 has not exactly `init` and `adyton.toml`, with their permissions.
    Files,
    /// The command line is another.
    CommandLine,
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ramdisks { got } => write!(f, "{got} ramdisks; a vault's image has 2"),
            Self::Ramdisk { number, error } => write!(f, "ramdisk {number}: {error}"),
            Self::Folders => write!(f, "ramdisk 1 has something else than the empty folder {}", FOLDERS.join(", ")),
            Self::Files => write!(f, "ramdisk 2 has something else than the files {INIT} and {POLICY}"),
            Self::CommandLine => write!(f, "the command line is not `{COMMAND_LINE}`"),
        }
    }
}

impl core::error::Error for LayoutError {}

/// What a vault's image holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The enclave.
    pub init: Vec<u8>,
    /// The policy.
    pub policy: Vec<u8>,
}

impl Layout {
    /// Of an image that has a vault's layout and nothing besides: of any other, nobody could say which policy the enclave
    /// finds.
    ///
    /// # Errors
    /// [`LayoutError`].
    pub fn of(image: &Eif) -> Result<Self, LayoutError> {
        if image.command_line != COMMAND_LINE {
            return Err(LayoutError::CommandLine);
        }
        let [first, second] = &image.ramdisks[..] else {
            return Err(LayoutError::Ramdisks { got: image.ramdisks.len() });
        };
        let read = |number, ramdisk| unpack(ramdisk).map_err(|error| LayoutError::Ramdisk { number, error });
        if read(1, first)? != folders() {
            return Err(LayoutError::Folders);
        }
        let entries: [Entry; 2] = read(2, second)?.try_into().map_err(|_| LayoutError::Files)?;
        let [init, policy] = entries.map(|entry| (entry.name, entry.permissions, entry.content));
        match (init, policy) {
            ((a, 0o755, Content::File(init)), (b, 0o444, Content::File(policy))) if a == INIT && b == POLICY => {
                Ok(Self { init, policy })
            }
            _ => Err(LayoutError::Files),
        }
    }
}
