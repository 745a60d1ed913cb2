//! What two images differ in, part by part, and whether it is measured.

use adyton_policy::{Change, Policy, diff};

use crate::measure::sha384;
use crate::ramdisk::unpack;
use crate::{Content, Eif, Entry, Measurements, POLICY, Register, kernel_version};

/// Size and hash of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its bytes.
    pub size: usize,
    /// SHA-384 of them.
    pub sha384: Register,
    /// What can be said of it beside: a kernel's version, a file's permissions.
    pub note: Option<String>,
}

/// One difference in what is measured. Ramdisks count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The kernel.
    Kernel {
        /// The first image's.
        a: Facts,
        /// The second's.
        b: Facts,
    },
    /// Its command line.
    CommandLine {
        /// The first image's.
        a: String,
        /// The second's.
        b: String,
    },
    /// A ramdisk that cannot be looked into, that one image has not, or that only its packing tells apart.
    Ramdisk {
        /// Which.
        number: usize,
        /// The first image's, if it has it.
        a: Option<Facts>,
        /// The second's, if it has it.
        b: Option<Facts>,
        /// Why its files are not compared.
        why: String,
    },
    /// A file or folder.
    File {
        /// Of which ramdisk.
        ramdisk: usize,
        /// Its name.
        name: String,
        /// The first image's, if it has it.
        a: Option<Facts>,
        /// The second's, if it has it.
        b: Option<Facts>,
    },
    /// The order of a ramdisk's files.
    Order {
        /// Which.
        ramdisk: usize,
    },
    /// Beside others: registers 0, 1 and 2 are the same all the same. They are hashes over the parts one after the other,
    /// and the same bytes were cut into parts elsewhere.
    Borders,
    /// The policy, beside its [`Difference::File`]: what changes, or why that cannot be said.
    Policy {
        /// From the first image's to the second's.
        changes: Result<Vec<Change>, String>,
    },
}

/// Two images beside each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// What differs of all that registers 0, 1 and 2 depend on; none if these are the same.
    pub measured: Vec<Difference>,
    /// Names of parts that differ and that none of these registers depends on.
    pub not_measured: Vec<&'static str>,
}

/// Compares two images.
pub fn compare(a: &Eif, b: &Eif) -> Comparison {
    let mut measured = Vec::new();
    if a.kernel != b.kernel {
        let facts = |kernel: &[u8]| Facts { note: kernel_version(kernel), ..Facts::of(kernel) };
        measured.push(Difference::Kernel { a: facts(&a.kernel), b: facts(&b.kernel) });
    }
    if a.command_line != b.command_line {
        measured.push(Difference::CommandLine { a: a.command_line.clone(), b: b.command_line.clone() });
    }
    for index in 0..a.ramdisks.len().max(b.ramdisks.len()) {
        ramdisk(index + 1, a.ramdisks.get(index), b.ramdisks.get(index), &mut measured);
    }
    let others = [
        ("metadata", a.metadata != b.metadata),
        ("signature", a.signature != b.signature),
        ("memory and processors", (a.memory, a.processors) != (b.memory, b.processors)),
    ];
    let not_measured = others.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect();
    let same = Measurements::unsigned(a) == Measurements::unsigned(b);
    if same && !measured.is_empty() {
        measured.push(Difference::Borders);
    }
    Comparison { measured, not_measured }
}

fn ramdisk(number: usize, a: Option<&Vec<u8>>, b: Option<&Vec<u8>>, into: &mut Vec<Difference>) {
    if a == b {
        return;
    }
    let whole = |why: String| {
        let facts = |ramdisk: Option<&Vec<u8>>| ramdisk.map(|ramdisk| Facts::of(ramdisk));
        Difference::Ramdisk { number, a: facts(a), b: facts(b), why }
    };
    let (Some(first), Some(second)) = (a, b) else {
        into.push(whole("only one image has it".into()));
        return;
    };
    let (first, second) = match (unpack(first), unpack(second)) {
        (Ok(first), Ok(second)) => (first, second),
        (Err(error), _) | (_, Err(error)) => {
            into.push(whole(format!("its files cannot be listed: {error}")));
            return;
        }
    };
    let before = into.len();
    let find = |entries: &'_ [Entry], name: &str| entries.iter().find(|entry| entry.name == name).cloned();
    let added = second.iter().filter(|entry| find(&first, &entry.name).is_none());
    for entry in first.iter().chain(added) {
        let (a, b) = (find(&first, &entry.name), find(&second, &entry.name));
        if a == b {
            continue;
        }
        let (name, facts) = (entry.name.clone(), |entry: &Option<Entry>| entry.as_ref().map(Facts::of_entry));
        into.push(Difference::File { ramdisk: number, name, a: facts(&a), b: facts(&b) });
        if let (Some(a), Some(b), true) = (a, b, number == 2 && entry.name == POLICY) {
            into.push(Difference::Policy { changes: policies(&a, &b) });
        }
    }
    if into.len() == before {
        into.push(if first == second {
            whole("the same files, packed by another version of the compressor".into())
        } else {
            Difference::Order { ramdisk: number }
        });
    }
}

fn policies(a: &Entry, b: &Entry) -> Result<Vec<Change>, String> {
    let read = |which: &str, entry: &Entry| match &entry.content {
        Content::Folder => Err(format!("the {which} policy is a folder")),
        Content::File(bytes) => Policy::parse(bytes).map_err(|error| format!("the {which} policy: {error}")),
    };
    Ok(diff(&read("first", a)?, &read("second", b)?))
}

impl Facts {
    fn of(bytes: &[u8]) -> Self {
        Self { size: bytes.len(), sha384: sha384(&[bytes]), note: None }
    }

    fn of_entry(entry: &Entry) -> Self {
        let note = |kind: &str| Some(format!("{kind} {:04o}", entry.permissions));
        match &entry.content {
            Content::Folder => Self { note: note("folder"), ..Self::of(&[]) },
            Content::File(bytes) => Self { note: note("file"), ..Self::of(bytes) },
        }
    }
}
