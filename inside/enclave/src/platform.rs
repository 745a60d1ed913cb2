//! The platform: the NSM's own CBOR, over a socket that plays the device on a laptop.
//!
//! Requests and answers are those of `aws-nitro-enclaves-nsm-api`; only the carrier of the bytes differs (a `u32`
//! length before each message here, an ioctl on hardware). The NSM is trusted: it is the hardware's voice.

use std::fmt;
use std::io;
use std::path::Path;

use ciborium::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// The NSM's largest answer.
const MAX_ANSWER: usize = 12 * 1024;

/// Why the platform gave nothing.
#[derive(Debug)]
pub enum PlatformError {
    /// The socket's fault.
    Io(io::Error),
    /// The answer is not what was asked for.
    Answer,
}

impl fmt::Display for PlatformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the NSM cannot be reached: {error}"),
            Self::Answer => f.write_str("the NSM refused or answered something else"),
        }
    }
}

impl std::error::Error for PlatformError {}

impl From<io::Error> for PlatformError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What a document is to carry. At most 512 bytes of user data and nonce, 1024 of a key.
#[derive(Clone, Copy, Default)]
pub struct Claims<'a> {
    /// The bundle's hash.
    pub user_data: Option<&'a [u8]>,
    /// What makes it fresh for somebody.
    pub nonce: Option<&'a [u8]>,
    /// A key that somebody is to seal to.
    pub public_key: Option<&'a [u8]>,
}

/// A connection to the NSM.
pub struct Nsm(UnixStream);

impl Nsm {
    /// Connects to the socket.
    ///
    /// # Errors
    /// [`PlatformError::Io`].
    pub async fn connect(path: &Path) -> Result<Self, PlatformError> {
        Ok(Self(UnixStream::connect(path).await?))
    }

    /// `GetRandom`: up to 256 bytes of the platform's randomness.
    ///
    /// # Errors
    /// [`PlatformError`].
    pub async fn random(&mut self) -> Result<zeroize::Zeroizing<Vec<u8>>, PlatformError> {
        let answer = self.ask(&Value::Text("GetRandom".into())).await?;
        let random = member(member(answer, "GetRandom")?, "random")?;
        random.into_bytes().map(zeroize::Zeroizing::new).map_err(|_| PlatformError::Answer)
    }

    /// `Attestation`: a document over the given claims.
    ///
    /// # Errors
    /// [`PlatformError`].
    pub async fn attest(&mut self, claims: Claims<'_>) -> Result<Vec<u8>, PlatformError> {
        let Claims { user_data, nonce, public_key } = claims;
        let optional = |bytes: Option<&[u8]>| bytes.map_or(Value::Null, |bytes| Value::Bytes(bytes.to_vec()));
        let claims = vec![
            (Value::Text("user_data".into()), optional(user_data)),
            (Value::Text("nonce".into()), optional(nonce)),
            (Value::Text("public_key".into()), optional(public_key)),
        ];
        let request = Value::Map(vec![(Value::Text("Attestation".into()), Value::Map(claims))]);
        let answer = self.ask(&request).await?;
        let document = member(member(answer, "Attestation")?, "document")?;
        document.into_bytes().map_err(|_| PlatformError::Answer)
    }

    async fn ask(&mut self, request: &Value) -> Result<Value, PlatformError> {
        let mut bytes = vec![0; 4];
        ciborium::into_writer(request, &mut bytes).map_err(|_| PlatformError::Answer)?;
        let length = u32::try_from(bytes.len() - 4).map_err(|_| PlatformError::Answer)?;
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        self.0.write_all(&bytes).await?;
        let length = usize::try_from(self.0.read_u32().await?).map_err(|_| PlatformError::Answer)?;
        if length > MAX_ANSWER {
            return Err(PlatformError::Answer);
        }
        let mut answer = zeroize::Zeroizing::new(vec![0; length]);
        self.0.read_exact(&mut answer).await?;
        ciborium::from_reader(&answer[..]).map_err(|_| PlatformError::Answer)
    }
}

fn member(value: Value, name: &str) -> Result<Value, PlatformError> {
    let members = value.into_map().map_err(|_| PlatformError::Answer)?;
    let found = members.into_iter().find(|(key, _)| key.as_text() == Some(name));
    found.map(|(_, value)| value).ok_or(PlatformError::Answer)
}
