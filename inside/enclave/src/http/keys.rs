//! The tenant's request `tenant-keys`: keys that its client made and sealed, and keys to remove.
//! Nobody else makes or resets them (DESIGN §7).

use std::collections::BTreeSet;
use std::sync::Arc;

use adyton_api::AcceptedRequest;
use adyton_ledger::{Request, base64};
use adyton_seal::SealedPurpose;
use adyton_vault::{
    AccountId, ChangeKeys, KeyChanges, KeyId, KeyList, NewKey, Scope, Scopes, TokenHash, User, tenancy,
};
use axum::http::StatusCode;
use axum::response::Response;

use super::Api;
use super::answer::{ApiError, json as answer};
use super::json::{self, JsonBody, MemberError};
use super::workers::Kind;
use crate::ask::AskError;

/// Keys that one request may bring or take.
const MAX_KEYS: usize = 100;
const BASE64: &str = "base64 of a sealed value, with padding and without line breaks";
const KEY_SID: &str = "SK and 32 hexadecimal digits";
const REMOVE: MemberError = MemberError::field("remove", "SIDs of keys, each SK and 32 hexadecimal digits");
const SCOPES: MemberError = MemberError::field("scopes", "verify, admin or support, one or more of them, each once");

/// An [`adyton_api::ChangeKeys`] whose fields have their form. Its secrets were not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysRequest {
    /// Every API key goes first.
    pub reset: bool,
    /// A new token of the account itself, sealed.
    pub sealed_token: Option<Vec<u8>>,
    /// API keys to remove.
    pub removed: Vec<KeyId>,
    /// API keys to add, with their scopes and the sealed secret.
    pub added: Vec<(KeyId, Scopes, Vec<u8>)>,
}

impl KeysRequest {
    /// Parses a body; the error names the field, or `body` if the whole is not the expected JSON.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn parse(body: &[u8]) -> Result<Self, MemberError> {
        let adyton_api::ChangeKeys { reset, sealed_token, remove, add } = json::parse(body)?;
        // A request that changes nothing was meant to be another one; a reset leaves no token but the new one.
        let nothing = !reset && sealed_token.is_none() && remove.is_empty() && add.is_empty();
        if nothing {
            return Err(MemberError::field("body", adyton_api::ChangeKeys::FORM));
        }
        for (list, length) in [("remove", remove.len()), ("add", add.len())] {
            if length > MAX_KEYS {
                return Err(MemberError::field(list, "at most 100 keys"));
            }
        }
        if reset && sealed_token.is_none() {
            return Err(MemberError::field("sealed_token", "a new token with reset, which leaves no other"));
        }
        if reset && !remove.is_empty() {
            return Err(MemberError::field("remove", "none with reset, which removes every key"));
        }
        let sid = |text: &str| KeyId::parse(text).ok();
        let decode = |text: &str| base64::decode(text.as_bytes());
        let added = |adyton_api::NewKey { key_sid, scopes, sealed_secret }: &adyton_api::NewKey| {
            let scopes: Option<Vec<Scope>> = scopes.iter().map(|scope| Scope::parse(scope)).collect();
            // Each once.
            let once = |scopes: &Vec<Scope>| Scopes::from_slice(scopes).list().count() == scopes.len();
            let scopes = scopes.filter(|scopes| !scopes.is_empty() && once(scopes)).ok_or(SCOPES)?;
            let secret = decode(sealed_secret).ok_or(MemberError::field("sealed_secret", BASE64))?;
            let key = sid(key_sid).ok_or(MemberError::field("key_sid", KEY_SID))?;
            Ok::<_, MemberError>((key, Scopes::from_slice(&scopes), secret))
        };
        Ok(Self {
            reset,
            sealed_token: match sealed_token {
                None => None,
                Some(sealed) => Some(decode(&sealed).ok_or(MemberError::field("sealed_token", BASE64))?),
            },
            removed: remove.iter().map(|key| sid(key).ok_or(REMOVE)).collect::<Result<_, _>>()?,
            added: add.iter().map(added).collect::<Result<_, _>>()?,
        })
    }

    /// The list in which a key's SID stands twice.
    fn repeated(&self) -> Option<KeyList> {
        let different = |sids: &mut dyn Iterator<Item = &KeyId>| sids.collect::<BTreeSet<_>>().len();
        if different(&mut self.added.iter().map(|(sid, ..)| sid)) < self.added.len() {
            return Some(KeyList::Added);
        }
        (different(&mut self.removed.iter()) < self.removed.len()).then_some(KeyList::Removed)
    }
}

/// Carries out a request whose signature was verified and whose sequence is the next one.
pub(super) async fn change(api: &Arc<Api>, account: AccountId, request: &Request) -> Result<Response, ApiError> {
    let changes = KeysRequest::parse(request.body.as_bytes())?;
    // Before anything is opened.
    if let Some(list) = changes.repeated() {
        return Err(ApiError::failure(AskError::Refused(tenancy::Refusal::KeyTwice(list)), ""));
    }
    let changes = opened(api, account, changes).await?;
    let change = ChangeKeys { account, sequence: request.sequence, changes };
    api.ask(change).await.map_err(|failure| ApiError::failure(failure, "/Keys"))?;
    let accepted = AcceptedRequest { action: request.action.text().into(), sequence: request.sequence };
    Ok(answer(StatusCode::OK, &accepted))
}

/// Opens the secrets and hashes them: each is a job of its own in a worker, so that a long list waits its turn again and again.
async fn opened(api: &Arc<Api>, account: AccountId, changes: KeysRequest) -> Result<KeyChanges, ApiError> {
    let account_sid = account.text();
    let KeysRequest { reset, sealed_token, removed, added: sealed_keys } = changes;
    let token_hash = match sealed_token {
        None => None,
        Some(sealed) => {
            let purpose = SealedPurpose::tenant_token(&api.vault_id, &account_sid);
            Some(hashed(api, account, User::Account(account), purpose, sealed).await?)
        }
    };
    let mut added = Vec::with_capacity(sealed_keys.len());
    for (key, scopes, sealed) in sealed_keys {
        let purpose = SealedPurpose::api_key(&api.vault_id, &account_sid, &key.text());
        let token_hash = hashed(api, account, User::Key(key), purpose, sealed).await?;
        added.push(NewKey { key, scopes, token_hash });
    }
    Ok(KeyChanges { reset, token_hash, removed, added })
}

async fn hashed(
    api: &Arc<Api>,
    account: AccountId,
    user: User,
    purpose: SealedPurpose,
    sealed: Vec<u8>,
) -> Result<TokenHash, ApiError> {
    let opening = Arc::clone(api);
    api.workers.run(Kind::Tenant(account), move || opening.token_hash(user, &purpose, &sealed)).await?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn waiting_change_of_keys_fits_its_row_of_the_memory_table() {
        // docs/LIMITS.md, "requests that wait for the decider". Lists that are read grow to the next power of two.
        let lists = MAX_KEYS.next_power_of_two() * size_of::<KeyId>() + MAX_KEYS * size_of::<NewKey>();
        assert!(2 * size_of::<adyton_vault::Command>() + lists <= 8192);
    }

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
        assert_eq!(added[0].1, Scopes::from_slice(&[Scope::Verify, Scope::Support]));
        for scopes in ["[]", r#"["verify","verify"]"#, r#"["Verify"]"#, r#"["root"]"#, r#"[""]"#] {
            assert_eq!(key(scopes), Err(SCOPES), "{scopes}");
        }
        let reset_alone = MemberError::field("sealed_token", "a new token with reset, which leaves no other");
        assert_eq!(parse(r#"{"reset":true}"#), Err(reset_alone));
        assert_eq!(parse(r#"{"sealed_token":"AQE"}"#), Err(MemberError::field("sealed_token", BASE64)));
        assert_eq!(parse(r#"{"remove":["SK1"]}"#), Err(REMOVE));
        let both = format!(r#"{{"reset":true,"sealed_token":"AQE=","remove":["{KEY}"]}}"#);
        assert_eq!(parse(&both), Err(MemberError::field("remove", "none with reset, which removes every key")));
        for list in ["remove", "add"] {
            let key = format!(r#"{{"key_sid":"{KEY}","scopes":["verify"],"sealed_secret":"AQE="}}"#);
            let key = if list == "remove" { format!("{KEY:?}") } else { key };
            let many = format!(r#"{{"{list}":[{}]}}"#, vec![key; 101].join(","));
            assert_eq!(parse(&many), Err(MemberError::field(list, "at most 100 keys")));
        }
        for (member, expected) in [("key_sid", KEY_SID), ("sealed_secret", BASE64)] {
            let key = format!(r#"{{"add":[{{"key_sid":"{KEY}","scopes":["verify"],"sealed_secret":"AQE="}}]}}"#);
            let value = if member == "key_sid" { KEY } else { "AQE=" };
            assert_eq!(parse(&key.replace(value, "x")), Err(MemberError::field(member, expected)));
        }
        // What serde's derived readers would take as well: fields in their order.
        let in_order = format!(r#"{{"add":[["{KEY}",["verify"],"AQE="]]}}"#);
        let twice = r#"{"reset":true,"reset":true}"#;
        for body in ["", "{}", r#"{"reset":false}"#, "[]", r#"[true,"AQE=",[],[]]"#, "null", "{} {}", &in_order, twice]
        {
            assert_eq!(parse(body), Err(MemberError::field("body", adyton_api::ChangeKeys::FORM)), "{body}");
        }
        assert_eq!(parse(r#"{"added":[]}"#), Err(MemberError::Unknown("added".into())));
        let missing = MemberError::Missing { name: "scopes".into(), expected: adyton_api::ChangeKeys::FORM };
        assert_eq!(parse(&format!(r#"{{"add":[{{"key_sid":"{KEY}"}}]}}"#)), Err(missing));
        let unknown = format!(r#"{{"add":[{{"key_sid":"{KEY}","secret":"AQE="}}]}}"#);
        assert_eq!(parse(&unknown), Err(MemberError::Unknown("secret".into())));
    }
}
