//! The host's store as the enclave reaches it: frames on the *store* channel. Everything it says is a hint until a
//! signed head or an AEAD says otherwise.

use std::fmt;

use adyton_frame::{Channel, Frame, Message, RecordBytes};
use adyton_ledger::{Entry, LogId, Record, Retirement, Status};
use adyton_transport::{Address, FrameIoError, FrameReader, FrameWriter, OpenError, Stream, open_channel};

/// Why the host's store gave nothing.
#[derive(Debug)]
pub enum StoreError {
    /// The channel did not open.
    Open(OpenError),
    /// A frame failed.
    Frame(FrameIoError),
    /// The host could not, or answered something else.
    Answer,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => write!(f, "the host cannot be reached: {error}"),
            Self::Frame(error) => write!(f, "the host's store: {error}"),
            Self::Answer => f.write_str("the host's store refused"),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<FrameIoError> for StoreError {
    fn from(error: FrameIoError) -> Self {
        Self::Frame(error)
    }
}

/// A connection for reading, chunks and retirement.
pub struct Store {
    reader: FrameReader<tokio::io::ReadHalf<Stream>>,
    writer: FrameWriter<tokio::io::WriteHalf<Stream>>,
    next: u64,
}

impl Store {
    /// Opens the channel.
    ///
    /// # Errors
    /// [`StoreError::Open`].
    pub async fn connect(service: &Address) -> Result<Self, StoreError> {
        let stream = open_channel(service, Channel::Store).await.map_err(StoreError::Open)?;
        let (read, write) = tokio::io::split(stream);
        Ok(Self { reader: FrameReader::new(read), writer: FrameWriter::new(write), next: 0 })
    }

    async fn ask(&mut self, message: Message) -> Result<Message, StoreError> {
        self.next += 1;
        self.writer.write(&Frame { id: self.next, message }).await?;
        let answer = self.reader.read().await?.ok_or(StoreError::Answer)?;
        if answer.id == self.next { Ok(answer.message) } else { Err(StoreError::Answer) }
    }

    /// Size, newest head and newest snapshot of a log.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn status(&mut self, log: LogId) -> Result<Status, StoreError> {
        match self.ask(Message::Status { log: log.number() }).await? {
            Message::StatusIs { size, latest_snapshot, head } => Ok(Status { size, latest_snapshot, head }),
            _ => Err(StoreError::Answer),
        }
    }

    /// Records from an index.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read(&mut self, log: LogId, from: u64, max: u32) -> Result<Vec<Record>, StoreError> {
        match self.ask(Message::Read { log: log.number(), from, max }).await? {
            Message::Records(records) => Ok(records
                .into_iter()
                .map(|RecordBytes { entry, hot, kept }| Record { entry: Entry::from_bytes(entry), hot, kept })
                .collect()),
            _ => Err(StoreError::Answer),
        }
    }

    /// Keeps a sealed chunk.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_chunk(
        &mut self,
        log: LogId,
        snapshot: [u8; 16],
        number: u32,
        bytes: Vec<u8>,
    ) -> Result<(), StoreError> {
        let message = Message::PutChunk { log: log.number(), snapshot, number, bytes };
        self.done(message).await
    }

    /// Reads a sealed chunk.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Answer`] if it is missing.
    pub async fn chunk(&mut self, log: LogId, snapshot: [u8; 16], number: u32) -> Result<Vec<u8>, StoreError> {
        match self.ask(Message::GetChunk { log: log.number(), snapshot, number }).await? {
            Message::Chunk(bytes) => Ok(bytes),
            _ => Err(StoreError::Answer),
        }
    }

    /// Requests retirement.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn retire(&mut self, log: LogId, retirement: Retirement) -> Result<(), StoreError> {
        let Retirement { below, bucket, snapshot, boot_id } = retirement;
        self.done(Message::Retire { log: log.number(), below, bucket, snapshot, boot_id }).await
    }

    /// The approval that the host has for a release, as it lies there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn approval(&mut self, release: u64) -> Result<Option<Vec<u8>>, StoreError> {
        match self.ask(Message::Approval { release }).await? {
            Message::ApprovalIs(bytes) => Ok(Some(bytes)),
            Message::Missing => Ok(None),
            _ => Err(StoreError::Answer),
        }
    }

    async fn done(&mut self, message: Message) -> Result<(), StoreError> {
        match self.ask(message).await? {
            Message::Done => Ok(()),
            _ => Err(StoreError::Answer),
        }
    }
}
