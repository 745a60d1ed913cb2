//! Reading a vault's log: through a running host's *inspect* channel, or from its file when it is stopped.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use adyton_frame::{Channel, Frame, MAX_FRAME, Message, RecordBytes, VERSION};
use adyton_host::RedbStore;
use adyton_ledger::{Entry, LogId, LogReader, Record, Status};
use adyton_transport::Address;

/// Why a log could not be read.
#[derive(Debug)]
pub(crate) struct ReadError(String);

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ReadError {}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self(format!("the host: {error}"))
    }
}

/// A vault's log, wherever it is.
pub(crate) enum Source {
    /// The vault runs.
    Running(RefCell<UnixStream>),
    /// The vault is stopped.
    Stopped(Box<RedbStore>),
}

impl Source {
    /// Finds the log of a vault's folder.
    pub(crate) fn open(data: &Path) -> Result<Self, ReadError> {
        if let Ok(address) = std::fs::read_to_string(data.join("host.addr"))
            && let Ok(Address::Unix(path)) = address.trim().parse()
            && let Ok(source) = Self::connect(&path)
        {
            return Ok(source);
        }
        let log = data.join("log.redb");
        match log.try_exists() {
            Ok(true) => {}
            Ok(false) => return Err(ReadError(format!("{}: there is no vault in this folder", data.display()))),
            Err(error) => return Err(ReadError(format!("{}: {error}", log.display()))),
        }
        let store = RedbStore::open_read_only(data).map_err(|error| ReadError(error.to_string()))?;
        Ok(Self::Stopped(Box::new(store)))
    }

    /// Opens the *inspect* channel of a running host.
    pub(crate) fn connect(path: &Path) -> Result<Self, ReadError> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let source = RefCell::new(stream);
        match ask(&source, Message::Hello { version: VERSION, channel: Channel::Inspect })? {
            Message::Welcome { version: VERSION } => Ok(Self::Running(source)),
            _ => Err(ReadError("the host speaks another version of the frame protocol".into())),
        }
    }
}

fn ask(stream: &RefCell<UnixStream>, message: Message) -> Result<Message, ReadError> {
    let mut stream = stream.borrow_mut();
    let mut bytes = Vec::new();
    Frame { id: 1, message }.encode(&mut bytes).map_err(|error| ReadError(error.to_string()))?;
    stream.write_all(&bytes)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_FRAME {
        return Err(ReadError("the host sent a frame that is too long".into()));
    }
    bytes.resize(length, 0);
    stream.read_exact(&mut bytes)?;
    Ok(Frame::decode(&bytes).map_err(|error| ReadError(error.to_string()))?.message)
}

fn refused<T>() -> Result<T, ReadError> {
    Err(ReadError("the host could not read its store".into()))
}

impl LogReader for Source {
    type Error = ReadError;

    fn status(&self, log: LogId) -> Result<Status, ReadError> {
        match self {
            Self::Stopped(store) => store.status(log).map_err(|error| ReadError(error.to_string())),
            Self::Running(stream) => match ask(stream, Message::Status { log: log.number() })? {
                Message::StatusIs { size, latest_snapshot, head } => Ok(Status { size, latest_snapshot, head }),
                _ => refused(),
            },
        }
    }

    fn read(&self, log: LogId, from: u64, max: u32, max_bytes: usize) -> Result<Vec<Record>, ReadError> {
        match self {
            Self::Stopped(store) => store.read(log, from, max, max_bytes).map_err(|error| ReadError(error.to_string())),
            Self::Running(stream) => match ask(stream, Message::Read { log: log.number(), from, max })? {
                Message::Records(records) => Ok(records
                    .into_iter()
                    .map(|RecordBytes { entry, hot, kept }| Record { entry: Entry::from_bytes(entry), hot, kept })
                    .collect()),
                _ => refused(),
            },
        }
    }

    fn heads(&self, log: LogId, from: u64, max: u32) -> Result<Vec<String>, ReadError> {
        match self {
            Self::Stopped(store) => store.heads(log, from, max).map_err(|error| ReadError(error.to_string())),
            Self::Running(stream) => match ask(stream, Message::Heads { log: log.number(), from, max })? {
                Message::HeadList(heads) => Ok(heads),
                _ => refused(),
            },
        }
    }

    fn tile(&self, log: LogId, level: u8, number: u64) -> Result<Option<Vec<u8>>, ReadError> {
        match self {
            Self::Stopped(store) => store.tile(log, level, number).map_err(|error| ReadError(error.to_string())),
            Self::Running(stream) => match ask(stream, Message::Tile { log: log.number(), level, number })? {
                Message::TileIs(bytes) => Ok(Some(bytes)),
                Message::Missing => Ok(None),
                _ => refused(),
            },
        }
    }
}
