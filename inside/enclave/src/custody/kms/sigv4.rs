//! AWS Signature Version 4, as much of it as one POST to `/` needs.
//!
//! 1. the canonical request: method, path, no query, five headers in the order of their names, the body's hash;
//! 2. the string to sign: algorithm, time, scope (day, region, service), SHA-256 of 1.;
//! 3. the signing key: HMAC-SHA-256 over the scope's parts, one after the other, beginning with `AWS4` and the secret;
//! 4. the `Authorization` header.
//!
//! Source: AWS's "Create a signed AWS API request"; checked against botocore (`vectors/sigv4.json`). Why our own: AWS's crate
//! would bring some 20 more into the enclave, for these lines.
//!
//! What it is not: a protection. The signature shows who pays and who is logged; the credentials are relayed by the host.

use adyton_api::timestamp;
use adyton_ledger::sha256;
use adyton_seal::{HmacKey, Opaque, Secret};
use data_encoding::HEXLOWER;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use zeroize::Zeroizing;

use super::credentials::Credentials;

/// The type of every body.
const JSON: &str = "application/x-amz-json-1.1";
/// The names of the signed headers, in their order.
const SIGNED: &str = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target";
/// The service's name in a scope.
const SERVICE: &str = "kms";

/// What is signed besides the body.
pub(super) struct Request<'a> {
    pub(super) host: &'a str,
    pub(super) region: &'a str,
    /// `X-Amz-Target`.
    pub(super) target: &'a str,
    /// Unix seconds.
    pub(super) time: u64,
}

/// The headers of a signed request, but for `Host`, which the connection adds.
pub(super) fn headers(
    request: &Request<'_>,
    credentials: &Credentials,
    body: &[u8],
) -> Result<Vec<(HeaderName, HeaderValue)>, Opaque> {
    let date = timestamp(request.time).replace(['-', ':'], "");
    // 1.
    let Request { host, region, target, .. } = request;
    let token = &credentials.token[..];
    let canonical = format!(
        "POST\n/\n\ncontent-type:{JSON}\nhost:{host}\nx-amz-date:{date}\nx-amz-security-token:{token}\nx-amz-target:{target}\n\n\
         {SIGNED}\n{}",
        sha256(body)
    );
    // 2.
    let day = &date[..8];
    let scope = format!("{day}/{region}/{SERVICE}/aws4_request");
    let string = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(canonical.as_bytes()));
    // 3.
    let first = Zeroizing::new([b"AWS4", credentials.secret.expose().as_bytes()].concat());
    let mut key = HmacKey::from_shared(&first)?;
    for part in [day, region, SERVICE, "aws4_request"] {
        key = HmacKey::new(&Secret::take(&mut key.tag(&[part.as_bytes()])));
    }
    // 4.
    let signature = HEXLOWER.encode(&key.tag(&[string.as_bytes()]));
    let id = &credentials.access_key_id;
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={SIGNED}, Signature={signature}");
    let value = |text: &str| HeaderValue::from_str(text).map_err(|_| Opaque);
    Ok(vec![
        (CONTENT_TYPE, HeaderValue::from_static(JSON)),
        (HeaderName::from_static("x-amz-date"), value(&date)?),
        (HeaderName::from_static("x-amz-security-token"), value(token)?),
        (HeaderName::from_static("x-amz-target"), value(target)?),
        (AUTHORIZATION, value(&authorization)?),
    ])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use adyton_seal::SecretText;

    use super::*;

    /// What botocore signs of the same requests.
    #[test]
    fn botocore_signs_the_same() {
        let vectors: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../../../../../vectors/sigv4.json")).unwrap();
        assert!(vectors.len() >= 4);
        for v in vectors {
            let text = |field: &str| v[field].as_str().unwrap();
            let credentials = Credentials {
                access_key_id: text("access_key_id").into(),
                secret: SecretText::join(&[text("secret_access_key")]),
                token: text("session_token").into(),
            };
            let time = v["time"].as_u64().unwrap();
            let request = Request { host: text("host"), region: text("region"), target: text("target"), time };
            let headers = headers(&request, &credentials, text("body").as_bytes()).unwrap();
            let expected = v["headers"].as_object().unwrap();
            assert_eq!(headers.len(), expected.len());
            for (name, value) in &headers {
                assert_eq!(value.to_str().unwrap(), expected[name.as_str()], "{name} of {}", text("name"));
            }
        }
    }

    #[test]
    fn a_secret_of_no_length_that_aws_gives_signs_nothing() {
        let credentials =
            Credentials { access_key_id: "A".into(), secret: SecretText::join(&["short"]), token: "t".into() };
        let request = Request { host: "h", region: "r", target: "t", time: 0 };
        assert_eq!(headers(&request, &credentials, b"").err(), Some(Opaque));
    }
}
