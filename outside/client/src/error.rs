//! Why a vault was not spoken with.

use std::fmt;
use std::io;

use adyton_attest::Refusal;

/// Everything in it is public.
#[derive(Debug)]
pub enum ClientError {
    /// The network's fault.
    Io(io::Error),
    /// The TLS handshake's.
    Tls(rustls::Error),
    /// The connection ended, or what came is no HTTP.
    Http(hyper::Error),
    /// A header or path of the request has characters that it may not have.
    Request,
    /// The request left, and no answer came that can be read: whether it was carried out is not known. With every other error of a
    /// request nothing of it was sent.
    OutcomeUnknown(Box<ClientError>),
    /// Nothing came in time.
    TimedOut,
    /// The answer is larger than any that a vault gives.
    TooLarge,
    /// There is no evidence: the status that came in its place. Whoever answers may be no vault.
    NoEvidence {
        /// The HTTP status.
        status: u16,
        /// Seconds after which it may be asked again, if the answer names them.
        retry_after: Option<u64>,
    },
    /// The server limits how often evidence is asked for: nothing was shown, and nothing is wrong.
    RateLimited {
        /// Seconds after which it may be asked again, if the answer names them.
        retry_after: Option<u64>,
    },
    /// The answer does not have the form of evidence or of a binding.
    Form(&'static str),
    /// The evidence does not convince.
    Refused(Refusal),
    /// The connection's key is not the one that the evidence names: somebody sits between.
    NotTheAttestedKey {
        /// SHA-256 of the attested SubjectPublicKeyInfo.
        expected: [u8; 32],
        /// SHA-256 of the connection's.
        got: [u8; 32],
    },
}

impl ClientError {
    /// A failure of a request that was about to leave, or had left.
    pub(crate) fn of_exchange(self) -> Self {
        match self {
            Self::Request => self,
            error => Self::OutcomeUnknown(Box::new(error)),
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |bytes: &[u8; 32]| data_encoding::HEXLOWER.encode(bytes);
        match self {
            Self::Io(error) => write!(f, "the vault cannot be reached: {error}"),
            Self::Tls(error) => write!(f, "the TLS handshake failed: {error}"),
            Self::Http(error) => write!(f, "the vault's answer cannot be read: {error}"),
            Self::Request => f.write_str("the request has a path or header that HTTP does not allow"),
            Self::OutcomeUnknown(error) => write!(f, "{error}: whether the request was carried out is not known"),
            Self::TimedOut => f.write_str("the vault did not answer in time"),
            Self::TooLarge => f.write_str("the answer is larger than any that a vault gives"),
            Self::RateLimited { retry_after } => {
                f.write_str("the server limits the rate of requests (429): ")?;
                match retry_after {
                    Some(seconds) => write!(f, "try again after {seconds} s"),
                    None => f.write_str("try again later"),
                }
            }
            Self::NoEvidence { status: 503, .. } => f.write_str(
                "no evidence: the server answered 503; its platform is away or it is starting: try again later",
            ),
            Self::NoEvidence { status, .. } => {
                write!(f, "no evidence: the server answered {status}; is it a vault of this version?")
            }
            Self::Form(what) => write!(f, "the evidence cannot be read: {what}"),
            Self::Refused(refusal) => write!(f, "the evidence is refused: {refusal}"),
            Self::NotTheAttestedKey { expected, got } => write!(
                f,
                "somebody sits between: this connection's key is {}, the evidence names {}",
                hex(got),
                hex(expected)
            ),
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Tls(error) => Some(error),
            Self::Http(error) => Some(error),
            Self::Refused(refusal) => Some(refusal),
            Self::OutcomeUnknown(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        // The handshake's faults come wrapped.
        match error.downcast::<rustls::Error>() {
            Ok(tls) => Self::Tls(tls),
            Err(error) => Self::Io(error),
        }
    }
}

impl From<hyper::Error> for ClientError {
    fn from(error: hyper::Error) -> Self {
        Self::Http(error)
    }
}

impl From<Refusal> for ClientError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
