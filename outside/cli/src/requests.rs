//! Requests that owners and tenants sign with their SSH keys, posted to a vault (`docs/spec/08-signed-requests.md`).

use std::path::PathBuf;

use adyton_api::{ErrorBody, SignedRequest};
use adyton_ledger::{Action, Request, Signer, VaultId};
use bytes::Bytes;

use crate::client::{Answer, Client, Refused, Unsent};
use crate::ssh::sign;

type Error = Box<dyn std::error::Error>;

/// How far above the number that was signed first the vault's may be. Whoever answers under `--trust-operator` gets one more signature, and none
/// that waits for its turn for years.
const FURTHEST: u64 = 1000;

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
    /// Signs it with a number and posts it; if a number is next that is a little further on, the vault says which, and it is
    /// signed once more. Gives the status and the body of a success.
    pub(crate) async fn post(self, client: &Client, vault: &VaultId, sequence: u64) -> Result<(u16, Bytes), Error> {
        self.post_numbered(client, vault, sequence).await.map(|(_, answer)| answer)
    }

    /// The same, with the number under which it was accepted.
    pub(crate) async fn post_numbered(
        self,
        client: &Client,
        vault: &VaultId,
        sequence: u64,
    ) -> Result<(u64, (u16, Bytes)), Error> {
        let answer = self.attempt(client, vault, sequence).await?;
        let Some(expected) = expected(&answer)? else { return Ok((sequence, accepted(answer)?)) };
        if answer.is_repeated && self.action != Action::SettingsShow {
            return Err(
                "the vault answered 503, and has taken a request with this number since: it may have been this \
                        one. Look what is in force, and run the command again if it was not"
                    .into(),
            );
        }
        let expected = near(self.signer, sequence, expected)?;
        let answer = self.attempt(client, vault, expected).await?;
        Ok((expected, accepted(answer)?))
    }

    /// Signs it with this number and no other: for what was compared with the state under that number.
    pub(crate) async fn post_exactly(
        self,
        client: &Client,
        vault: &VaultId,
        sequence: u64,
    ) -> Result<(u16, Bytes), Error> {
        let answer = self.attempt(client, vault, sequence).await?;
        match expected(&answer)? {
            None => accepted(answer),
            Some(_) if answer.is_repeated => Err(
                "the vault answered 503, and has taken a request of the owners since: it may have been this one. Look \
                     what is in force (`adyton settings show`)"
                    .into(),
            ),
            Some(_) => {
                Err("another request of the owners came in between, so what was compared may have changed: nothing \
                            was changed; run the command again"
                    .into())
            }
        }
    }

    async fn attempt(&self, client: &Client, vault: &VaultId, sequence: u64) -> Result<Answer, Error> {
        // An attempt comes first, or after one that the vault refused: without this one nothing has happened.
        let signed = self.signed(vault, sequence).map_err(Unsent)?;
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(self.authorization.map(|value| ("authorization", value)));
        client.ask("POST", "/adyton/v1/requests", &headers, signed).await
    }

    /// The request with its signatures, as JSON.
    fn signed(&self, vault: &VaultId, sequence: u64) -> Result<String, Error> {
        let Self { action, signer, body, keys, authorization: _ } = self;
        let request = Request { action: *action, signer: *signer, sequence, body: body.clone(), replaces: None };
        let text = request.text(vault);
        let signed = SignedRequest {
            action: action.text().into(),
            signer: signer.to_string(),
            sequence,
            body: request.body,
            signatures: keys.iter().map(|key| sign(key, &text)).collect::<Result<_, _>>()?,
        };
        Ok(serde_json::to_string(&signed)?)
    }
}

/// The number after the last one.
pub(crate) fn after(last: u64) -> Result<u64, Error> {
    last.checked_add(1).ok_or_else(|| {
        format!("the vault says that the owners' last request was {last}: no number comes after it. Nothing was signed")
            .into()
    })
}

/// The number that the vault expects in place of the first, unless it is below that one or far above.
fn near(signer: Signer, first: u64, expected: u64) -> Result<u64, Error> {
    if expected.checked_sub(first).is_some_and(|further| further <= FURTHEST) {
        return Ok(expected);
    }
    let hint = match signer {
        Signer::Owners => "",
        Signer::Tenant(_) => ". If the tenant has signed that many requests, give the number with --sequence",
    };
    Err(format!(
        "the vault expects a request with number {expected}, and {first} was signed: not from {first} to {FURTHEST} further, so \
         it was not signed again{hint}"
    )
    .into())
}

/// The number that the vault expects instead, if that is why it refused.
fn expected(answer: &Answer) -> Result<Option<u64>, Error> {
    if answer.status != 409 {
        return Ok(None);
    }
    let read = serde_json::from_slice::<ErrorBody>(&answer.body).ok();
    let Some(refused) = read else { return Err(Refused::of(answer).into()) };
    let number = refused.details.get("expected").map(|expected| expected.parse()).transpose();
    number.map_err(|_| Refused::of(answer).into())
}

fn accepted(answer: Answer) -> Result<(u16, Bytes), Error> {
    match answer.status {
        200 | 201 => Ok((answer.status, answer.body)),
        _ => Err(Refused::of(&answer).into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn no_number_comes_after_the_last_one() {
        assert_eq!(after(0).unwrap(), 1);
        assert_eq!(after(u64::MAX - 1).unwrap(), u64::MAX);
        let refused = after(u64::MAX).unwrap_err().to_string();
        assert!(
            refused.starts_with("the vault says that the owners' last request was 18446744073709551615: "),
            "{refused}"
        );
    }

    #[test]
    fn only_a_number_a_little_further_on_is_signed_again() {
        let tenant = Signer::Tenant([7; 16]);
        for expected in [5, 6, 1005] {
            assert_eq!(near(tenant, 5, expected).unwrap(), expected);
        }
        for expected in [0, 4, 1006, u64::MAX] {
            for (signer, hinted) in [(tenant, true), (Signer::Owners, false)] {
                let refused = near(signer, 5, expected).unwrap_err().to_string();
                assert!(
                    refused.starts_with(&format!("the vault expects a request with number {expected}, and 5 ")),
                    "{refused}"
                );
                assert_eq!(refused.ends_with("--sequence"), hinted);
            }
        }
        assert_eq!(near(tenant, u64::MAX, u64::MAX).unwrap(), u64::MAX);
    }
}
