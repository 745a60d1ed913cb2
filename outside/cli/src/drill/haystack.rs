//! Where is searched: the memory of a process, and files.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::Error;
use super::detector::{Detector, Hits, OVERLAP};
use crate::processes::Memory;

/// Bytes of memory that are read at once.
const PIECE: usize = 4 << 20;

/// The smallest page there is.
const PAGE: u64 = 4096;

/// Searches every mapping of a process that can be read. What cannot be read (a device, a guard page) is passed over.
pub(crate) fn memory(memory: &Memory, detector: &Detector, hits: &mut Hits) -> Result<(), Error> {
    let mut maps = &memory.maps;
    maps.seek(SeekFrom::Start(0))?;
    let mut read = 0;
    for line in BufReader::new(maps).lines() {
        let line = line?;
        let Some((from, to)) = readable(&line) else { continue };
        let reader = Mapping { bytes: &memory.bytes, at: from, end: to };
        let before = hits.searched;
        detector.search_reader(reader, hits)?;
        read += hits.searched - before;
    }
    if read == 0 { Err("the process has ended, or none of its memory can be read".into()) } else { Ok(()) }
}

/// The addresses of a line of `/proc/PID/maps` that can be read.
fn readable(line: &str) -> Option<(u64, u64)> {
    let mut fields = line.split_ascii_whitespace();
    let (range, rights) = (fields.next()?, fields.next()?);
    let (from, to) = range.split_once('-')?;
    let addresses = (u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?);
    // `vvar` and `vsyscall` are the kernel's.
    (rights.starts_with('r') && !line.ends_with("[vvar]") && !line.ends_with("[vsyscall]")).then_some(addresses)
}

/// One mapping as a reader. Pages that cannot be read are passed over; a mapping may shrink while it is read.
struct Mapping<'a> {
    bytes: &'a File,
    at: u64,
    end: u64,
}

impl Read for Mapping<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        while self.at < self.end && !into.is_empty() {
            let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
            let wanted = into.len().min(left).min(PIECE);
            match self.bytes.read_at(&mut into[..wanted], self.at) {
                Ok(count @ 1..) => {
                    self.at += count as u64;
                    return Ok(count);
                }
                _ => self.at = (self.at / PAGE + 1) * PAGE,
            }
        }
        Ok(0)
    }
}

/// Searches every file below a folder, and its name.
pub(crate) fn folder(path: &Path, detector: &Detector, hits: &mut Hits) -> Result<(), Error> {
    for file in files(path)? {
        detector.search(file.as_os_str().as_encoded_bytes(), hits);
        // A file may go while the vault works.
        if let Ok(opened) = File::open(&file) {
            detector.search_reader(opened, hits).map_err(|error| format!("{}: {error}", file.display()))?;
        }
    }
    Ok(())
}

/// Every regular file below a folder; links are not followed.
pub(crate) fn files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let (mut found, mut left) = (Vec::new(), vec![path.to_path_buf()]);
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                left.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}

/// The files of one folder, without those below.
pub(crate) fn here(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect())
}

/// Regular files that a process has open for writing, wherever they are, deleted ones too.
pub(crate) fn written_by(pid: u32) -> Vec<PathBuf> {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return vec![] };
    let writes = |number: &std::ffi::OsStr| {
        let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{}", number.display())).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok()).is_some_and(|flags| flags & 0b11 != 0)
    };
    descriptors
        .flatten()
        .filter(|entry| writes(&entry.file_name()))
        .filter(|entry| fs::metadata(entry.path()).is_ok_and(|of| of.is_file()))
        .map(|entry| entry.path())
        .collect()
}

// A piece must be longer than what the next one begins with.
const _: () = assert!(PIECE > OVERLAP);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;
    use crate::drill::canary::{Kind, Planted, random_of};

    #[test]
    fn what_can_be_read_of_a_map() {
        let line = "7f00-7f10 r--p 00000000 00:00 0  /lib/libc.so";
        assert_eq!(readable(line), Some((0x7f00, 0x7f10)));
        assert_eq!(readable("7f00-7f10 ---p 00000000 00:00 0"), None);
        assert_eq!(readable("7f00-7f10 r--p 00000000 00:00 0 [vvar]"), None);
        assert_eq!(readable("nonsense"), None);
    }

    #[test]
    fn a_secret_in_memory_is_found_and_the_memory_of_another_has_it_not() {
        let mut planted = Planted::default();
        let secret = random_of(b"0123456789", 10).unwrap();
        planted.plant(Kind::Code, &secret).unwrap();
        let detector = Detector::new(&planted, &[]).unwrap();
        let mut hits = Hits::default();
        memory(&Memory::open(std::process::id()).unwrap(), &detector, &mut hits).unwrap();
        assert_eq!(detector.verdict(&hits).unwrap().canaries, 1);
        let mut other = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let mut hits = Hits::default();
        let read = Memory::open(other.id()).map_err(Error::from);
        let read = read.and_then(|opened| memory(&opened, &detector, &mut hits));
        other.kill().unwrap();
        other.wait().unwrap();
        read.unwrap();
        assert_eq!(detector.verdict(&hits).unwrap().canaries, 0);
    }

    #[test]
    fn names_and_contents_of_files_are_searched() {
        let mut planted = Planted::default();
        planted.plant(Kind::Code, "0123456789").unwrap();
        planted.plant(Kind::Name, "somebodysname").unwrap();
        let folder_path = tempfile::tempdir().unwrap();
        fs::create_dir(folder_path.path().join("deep")).unwrap();
        fs::write(folder_path.path().join("deep/somebodysname"), "code 0123456789").unwrap();
        let detector = Detector::new(&planted, &["code"]).unwrap();
        let mut hits = Hits::default();
        folder(folder_path.path(), &detector, &mut hits).unwrap();
        assert_eq!(detector.verdict(&hits).unwrap().canaries, 2);
    }
}
