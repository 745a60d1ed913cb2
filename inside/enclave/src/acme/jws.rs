//! What a CA is sent: JSON Web Signatures by the account's key (RFC 8555 §6.2, RFC 7515).

use adyton_ledger::sha256;
use adyton_seal::{EcdsaKey, Opaque};

use super::external::ExternalAccount;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

/// The members of the public key, in the order that its thumbprint demands (RFC 7638 §3).
fn jwk(key: &EcdsaKey) -> String {
    let point = key.public_point();
    let [x, y] = [&point[..32], &point[32..]].map(|half| BASE64URL_NOPAD.encode(half));
    format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
}

/// What a challenge's answer is made of besides its token (RFC 8555 §8.1).
pub(super) fn key_authorization(key: &EcdsaKey, token: &str) -> String {
    format!("{token}.{}", BASE64URL_NOPAD.encode(&sha256(jwk(key).as_bytes()).0))
}

/// A signed request for `url`; without a payload one that reads (POST-as-GET). `account` is the account's address, once it
/// has one.
pub(super) fn signed(
    key: &EcdsaKey,
    account: Option<&str>,
    (nonce, url): (&str, &str),
    payload: Option<&Value>,
) -> Result<Vec<u8>, Opaque> {
    let who = match account {
        Some(account) => format!(r#""kid":{}"#, json!(account)),
        None => format!(r#""jwk":{}"#, jwk(key)),
    };
    let protected = format!(r#"{{"alg":"ES256","nonce":{},"url":{},{who}}}"#, json!(nonce), json!(url));
    let protected = BASE64URL_NOPAD.encode(protected.as_bytes());
    let payload = payload.map(|payload| BASE64URL_NOPAD.encode(payload.to_string().as_bytes())).unwrap_or_default();
    let signature = key.sign(format!("{protected}.{payload}").as_bytes())?;
    let signature = BASE64URL_NOPAD.encode(&signature);
    Ok(json!({ "protected": protected, "payload": payload, "signature": signature }).to_string().into_bytes())
}

/// The binding of an account's key to an account that the CA knows already, for a request to `url` (RFC 8555 §7.3.4): the key,
/// authenticated by HS256 (RFC 7518 §3.2).
pub(super) fn binding(key: &EcdsaKey, external: &ExternalAccount, url: &str) -> Value {
    let protected = format!(r#"{{"alg":"HS256","kid":{},"url":{}}}"#, json!(external.key_id), json!(url));
    let (protected, payload) =
        (BASE64URL_NOPAD.encode(protected.as_bytes()), BASE64URL_NOPAD.encode(jwk(key).as_bytes()));
    let signature = external.key.tag(&[protected.as_bytes(), b".", payload.as_bytes()]);
    json!({ "protected": protected, "payload": payload, "signature": BASE64URL_NOPAD.encode(&signature) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    fn decoded(text: &Value) -> Value {
        serde_json::from_slice(&BASE64URL_NOPAD.decode(text.as_str().unwrap().as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn a_binding_authenticates_the_accounts_key_for_one_address() {
        let key = EcdsaKey::generate().unwrap();
        let secret = [9; 40];
        let text = format!("kid:1:{}", BASE64URL_NOPAD.encode(&secret));
        let external = ExternalAccount::parse(text.as_bytes()).unwrap();
        let bound = binding(&key, &external, "https://acme.example/new-account");
        let expected = json!({ "alg": "HS256", "kid": "kid:1", "url": "https://acme.example/new-account" });
        assert_eq!(decoded(&bound["protected"]), expected);
        assert_eq!(decoded(&bound["payload"]).to_string(), jwk(&key));
        let signed = format!("{}.{}", bound["protected"].as_str().unwrap(), bound["payload"].as_str().unwrap());
        let tag = adyton_seal::HmacKey::from_shared(&secret).unwrap().tag(&[signed.as_bytes()]);
        assert_eq!(bound["signature"], BASE64URL_NOPAD.encode(&tag));
    }

    #[test]
    fn a_request_names_its_nonce_its_place_and_its_signer() {
        let key = EcdsaKey::generate().unwrap();
        let sent = |account: Option<&str>, payload: Option<Value>| -> Value {
            let place = ("n\"1", "https://acme.example/new");
            serde_json::from_slice(&signed(&key, account, place, payload.as_ref()).unwrap()).unwrap()
        };
        let first = sent(None, Some(json!({ "a": 1 })));
        let protected = decoded(&first["protected"]);
        assert_eq!((&protected["nonce"], &protected["alg"]), (&json!("n\"1"), &json!("ES256")));
        assert_eq!(protected["url"], "https://acme.example/new");
        assert_eq!(protected["jwk"].to_string(), jwk(&key), "the one spelling");
        assert_eq!(protected.get("kid"), None);
        assert_eq!(decoded(&first["payload"]), json!({ "a": 1 }));
        let read = sent(Some("https://acme.example/account/1"), None);
        let protected = decoded(&read["protected"]);
        assert_eq!((&protected["kid"], protected.get("jwk")), (&json!("https://acme.example/account/1"), None));
        assert_eq!(read["payload"], "");
        let thumbprint = BASE64URL_NOPAD.encode(&sha256(jwk(&key).as_bytes()).0);
        assert_eq!(key_authorization(&key, "token"), format!("token.{thumbprint}"));
    }
}
