//! AWS Signature Version 4, checked: whatever headers a client has signed, `Host` among them.

use adyton_seal::{HmacKey, Secret, same};
use aws_lc_rs::digest::{SHA256, digest};
use axum::http::HeaderMap;
use data_encoding::HEXLOWER;

use super::identity::{Identities, Identity, Principal};
use super::{REGION, Refusal};

/// Seconds by which a request's time and ours may part.
const WINDOW: u64 = 300;

fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(digest(&SHA256, bytes).as_ref())
}

/// Who signed a request.
pub(super) fn verify(
    headers: &HeaderMap,
    body: &[u8],
    identities: &Identities,
    now: u64,
) -> Result<Principal, Refusal> {
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let incomplete = || Refusal::new("IncompleteSignatureException", "Authorization header is missing or incomplete.");
    let authorization = value("authorization").strip_prefix("AWS4-HMAC-SHA256 ").ok_or_else(incomplete)?;
    let part = |name: &str| {
        let parts = authorization.split(',').map(str::trim);
        parts.filter_map(|part| part.strip_prefix(name)?.strip_prefix('=')).next().ok_or_else(incomplete)
    };
    let (credential, signed, given) = (part("Credential")?, part("SignedHeaders")?, part("Signature")?);
    let [id, day, region, "kms", "aws4_request"] = credential.split('/').collect::<Vec<_>>()[..] else {
        return Err(incomplete());
    };
    let token_is_wrong =
        || Refusal::new("UnrecognizedClientException", "The security token included in the request is invalid.");
    let identity = identities.find(id).ok_or_else(token_is_wrong)?;
    let token = headers.get("x-amz-security-token").and_then(|token| token.to_str().ok());
    if token != identity.session_token.as_deref() {
        return Err(token_is_wrong());
    }
    let names: Vec<&str> = signed.split(';').collect();
    let needed = ["host", "x-amz-date", "x-amz-target"].iter().chain(token.map(|_| &"x-amz-security-token"));
    let mut all = needed.copied();
    let mismatch = || {
        let message = "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                       Access Key and signing method.";
        Refusal::new("InvalidSignatureException", message)
    };
    if !all.all(|name| names.contains(&name)) || region != REGION {
        return Err(mismatch());
    }
    let date = value("x-amz-date");
    if !date.starts_with(day) || seconds(date).is_none_or(|then| then.abs_diff(now) > WINDOW) {
        return Err(Refusal::new("InvalidSignatureException", format!("Signature expired: {date}")));
    }
    let canonical: String = names.iter().map(|name| format!("{name}:{}\n", value(name).trim())).collect();
    let canonical = format!("POST\n/\n\n{canonical}\n{signed}\n{}", sha256(body));
    let scope = format!("{day}/{region}/kms/aws4_request");
    let string = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let expected = sign(identity, [day, region, "kms", "aws4_request"], &string).ok_or_else(mismatch)?;
    if same(expected.as_bytes(), given.as_bytes()) { Ok(identity.principal) } else { Err(mismatch()) }
}

fn sign(identity: &Identity, scope: [&str; 4], string: &str) -> Option<String> {
    let mut key = HmacKey::from_shared(format!("AWS4{}", identity.secret_access_key).as_bytes()).ok()?;
    for part in scope {
        key = HmacKey::new(&Secret::take(&mut key.tag(&[part.as_bytes()])));
    }
    Some(HEXLOWER.encode(&key.tag(&[string.as_bytes()])))
}

/// `20260101T000000Z` as Unix seconds.
fn seconds(date: &str) -> Option<u64> {
    let (day, time) = date.strip_suffix('Z')?.split_once('T')?;
    let number = |text: &str, from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(day, 0, 4)?, number(day, 4, 6)?, number(day, 6, 8)?);
    let (hour, minute, second) = (number(time, 0, 2)?, number(time, 2, 4)?, number(time, 4, 6)?);
    // Days from the civil date, with years that begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day.checked_sub(1)?;
    Some(days.checked_sub(719_468)? * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_seconds() {
        assert_eq!(seconds("20260921T141320Z"), Some(1_790_000_000));
        assert_eq!(seconds("19700101T000000Z"), Some(0));
        assert_eq!((seconds("2026"), seconds(""), seconds("20260921T1413Z")), (None, None, None));
    }
}
