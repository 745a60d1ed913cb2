//! The platform: the NSM's own CBOR, to its device, or over a socket that plays the device on a laptop.
//!
//! Requests and answers are those of `aws-nitro-enclaves-nsm-api`; only the carrier of the bytes differs (an ioctl on
//! hardware, a `u32` length before each message on a laptop). The NSM is trusted: it is the hardware's voice.
//!
//! What it is not: what fills and locks registers. Only an image does that, once ([`crate::guest`]).

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use adyton_nsm::{Device, MAX_ANSWER};
use ciborium::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

/// Where the NSM is.
#[derive(Clone, Debug)]
pub enum NsmAddress {
    /// The device of an image, opened once.
    Device(Arc<Device>),
    /// The socket of what plays it.
    Socket(PathBuf),
}

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
pub struct Nsm(Carrier);

enum Carrier {
    Device(Arc<Device>),
    Socket(UnixStream),
}

impl Nsm {
    /// Connects, if there is anything to connect to.
    ///
    /// # Errors
    /// [`PlatformError::Io`].
    pub async fn connect(address: &NsmAddress) -> Result<Self, PlatformError> {
        Ok(Self(match address {
            NsmAddress::Device(device) => Carrier::Device(Arc::clone(device)),
            NsmAddress::Socket(path) => Carrier::Socket(UnixStream::connect(path).await?),
        }))
    }

    /// `GetRandom`: up to 256 bytes of the platform's randomness.
    ///
    /// # Errors
    /// [`PlatformError`].
    pub async fn random(&mut self) -> Result<Zeroizing<Vec<u8>>, PlatformError> {
        random_of(&self.ask(get_random()?).await?)
    }

    /// `Attestation`: a document over the given claims.
    ///
    /// # Errors
    /// [`PlatformError`].
    pub async fn attest(&mut self, claims: Claims<'_>) -> Result<Vec<u8>, PlatformError> {
        document_of(&self.ask(attestation(claims)?).await?)
    }

    /// The answer may hold randomness that keys are made of.
    async fn ask(&mut self, request: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, PlatformError> {
        let stream = match &mut self.0 {
            Carrier::Socket(stream) => stream,
            Carrier::Device(device) => {
                let device = Arc::clone(device);
                let answer = spawn_blocking(move || process(&device, &request)).await;
                return answer.map_err(|_| PlatformError::Answer)?;
            }
        };
        let length = u32::try_from(request.len()).map_err(|_| PlatformError::Answer)?;
        stream.write_all(&[&length.to_be_bytes()[..], &request].concat()).await?;
        let length = usize::try_from(stream.read_u32().await?).map_err(|_| PlatformError::Answer)?;
        if length > MAX_ANSWER {
            return Err(PlatformError::Answer);
        }
        let mut answer = Zeroizing::new(vec![0; length]);
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    }
}

/// A request to the device; it blocks.
///
/// # Errors
/// [`PlatformError`].
pub(crate) fn process(device: &Device, request: &[u8]) -> Result<Zeroizing<Vec<u8>>, PlatformError> {
    let mut answer = Zeroizing::new([0; MAX_ANSWER]);
    let length = device.process(request, &mut answer)?;
    Ok(Zeroizing::new(answer.get(..length).ok_or(PlatformError::Answer)?.to_vec()))
}

pub(crate) fn get_random() -> Result<Vec<u8>, PlatformError> {
    encode(&text("GetRandom"))
}

pub(crate) fn random_of(answer: &[u8]) -> Result<Zeroizing<Vec<u8>>, PlatformError> {
    bytes_of(answer, "GetRandom", "random").map(Zeroizing::new)
}

pub(crate) fn attestation(Claims { user_data, nonce, public_key }: Claims<'_>) -> Result<Vec<u8>, PlatformError> {
    let optional = |bytes: Option<&[u8]>| bytes.map_or(Value::Null, |bytes| Value::Bytes(bytes.to_vec()));
    let claims = [("user_data", optional(user_data)), ("nonce", optional(nonce)), ("public_key", optional(public_key))];
    encode(&named("Attestation", claims))
}

pub(crate) fn document_of(answer: &[u8]) -> Result<Vec<u8>, PlatformError> {
    bytes_of(answer, "Attestation", "document")
}

/// `DescribePCR`: what a register holds.
pub(crate) fn describe_pcr(index: u16) -> Result<Vec<u8>, PlatformError> {
    encode(&named("DescribePCR", [("index", index.into())]))
}

/// What `DescribePCR` or `ExtendPCR` says that a register holds.
pub(crate) fn register_of(answer: &[u8], request: &str) -> Result<Vec<u8>, PlatformError> {
    bytes_of(answer, request, "data")
}

/// `ExtendPCR`.
pub(crate) fn extend_pcr(index: u16, data: &[u8]) -> Result<Vec<u8>, PlatformError> {
    encode(&named("ExtendPCR", [("index", index.into()), ("data", Value::Bytes(data.to_vec()))]))
}

/// `LockPCRs`: no register below `range` changes until the next boot.
pub(crate) fn lock_pcrs(range: u16) -> Result<Vec<u8>, PlatformError> {
    encode(&named("LockPCRs", [("range", range.into())]))
}

/// Whether an answer is the bare name of what was asked.
pub(crate) fn is_done(answer: &[u8], request: &str) -> bool {
    ciborium::from_reader::<Value, _>(answer).is_ok_and(|value| value.as_text() == Some(request))
}

fn text(value: &str) -> Value {
    Value::Text(value.into())
}

fn named<const N: usize>(request: &str, members: [(&str, Value); N]) -> Value {
    let members = members.map(|(name, value)| (text(name), value)).into();
    Value::Map(vec![(text(request), Value::Map(members))])
}

fn encode(request: &Value) -> Result<Vec<u8>, PlatformError> {
    let mut bytes = Vec::new();
    ciborium::into_writer(request, &mut bytes).map_err(|_| PlatformError::Answer)?;
    Ok(bytes)
}

fn bytes_of(answer: &[u8], request: &str, name: &str) -> Result<Vec<u8>, PlatformError> {
    let answer = ciborium::from_reader(answer).map_err(|_| PlatformError::Answer)?;
    member(member(answer, request)?, name)?.into_bytes().map_err(|_| PlatformError::Answer)
}

fn member(value: Value, name: &str) -> Result<Value, PlatformError> {
    let members = value.into_map().map_err(|_| PlatformError::Answer)?;
    let found = members.into_iter().find(|(key, _)| key.as_text() == Some(name));
    found.map(|(_, value)| value).ok_or(PlatformError::Answer)
}
