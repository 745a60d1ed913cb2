//! Why a public certificate is not taken.

use std::fmt;

use webpki::Error;

/// Why a public certificate is not taken. All of it is public but whether a key opens, which has no further reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicCertificateError {
    /// The sealed key does not open: it is another vault's, or none.
    Key,
    /// The certificate is for another key than the sealed one.
    OtherKey,
    /// A certificate, by its place, cannot be read.
    Form(usize),
    /// It carries no DNS name.
    NoName,
    /// It carries a name that is not one of the policy's.
    Name(String),
    /// Something of the chain has expired.
    Expired,
    /// Something of the chain is not valid yet.
    NotYetValid,
    /// The certificates do not follow each other, each one's issuer next.
    Order,
    /// The chain does not hold for another reason: a signature's kind, a use, a constraint.
    Chain,
}

impl fmt::Display for PublicCertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("public_certificate")?;
        match self {
            Self::Key => f.write_str(".sealed_key: it does not open: it belongs to another vault, or was changed"),
            Self::OtherKey => f.write_str(".chain: the first certificate is not for the sealed key"),
            Self::Form(place) => write!(f, ".chain: certificate {place} cannot be read"),
            Self::NoName => f.write_str(".chain: the first certificate carries no DNS name"),
            Self::Name(name) => {
                write!(f, ".chain: the first certificate is also for {name}, which is not one of api.public_names")
            }
            Self::Expired => f.write_str(".chain: a certificate has expired"),
            Self::NotYetValid => f.write_str(".chain: a certificate is not valid yet"),
            Self::Order => f.write_str(".chain: expected the vault's certificate, then each one's issuer"),
            Self::Chain => f.write_str(".chain: it does not hold, or is not for servers"),
        }
    }
}

impl std::error::Error for PublicCertificateError {}

impl From<&Error> for PublicCertificateError {
    fn from(error: &Error) -> Self {
        match error {
            Error::CertExpired { .. } => Self::Expired,
            Error::CertNotValidYet { .. } => Self::NotYetValid,
            Error::UnknownIssuer | Error::InvalidSignatureForPublicKey => Self::Order,
            _ => Self::Chain,
        }
    }
}
