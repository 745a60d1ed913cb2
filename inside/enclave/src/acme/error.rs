//! Why there is no certificate.

use std::fmt;

use adyton_seal::Opaque;

use super::client::MAX_NONCES;
use super::external::ExternalAccountError;
use crate::egress::EgressError;

/// Why there is no certificate. All of it is public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcmeError {
    /// The CA cannot be reached.
    Egress(EgressError),
    /// It names an address that is not at its host, or none.
    Address,
    /// An answer does not have the form that the protocol has; says where.
    Form(&'static str),
    /// It refused; its word for the reason (RFC 8555 §6.7).
    Refused(String),
    /// A refusal without a problem document: what stands before the CA refused, and that says nothing about an order.
    NoProblem {
        /// The status.
        status: u16,
    },
    /// It cannot answer now.
    Busy {
        /// Its word for the reason, or the status.
        reason: String,
        /// After how many seconds it wants to be asked again.
        retry_after: Option<u64>,
    },
    /// It refused its directory or a nonce: that says nothing about an order. Its word for the reason, or the status.
    Unserved(String),
    /// It does not know the vault's account any more (`accountDoesNotExist`).
    Account {
        /// Address of the account.
        address: String,
    },
    /// It refused every nonce.
    Nonces,
    /// It offers no challenge that is answered inside.
    Challenge,
    /// An order or authorization did not end in time.
    Slow {
        /// After how many seconds it may be polled again.
        retry_after: u64,
    },
    /// A key could not be made, sealed or opened.
    Key,
    /// Its certificate is not taken.
    Certificate(crate::public::PublicCertificateError),
    /// Its certificate, or the order that was resumed, is not for all of the public names.
    Names,
    /// Two thirds of the certificate's life are over already.
    Life,
    /// Another vault writes the public log.
    Fenced,
    /// The policy names an external account, and the settings have none that can be used.
    External(ExternalAccountError),
}

impl AcmeError {
    /// Seconds after which the CA may be asked again, if there is a limit.
    pub(super) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            Self::Slow { retry_after } => Some(*retry_after),
            _ => None,
        }
    }

    /// Whether an order cannot come to a certificate any more. One whose certificate is of no use, or not yet, is kept and fetched
    /// again: another order would give the same, and CAs limit duplicates.
    pub(super) fn ends_order(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Challenge)
    }
}

impl fmt::Display for AcmeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Egress(error) => write!(f, "the CA: {error}"),
            Self::Address => f.write_str("the CA names an address that is not at its host"),
            Self::Form(place) => write!(f, "the CA: {place}: not what the protocol allows"),
            Self::Refused(reason) => {
                write!(f, "the CA refused: {reason}")?;
                f.write_str(remedy(reason))
            }
            Self::NoProblem { status } => {
                write!(f, "the CA's address answered {status} without ACME's reason: a proxy or a wrong address?")
            }
            Self::Busy { reason, retry_after: None } => write!(f, "the CA cannot answer now: {reason}"),
            Self::Busy { reason, retry_after: Some(seconds) } => {
                write!(f, "the CA cannot answer now: {reason}: it wants to be asked again after {seconds} s")
            }
            Self::Unserved(reason) => write!(f, "the CA refused its directory or a nonce: {reason}"),
            Self::Account { address } => write!(
                f,
                "the CA does not know the account {address} any more: for another account the owners sign settings with \
                 [acme] retired_account = \"{address}\""
            ),
            Self::Nonces => write!(f, "the CA refused {MAX_NONCES} nonces of one request"),
            Self::Challenge => f.write_str("the CA offers no tls-alpn-01"),
            Self::Slow { .. } => f.write_str("the CA did not come to an end in time"),
            Self::Key => f.write_str("a key could not be made or opened"),
            Self::Certificate(error) => error.fmt(f),
            Self::Names => f.write_str("the CA's certificate is not for all public names"),
            Self::Life => f.write_str("the CA's certificate would have to be renewed within an hour"),
            Self::Fenced => f.write_str("another vault writes the public log"),
            Self::External(error) => error.fmt(f),
        }
    }
}

/// How the owners can resolve a refusal.
fn remedy(reason: &str) -> &'static str {
    match reason {
        "externalAccountRequired" => ": it needs an external account: name one in the policy ([acme] external_account)",
        "unauthorized" => {
            ": a name was not proven, or the account is deactivated (then the owners sign settings with [acme] retired_account)"
        }
        "userActionRequired" => ": its terms have changed, and somebody has to agree to them at the CA",
        "caa" => ": a CAA record of a name does not allow this CA or this account (`adyton certificate account`)",
        _ => "",
    }
}

impl std::error::Error for AcmeError {}

impl From<EgressError> for AcmeError {
    fn from(error: EgressError) -> Self {
        Self::Egress(error)
    }
}

impl From<Opaque> for AcmeError {
    fn from(_: Opaque) -> Self {
        Self::Key
    }
}
