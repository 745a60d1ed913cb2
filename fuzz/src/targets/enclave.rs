//! What clients and owners write: `adyton-enclave`.

use adyton_api::CreateTenant;
use adyton_enclave::http::{BasicCredentials, Form, TenantRequest, TenantRequestError};
use adyton_enclave::policy::Policy;
use adyton_vault::SidKind;
use data_encoding::BASE64;

use crate::accepted;

pub(crate) const TOML: &[&[u8]] = &[
    b"version = 1\n",
    b"version = 2\n",
    b"[api]\n",
    b"[[api]]\n",
    b"names = []\n",
    b"addresses = [\"::1\"]\n",
    b"host = \"127.1\"\n",
    b"\"\"\"",
    b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
    b"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n",
    b"{a={a={a={a=",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=1\n",
];
pub(crate) const FORMS: &[&[u8]] = &[
    b"&",
    b"=",
    b"+",
    b"%",
    b"%2B",
    b"%00",
    b"%FF",
    b"%C3%A4",
    b"%EF%BF%BD",
    b"To=",
    b"Code=123456",
    b"Channel=sms",
    b"a&b&c&d&",
];
pub(crate) const HEADERS: &[&[u8]] = &[b"Basic ", b"basic  ", b"Bearer ", b"=", b"QUM", b"Og==", b",", b"\xFF"];
pub(crate) const JSON: &[&[u8]] = &[
    b"{",
    b"}",
    b"\"account_sid\":",
    b"\"friendly_name\":",
    b"\"sealed_token\":",
    b"null",
    b"\\u0000",
    b"\\ud800",
    b"\\u0041",
    b",",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"\"\"",
    b" ",
];

/// A policy is hashed as it came; its peers are names, and its roots come from it.
pub(crate) fn policy(input: &[u8]) {
    let Ok(policy) = Policy::parse(input) else { return };
    accepted();
    assert_eq!(policy.hash, adyton_ledger::sha256(input).0);
    assert_eq!(policy.content.version, 1);
    assert!(policy.attestation_root.len() <= input.len());
    assert!(!policy.content.api.names.is_empty() || !policy.content.api.addresses.is_empty());
    for peer in [&policy.content.custody, &policy.content.carrier] {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        assert!(!peer.host.is_empty() && peer.host.bytes().all(plain), "{:?} is no name", peer.host);
        assert!(peer.host.parse::<std::net::IpAddr>().is_err());
    }
    for pem in [&policy.content.custody.trust, &policy.content.carrier.trust, &policy.content.attestation.root] {
        // RFC 7468: a section is from its first line to its last; what stands around it is commentary, and so is a section
        // that another one cuts short.
        let (mut open, mut sections) = (false, 0);
        for line in pem.lines() {
            open |= line.starts_with("-----BEGIN CERTIFICATE-----");
            if open && line.starts_with("-----END CERTIFICATE-----") {
                (open, sections) = (false, sections + 1);
            }
        }
        assert_eq!(sections, 1, "{pem:?}");
    }
}

/// Fields are few and named once, no larger than the body, and written plainly they are read as the same fields.
pub(crate) fn form(input: &[u8]) {
    let Ok(form) = Form::parse(input) else { return };
    accepted();
    let fields: Vec<(&str, &str)> = form.fields().collect();
    assert!(fields.len() <= 64);
    assert!(fields.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() <= input.len());
    for (name, value) in &fields {
        assert_eq!(form.get(name), Some(*value), "{name:?} is there twice");
        assert!(!name.contains('\u{FFFD}') && !value.contains('\u{FFFD}'));
    }
    let plain = form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
    let again = Form::parse(plain.as_bytes()).expect("a form written plainly is a form");
    assert!(again.fields().eq(fields.iter().copied()));
}

/// A header has one spelling but for the case of the scheme and of the SID's digits.
pub(crate) fn basic_credentials(input: &[u8]) {
    let Some(credentials) = BasicCredentials::parse(input) else { return };
    accepted();
    let claimed = format!("{}:{}", credentials.account.text(SidKind::Account), credentials.token.expose());
    let plain = format!("Basic {}", BASE64.encode(claimed.as_bytes()));
    assert_eq!(plain.len(), input.len());
    let again = BasicCredentials::parse(plain.as_bytes()).expect("credentials written plainly are credentials");
    assert_eq!(again.account, credentials.account);
    assert_eq!(again.token.expose(), credentials.token.expose());
}

/// What is taken has its form, and written plainly is taken as the same; nothing but blanks may follow it.
pub(crate) fn tenant_request(input: &[u8]) {
    let Ok(request) = TenantRequest::parse(input) else { return };
    accepted();
    assert!((1..=64).contains(&request.friendly_name.chars().count()));
    assert!(!request.friendly_name.chars().any(char::is_control));
    assert!(request.sealed_token.len() <= input.len());
    let plain = CreateTenant {
        account_sid: request.account.text(SidKind::Account),
        friendly_name: request.friendly_name.clone(),
        sealed_token: BASE64.encode(&request.sealed_token),
    };
    let plain = serde_json::to_vec(&plain).expect("three texts are JSON");
    assert_eq!(TenantRequest::parse(&plain), Ok(request));
    assert_eq!(TenantRequest::parse(&[input, b"{}"].concat()), Err(TenantRequestError::Field("body")));
}
