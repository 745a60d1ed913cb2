//! Why a text is not a policy. Everything here is public.

use core::fmt;

use adyton_ledger::SshKeyError;

/// The first rule that a policy breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyError {
    /// It is longer than 64 KiB, which is the most that the public log shows of a policy.
    Length,
    /// It is not UTF-8.
    Text,
    /// It is not TOML, or a value has another type; says where.
    Toml(String),
    /// A key that no policy has; its path, and the nearest one that there is.
    UnknownKey {
        /// Where.
        path: String,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// Another version.
    Version {
        /// What stands there.
        got: u32,
    },
    /// It is not one certificate in PEM; names the key.
    Certificate(String),
    /// It is not an SSH key that may sign; names the key.
    SshKey(String, SshKeyError),
    /// What stands there is not a DNS name; names the key.
    Host(String),
    /// Official SDKs call another host instead of this one.
    RewrittenHost {
        /// Which key.
        key: String,
        /// The name.
        name: String,
        /// The host that they call.
        to: String,
    },
    /// A value is outside its range; names the key and the range.
    Range {
        /// Which key.
        key: String,
        /// What it may be.
        expected: &'static str,
    },
    /// Something is needed here, or does not belong here.
    Missing {
        /// Which key.
        key: String,
        /// Why.
        why: &'static str,
    },
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the policy: ")?;
        match self {
            Self::Length => f.write_str("longer than 64 KiB"),
            Self::Text => f.write_str("not UTF-8"),
            Self::Toml(error) => f.write_str(error),
            Self::UnknownKey { path, nearest: Some(nearest) } => {
                write!(f, "{path}: unknown key; did you mean {nearest}?")
            }
            Self::UnknownKey { path, nearest: None } => write!(f, "{path}: unknown key"),
            Self::Version { got } => write!(f, "version: expected 1, got {got}"),
            Self::Certificate(key) => write!(f, "{key}: not one certificate in PEM"),
            Self::SshKey(key, error) => write!(f, "{key}: {error}"),
            Self::Host(key) => {
                write!(f, "{key}: a DNS name is needed, without a dot at its end, and neither an address nor localhost")
            }
            Self::RewrittenHost { key, name, to } => write!(
                f,
                "{key}: some official SDKs (Node.js, Java, Go) call {to} instead of {name}, with the caller's credentials; \
                 use a name of three to five labels, such as verify.example.com"
            ),
            Self::Range { key, expected } => write!(f, "{key}: expected {expected}"),
            Self::Missing { key, why } => write!(f, "{key}: {why}"),
        }
    }
}

impl core::error::Error for PolicyError {}
