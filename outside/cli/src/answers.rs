//! What a server said, in sentences for people. Whoever answers under `--trust-operator` chooses it: in a line to be pasted stands only what
//! was parsed, and no text makes a line of its own.

use std::borrow::Cow;

use adyton_api::{Account, ApiKey};
use adyton_policy::quoted;

type Error = Box<dyn std::error::Error>;

/// A SID with this prefix, as the vault makes them, and nothing else.
pub(crate) fn sid<'a>(prefix: &str, text: &'a str) -> Result<&'a str, Error> {
    let is_hex =
        |digits: &str| digits.len() == 32 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match text.strip_prefix(prefix) {
        Some(digits) if is_hex(digits) => Ok(text),
        _ => Err(format!("the vault's answer is not one: {text:?} stands for a SID {prefix}…").into()),
    }
}

/// An address that may stand between quotation marks, in a DNS record for instance.
pub(crate) fn uri(text: &str) -> Result<&str, Error> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!&()*+,=%".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return Ok(text);
    }
    Err(format!("the vault's answer is not one: {text:?} stands for an address").into())
}

/// Texts after each other.
pub(crate) fn list(texts: &[String]) -> String {
    texts.iter().map(|text| quoted(text)).collect::<Vec<Cow<'_, str>>>().join(", ")
}

/// An API key's line.
pub(crate) fn key(key: &ApiKey) -> Result<String, Error> {
    Ok(format!("{}: {}", sid("SK", &key.key_sid)?, list(&key.scopes)))
}

/// What `adyton tenant show` says; `option` names the tenant's file.
pub(crate) fn account(account: &Account, option: &str) -> Result<String, Error> {
    let mut lines = vec![format!(
        "{} ({}), signs with {}, next request {}",
        sid("AC", &account.account_sid)?,
        quoted(&account.friendly_name),
        quoted(&account.ssh_key),
        account.next_sequence
    )];
    for one in &account.keys {
        lines.push(key(one)?);
    }
    for waiting in &account.pending_loosenings {
        let (service, when) = (sid("VA", &waiting.service_sid)?, quoted(&waiting.loosening.effective));
        lines.push(format!(
            "{service} becomes weaker at {when}: `adyton tenant withdraw {option} --service {service}` takes that back"
        ));
    }
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use serde_json::{Value, json};

    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef";

    fn answered(change: impl Fn(&mut Value)) -> Account {
        let mut value = json!({
            "account_sid": format!("AC{HEX}"), "friendly_name": "Acme", "ssh_key": "SHA256:abc", "next_sequence": 3,
            "keys": [{ "key_sid": format!("SK{HEX}"), "scopes": ["verify", "admin"] }],
            "pending_loosenings": [{
                "service_sid": format!("VA{HEX}"), "code_length": 4, "custom_code_enabled": false, "effective": "2026-01-01T00:00:00Z"
            }],
            "date_created": "2026-01-01T00:00:00Z",
        });
        change(&mut value);
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_account_is_said_line_by_line() {
        let said = account(&answered(|_| ()), "--tenant t.json").unwrap();
        let expected = format!(
            "AC{HEX} (Acme), signs with SHA256:abc, next request 3\nSK{HEX}: verify, admin\nVA{HEX} becomes weaker at \
             2026-01-01T00:00:00Z: `adyton tenant withdraw --tenant t.json --service VA{HEX}` takes that back"
        );
        assert_eq!(said, expected);
    }

    #[test]
    fn what_is_no_sid_is_not_printed_to_be_pasted() {
        let long = format!("VA{HEX}0");
        let upper = format!("VA{}", HEX.to_uppercase());
        let ends = format!("VA{HEX}\n");
        for hostile in ["VA0$(touch pwned)", "VA0`id`", "", "VA", HEX, &long, &upper, &ends] {
            let account = |place: &str| {
                account(&answered(|value| *value.pointer_mut(place).unwrap() = hostile.into()), "--tenant t.json")
            };
            for place in ["/pending_loosenings/0/service_sid", "/keys/0/key_sid", "/account_sid"] {
                let refused = account(place).unwrap_err().to_string();
                assert!(
                    refused.starts_with(&format!("the vault's answer is not one: {hostile:?} stands for")),
                    "{refused}"
                );
                assert_eq!(refused.lines().count(), 1);
            }
        }
        let record = "https://ca.example/acct/1";
        assert_eq!(uri(record).unwrap(), record);
        for hostile in ["", "x\"; y", "x y", "x\ny", "$(id)", "`id`", "x;y"] {
            uri(hostile).unwrap_err();
        }
    }

    #[test]
    fn texts_make_no_lines_of_their_own() {
        let expected = account(&answered(|_| ()), "").unwrap().lines().count();
        for place in ["/friendly_name", "/ssh_key", "/keys/0/scopes/0", "/pending_loosenings/0/effective"] {
            for hostile in ["a\nSK00: verify", "a\r\u{1b}[1A", "a\u{202e}b", "a\u{2028}b"] {
                let said = account(&answered(|value| *value.pointer_mut(place).unwrap() = hostile.into()), "").unwrap();
                assert_eq!(said.lines().count(), expected, "{said}");
                assert!(said.contains(&format!("{hostile:?}")), "{said}");
            }
        }
    }
}
