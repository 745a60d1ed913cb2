//! The committed seeds: `fuzz/corpus/<target>/<name>`, one input a file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Target, seeds};

/// One seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// Its file's name.
    pub name: String,
    /// The input.
    pub input: Vec<u8>,
}

/// Where the corpora are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// A target's seeds, in the order of their names.
///
/// # Errors
/// The file system's.
pub fn load(folder: &Path, target: &Target) -> io::Result<Vec<Seed>> {
    let mut seeds = Vec::new();
    for entry in fs::read_dir(folder.join(target.name))? {
        let entry = entry?;
        seeds.push(Seed { name: entry.file_name().to_string_lossy().into_owned(), input: fs::read(entry.path())? });
    }
    seeds.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(seeds)
}

/// Writes the seeds that are made from vectors and encoders; others in the folders stay. How many were written.
///
/// # Errors
/// The file system's.
pub fn write(folder: &Path) -> io::Result<usize> {
    let seeds = seeds::all();
    for (target, seed) in &seeds {
        let path = folder.join(target).join(&seed.name);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, &seed.input)?;
    }
    Ok(seeds.len())
}
