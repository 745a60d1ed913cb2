//! Frames over a stream, with buffers that are used again.

use std::fmt;
use std::io;

use adyton_frame::{Frame, FrameError, MAX_FRAME};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A kind and a request id.
const MIN_FRAME: usize = 9;

/// Why a frame could not be read or written.
#[derive(Debug)]
pub enum FrameIoError {
    /// The stream's fault.
    Io(io::Error),
    /// The peer's fault, or ours if it came from writing.
    Frame(FrameError),
}

impl fmt::Display for FrameIoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Frame(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FrameIoError {}

impl From<io::Error> for FrameIoError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<FrameError> for FrameIoError {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

/// Reads frames. It takes exactly a frame's bytes, never more.
#[derive(Debug)]
pub struct FrameReader<R> {
    stream: R,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads from `stream`.
    pub fn new(stream: R) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// The next frame; `None` if the stream ended between two.
    ///
    /// # Errors
    /// [`FrameIoError`]; the stream is then of no more use.
    pub async fn read(&mut self) -> Result<Option<Frame>, FrameIoError> {
        let mut length = [0; 4];
        let first = self.stream.read(&mut length).await?;
        if first == 0 {
            return Ok(None);
        }
        self.stream.read_exact(&mut length[first..]).await?;
        let length = usize::try_from(u32::from_be_bytes(length)).map_err(|_| FrameError::Length)?;
        if !(MIN_FRAME..=MAX_FRAME).contains(&length) {
            return Err(FrameError::Length.into());
        }
        self.buffer.resize(length, 0);
        self.stream.read_exact(&mut self.buffer).await?;
        Ok(Some(Frame::decode(&self.buffer)?))
    }
}

/// Writes frames, each with one call to the stream.
#[derive(Debug)]
pub struct FrameWriter<W> {
    stream: W,
    buffer: Vec<u8>,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    /// Writes to `stream`.
    pub fn new(stream: W) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Writes one frame.
    ///
    /// # Errors
    /// [`FrameIoError`].
    pub async fn write(&mut self, frame: &Frame) -> Result<(), FrameIoError> {
        self.buffer.clear();
        frame.encode(&mut self.buffer)?;
        self.stream.write_all(&self.buffer).await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// Writes a frame that is encoded already.
    ///
    /// # Errors
    /// The stream's.
    pub async fn write_encoded(&mut self, frame: &[u8]) -> io::Result<()> {
        self.stream.write_all(frame).await?;
        self.stream.flush().await
    }
}
