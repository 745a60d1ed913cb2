//! Errors of a store.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a folder's store cannot be opened.
#[derive(Debug)]
pub enum OpenError {
    /// Another process has it open.
    Locked(PathBuf),
    /// The folder or the file cannot be used.
    Io(PathBuf, io::Error),
    /// The file is not one of ours, or is damaged.
    Database(PathBuf, Box<redb::Error>),
    /// The file is of another format; none is converted.
    Format {
        /// The file.
        path: PathBuf,
        /// The format of this program.
        expected: u64,
        /// The file's; 0 if it has no tables yet.
        got: u64,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked(path) => {
                write!(f, "{} is in use by another process: stop it, or name another folder", path.display())
            }
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Database(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Format { path, expected, got } => {
                write!(f, "{}: {}", path.display(), OtherFormat { expected: *expected, got: *got })
            }
        }
    }
}

impl std::error::Error for OpenError {}

/// Message shared by both errors.
struct OtherFormat {
    expected: u64,
    got: u64,
}

impl fmt::Display for OtherFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expected, got } = self;
        if *got == 0 {
            return f.write_str("the store is empty: it was never opened by a host");
        }
        write!(
            f,
            "expected a store of format {expected}, got format {got}: formats are not converted, so use the version of adyton that \
             made it, or another folder"
        )
    }
}

/// Why the store could not do something; it changed nothing.
#[derive(Debug)]
pub enum StoreError {
    /// No room on the disk.
    Full,
    /// Anything else.
    Io(Box<redb::Error>),
    /// The store was opened for reading only.
    ReadOnly,
    /// The tables are of another format.
    Format {
        /// The format of this program.
        expected: u64,
        /// The tables'; 0 if there are none.
        got: u64,
    },
}

impl StoreError {
    /// Its message for a file that is being opened.
    pub(crate) fn at(self, path: &Path) -> OpenError {
        match self {
            Self::Format { expected, got } => OpenError::Format { path: path.into(), expected, got },
            Self::Io(error) => OpenError::Database(path.into(), error),
            Self::Full => OpenError::Io(path.into(), io::ErrorKind::StorageFull.into()),
            Self::ReadOnly => OpenError::Io(path.into(), io::ErrorKind::ReadOnlyFilesystem.into()),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the disk is full"),
            Self::Io(error) => error.fmt(f),
            Self::ReadOnly => f.write_str("the store was opened for reading only"),
            Self::Format { expected, got } => OtherFormat { expected: *expected, got: *got }.fmt(f),
        }
    }
}

impl std::error::Error for StoreError {}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        match error.into() {
            redb::Error::Io(error)
                if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) =>
            {
                Self::Full
            }
            error => Self::Io(Box::new(error)),
        }
    }
}
