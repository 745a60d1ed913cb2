//! Who may ask: the role of the instance that an enclave runs in, and an administrator of the account.

use std::io;

use data_encoding::{BASE64, HEXUPPER};
use serde_json::{Value, json};

use super::ACCOUNT;

/// The instance's role.
pub const ROLE: &str = "adyton-enclave";
/// The administrator's name.
pub const ADMINISTRATOR: &str = "administrator";

/// Somebody with credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The instance's role.
    Role,
    /// An administrator.
    Administrator,
}

impl Principal {
    /// As AWS names a caller.
    pub(super) fn caller_arn(self) -> String {
        match self {
            Self::Role => format!("arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE}/i-00000000000000000"),
            Self::Administrator => self.arn(),
        }
    }

    /// As key policies and grants name it.
    pub fn arn(self) -> String {
        match self {
            Self::Role => format!("arn:aws:iam::{ACCOUNT}:role/{ROLE}"),
            Self::Administrator => format!("arn:aws:iam::{ACCOUNT}:user/{ADMINISTRATOR}"),
        }
    }
}

/// What requests are signed with.
pub struct Identity {
    /// Who it is.
    pub principal: Principal,
    /// Key id.
    pub access_key_id: String,
    /// Secret key.
    pub secret_access_key: String,
    /// A role's has one.
    pub session_token: Option<String>,
}

impl Identity {
    fn new(principal: Principal) -> io::Result<Self> {
        let id = HEXUPPER.encode(&adyton_seal::random::<8>().map_err(io::Error::other)?);
        let secret = BASE64.encode(&adyton_seal::random::<30>().map_err(io::Error::other)?);
        let token = BASE64.encode(&adyton_seal::random::<96>().map_err(io::Error::other)?);
        let (prefix, session_token) = match principal {
            Principal::Role => ("ASIA", Some(token)),
            Principal::Administrator => ("AKIA", None),
        };
        Ok(Self { principal, access_key_id: format!("{prefix}{id}"), secret_access_key: secret, session_token })
    }

    /// As a person would be given them.
    pub fn shown(&self) -> Value {
        json!({
            "arn": self.principal.arn(), "access_key_id": self.access_key_id,
            "secret_access_key": self.secret_access_key, "session_token": self.session_token,
        })
    }
}

/// Both.
pub struct Identities {
    /// The instance's role.
    pub role: Identity,
    /// The administrator.
    pub administrator: Identity,
}

impl Identities {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { role: Identity::new(Principal::Role)?, administrator: Identity::new(Principal::Administrator)? })
    }

    /// Whose key id this is.
    pub(super) fn find(&self, access_key_id: &str) -> Option<&Identity> {
        [&self.role, &self.administrator].into_iter().find(|identity| identity.access_key_id == access_key_id)
    }
}
