//! Requests that owners and tenants sign with their SSH keys, posted to a vault (`docs/spec/08-signed-requests.md`).

use std::path::PathBuf;

use adyton_api::{ErrorBody, SignedRequest};
use adyton_ledger::{Action, Request, Signer, VaultId};
use bytes::Bytes;

use crate::client::{Client, Refused};
use crate::ssh::sign;

type Error = Box<dyn std::error::Error>;

/// What is to be signed, but for its number.
pub(crate) struct Unsigned<'a> {
    pub(crate) action: Action,
    pub(crate) signer: Signer,
    pub(crate) body: String,
    /// Who signs.
    pub(crate) keys: &'a [PathBuf],
    /// An `Authorization` header, for actions that need a key besides.
    pub(crate) authorization: Option<&'a str>,
}

impl Unsigned<'_> {
    /// Signs it with a number and posts it; if another number is next, the vault says which, and it is signed once more.
    /// Gives the status and the body of a success.
    pub(crate) async fn post(self, client: &Client, vault: &VaultId, sequence: u64) -> Result<(u16, Bytes), Error> {
        let (status, body) = self.attempt(client, vault, sequence).await?;
        if status != 409 {
            return accepted(status, body);
        }
        let refused: ErrorBody = serde_json::from_slice(&body)?;
        let Some(expected) = refused.details.get("expected") else { return accepted(status, body) };
        let (status, body) = self.attempt(client, vault, expected.parse()?).await?;
        accepted(status, body)
    }

    async fn attempt(&self, client: &Client, vault: &VaultId, sequence: u64) -> Result<(u16, Bytes), Error> {
        let Self { action, signer, body, keys, authorization } = self;
        let request = Request { action: *action, signer: *signer, sequence, body: body.clone(), replaces: None };
        let text = request.text(vault);
        let signed = SignedRequest {
            action: action.text().into(),
            signer: signer.to_string(),
            sequence,
            body: request.body,
            signatures: keys.iter().map(|key| sign(key, &text)).collect::<Result<_, _>>()?,
        };
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(authorization.map(|value| ("authorization", value)));
        client.request("POST", "/adyton/v1/requests", &headers, serde_json::to_string(&signed)?).await
    }
}

fn accepted(status: u16, body: Bytes) -> Result<(u16, Bytes), Error> {
    match status {
        200 | 201 => Ok((status, body)),
        _ => Err(Refused::new(status, &body).into()),
    }
}
