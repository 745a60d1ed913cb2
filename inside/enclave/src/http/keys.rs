//! The tenant's request `tenant-keys`: keys that its client made and sealed, and keys that go. Nobody else makes or resets
//! them (DESIGN §7).

use std::sync::Arc;

use adyton_api::{AcceptedRequest, ChangeKeys, NewKey, Object};
use adyton_ledger::{Request, base64};
use adyton_seal::SealedPurpose;
use adyton_vault::{Command, KeyChanges, Scope, Scopes, Sid, SidKind, User};
use axum::http::StatusCode;
use axum::response::Response;

use super::Api;
use super::answer::{ApiError, json};
use super::json::MemberError;

/// Keys that one request may bring or take.
const MOST: usize = 100;

/// A [`ChangeKeys`] whose fields have their form. Its secrets were not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysRequest {
    /// Every API key goes first.
    pub reset: bool,
    /// A new token of the account itself, sealed.
    pub sealed_token: Option<Vec<u8>>,
    /// API keys that go.
    pub removed: Vec<Sid>,
    /// API keys that come, with what they may do and the sealed secret.
    pub added: Vec<(Sid, Scopes, Vec<u8>)>,
}

impl KeysRequest {
    /// Parses a body; the error names the field, or `body` if the whole is not the expected JSON.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn parse(body: &[u8]) -> Result<Self, MemberError> {
        let request: Result<Object<ChangeKeys>, _> = serde_json::from_slice(body);
        let Object(ChangeKeys { reset, sealed_token, remove, add }) =
            request.map_err(|error| MemberError::of(&error))?;
        // A request that changes nothing was meant to be another one; a reset leaves no token but the new one.
        let nothing = !reset && sealed_token.is_none() && remove.is_empty() && add.is_empty();
        if nothing {
            return Err("body".into());
        }
        for (list, length) in [("remove", remove.len()), ("add", add.len())] {
            if length > MOST {
                return Err(list.into());
            }
        }
        if reset && sealed_token.is_none() {
            return Err("sealed_token".into());
        }
        if reset && !remove.is_empty() {
            return Err("remove".into());
        }
        let sid = |text: &str| Sid::parse(SidKind::Key, text).ok();
        let decode = |text: &str| base64::decode(text.as_bytes());
        let added = |NewKey { key_sid, scopes, sealed_secret }: &NewKey| {
            let scopes: Option<Vec<Scope>> = scopes.iter().map(|scope| Scope::parse(scope)).collect();
            // Each once.
            let once = |scopes: &Vec<Scope>| Scopes::of(scopes).list().count() == scopes.len();
            let scopes = scopes.filter(|scopes| !scopes.is_empty() && once(scopes)).ok_or("scopes")?;
            let secret = decode(sealed_secret).ok_or("sealed_secret")?;
            Ok::<_, &'static str>((sid(key_sid).ok_or("key_sid")?, Scopes::of(&scopes), secret))
        };
        Ok(Self {
            reset,
            sealed_token: match sealed_token {
                None => None,
                Some(sealed) => Some(decode(&sealed).ok_or("sealed_token")?),
            },
            removed: remove.iter().map(|key| sid(key).ok_or("remove")).collect::<Result<_, _>>()?,
            added: add.iter().map(added).collect::<Result<_, _>>()?,
        })
    }
}

/// Carries out a request whose signature was verified.
pub(super) async fn change(api: &Arc<Api>, account: Sid, request: &Request) -> Result<Response, ApiError> {
    let changes = KeysRequest::parse(request.body.as_bytes())?;
    let opening = Arc::clone(api);
    let changes = api.workers.run(move || opened(&opening, account, changes)).await??;
    let command = Command::ChangeKeys { account, sequence: request.sequence, changes };
    api.engine.submit(command).await.map_err(|failure| ApiError::failure(failure, "/Keys"))?;
    api.known.forget();
    let accepted = AcceptedRequest { action: request.action.text().into(), sequence: request.sequence };
    Ok(json(StatusCode::OK, &accepted))
}

/// Opens the secrets and hashes them, in a worker.
fn opened(api: &Api, account: Sid, changes: KeysRequest) -> Result<KeyChanges, ApiError> {
    let account_sid = account.text(SidKind::Account);
    let token = |sealed: &Vec<u8>| {
        let purpose = SealedPurpose::tenant_token(&api.vault_id, &account_sid);
        api.token_hash(User::Account(account), &purpose, sealed)
    };
    let added = |(key, scopes, sealed): &(Sid, Scopes, Vec<u8>)| {
        let purpose = SealedPurpose::api_key(&api.vault_id, &account_sid, &key.text(SidKind::Key));
        Ok((*key, *scopes, api.token_hash(User::Key(*key), &purpose, sealed)?))
    };
    Ok(KeyChanges {
        reset: changes.reset,
        token_hash: changes.sealed_token.as_ref().map(token).transpose()?,
        removed: changes.removed,
        added: changes.added.iter().map(added).collect::<Result<_, ApiError>>()?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    const KEY: &str = "SK00000000000000000000000000000001";

    #[test]
    fn a_change_of_keys_has_one_form() {
        let parse = |body: &str| KeysRequest::parse(body.as_bytes());
        let reset = parse(r#"{"reset":true,"sealed_token":"AQE="}"#).unwrap();
        assert_eq!((reset.reset, reset.sealed_token), (true, Some(vec![1, 1])));
        let key = |scopes: &str| {
            parse(&format!(r#"{{"add":[{{"key_sid":"{KEY}","scopes":{scopes},"sealed_secret":"AQE="}}]}}"#))
        };
        let added = key(r#"["verify","support"]"#).unwrap().added;
        assert_eq!(added[0].1, Scopes::of(&[Scope::Verify, Scope::Support]));
        for scopes in ["[]", r#"["verify","verify"]"#, r#"["Verify"]"#, r#"["root"]"#, r#"[""]"#] {
            assert_eq!(key(scopes), Err("scopes".into()), "{scopes}");
        }
        assert_eq!(parse(r#"{"reset":true}"#), Err("sealed_token".into()));
        assert_eq!(parse(r#"{"sealed_token":"AQE"}"#), Err("sealed_token".into()));
        assert_eq!(parse(r#"{"remove":["SK1"]}"#), Err("remove".into()));
        assert_eq!(
            parse(&format!(r#"{{"reset":true,"sealed_token":"AQE=","remove":["{KEY}"]}}"#)),
            Err("remove".into())
        );
        let many = format!(r#"{{"remove":{:?}}}"#, vec![KEY; 101]);
        assert_eq!(parse(&many), Err("remove".into()));
        // What serde's derived readers would take as well: fields in their order.
        let in_order = format!(r#"{{"add":[["{KEY}",["verify"],"AQE="]]}}"#);
        let twice = r#"{"reset":true,"reset":true}"#;
        for body in ["", "{}", r#"{"reset":false}"#, "[]", r#"[true,"AQE=",[],[]]"#, "null", "{} {}", &in_order, twice]
        {
            assert_eq!(parse(body), Err("body".into()), "{body}");
        }
        assert_eq!(parse(r#"{"added":[]}"#), Err(MemberError::Unknown("added".into())));
        let unknown = format!(r#"{{"add":[{{"key_sid":"{KEY}","secret":"AQE="}}]}}"#);
        assert_eq!(parse(&unknown), Err(MemberError::Unknown("secret".into())));
    }
}
