//! Opening and accepting a channel.

use std::fmt;
use std::time::Duration;

use adyton_frame::{Channel, Frame, Message, VERSION};
use tokio::time::timeout;

use crate::{Address, FrameIoError, FrameReader, FrameWriter, Stream};

/// Longest wait for both sides to open a channel.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a channel is not open.
#[derive(Debug)]
pub enum OpenError {
    /// The stream or a frame failed.
    Frame(FrameIoError),
    /// The other side speaks another version, or something else altogether.
    Protocol,
    /// Nothing came in time.
    Timeout,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(error) => error.fmt(f),
            Self::Protocol => write!(f, "the other side does not speak version {VERSION} of the frame protocol"),
            Self::Timeout => f.write_str("the other side did not answer in time"),
        }
    }
}

impl std::error::Error for OpenError {}

impl<E: Into<FrameIoError>> From<E> for OpenError {
    fn from(error: E) -> Self {
        Self::Frame(error.into())
    }
}

/// Connects to the host's service address and opens a channel.
///
/// # Errors
/// [`OpenError`].
pub async fn open_channel(address: &Address, channel: Channel) -> Result<Stream, OpenError> {
    let open = async {
        let mut stream = address.connect().await?;
        let message = Message::Hello { version: VERSION, channel };
        FrameWriter::new(&mut stream).write(&Frame { id: 0, message }).await?;
        match FrameReader::new(&mut stream).read().await? {
            Some(Frame { message: Message::Welcome { version: VERSION }, .. }) => Ok(stream),
            _ => Err(OpenError::Protocol),
        }
    };
    timeout(OPEN_TIMEOUT, open).await.unwrap_or(Err(OpenError::Timeout))
}

/// Answers the `Hello` of a new connection; says which channel it opened.
///
/// # Errors
/// [`OpenError`]; the connection is to be dropped.
pub async fn accept_channel(stream: &mut Stream) -> Result<Channel, OpenError> {
    let accept = async {
        let Some(Frame { id, message: Message::Hello { version: VERSION, channel } }) =
            FrameReader::new(&mut *stream).read().await?
        else {
            return Err(OpenError::Protocol);
        };
        FrameWriter::new(stream).write(&Frame { id, message: Message::Welcome { version: VERSION } }).await?;
        Ok(channel)
    };
    timeout(OPEN_TIMEOUT, accept).await.unwrap_or(Err(OpenError::Timeout))
}
