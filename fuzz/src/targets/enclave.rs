//! What clients and owners write: `adyton-enclave`.

use adyton_api::{ChangeKeys, CreateTenant, LoosenService, NewKey};
use adyton_enclave::http::{
    BasicCredentials, Form, JsonBody, KeysRequest, LooseningRequest, MemberError, TenantRequest, TenantRequestError,
};
use adyton_enclave::policy::Measured;
use adyton_enclave::signed;

use adyton_ledger::{MAX_REQUEST_BODY, Signers, VaultId};
use adyton_policy::{KeyPolicy, Pins, certificates};
use adyton_vault::{KeyId, User};
use data_encoding::BASE64;
use serde_json::Value;

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
    b"\"reset\":true",
    b"\"remove\":[",
    b"\"scopes\":[\"support\"]",
    b"\"add\":[",
    b"\"service_sid\":",
    b"\"code_length\":",
    b"\"custom_code_enabled\":true",
    b"\"signatures\":[",
    b"]",
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
    let Ok(Measured { policy, hash, attestation_root, bytes }) = Measured::parse(input) else { return };
    accepted();
    assert_eq!(hash, adyton_ledger::sha256(input).0);
    assert_eq!(bytes, input);
    assert_eq!(policy.version, 1);
    assert!(attestation_root.len() <= input.len());
    assert!(!policy.api.names.is_empty() || !policy.api.addresses.is_empty());
    for host in policy.routes.iter().map(|route| &route.host).chain([&policy.custody.host]) {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        assert!(!host.is_empty() && host.bytes().all(plain), "{host:?} is no name");
        assert!(host.parse::<std::net::IpAddr>().is_err());
    }
    // With a KMS of a cloud, trust has other forms too.
    let trust = policy.custody.key.is_none().then_some(&policy.custody.trust);
    for pem in trust.into_iter().chain([&policy.attestation.root]) {
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

pub(crate) const KEY_POLICIES: &[&[u8]] = &[
    b"\"Effect\":\"Deny\"",
    b"\"Effect\":\"Allow\"",
    b"\"NotAction\":",
    b"\"kms:*\"",
    b"\"kms:Decrypt\"",
    b"\"kms:CreateGrant\"",
    b"IfExists",
    b"ForAnyValue:",
    b"StringLike",
    b"\"KMS:recipientattestation:pcr16\":\"x\",",
    b"kms:RecipientAttestation:PCR0",
    b"\\u006b",
    b"*",
    b",",
];

/// A key policy that is accepted releases to nobody without these registers, however an evaluator fills what it does not
/// know in the attacker's favour.
pub(crate) fn key_policy(input: &[u8]) {
    let Some(text) = str::from_utf8(input).ok().and_then(|output| KeyPolicy::text_of(output).ok()) else { return };
    let text = &*text;
    if KeyPolicy::check(text, &Pins::new(&[0xAB; 48], &[0xCD; 48])).is_err() {
        return;
    }
    accepted();
    let policy: Value = serde_json::from_str(text).expect("what is accepted is JSON");
    let (image, measured) = ("ab".repeat(48), "cd".repeat(48));
    let other = "00".repeat(48);
    for facts in [None, Some((&other, &measured)), Some((&image, &other)), Some((&measured, &image))] {
        for action in ["kms:Decrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:CreateGrant", "kms:Encrypt"] {
            let statements = policy["Statement"].as_array().into_iter().flatten();
            for statement in statements.filter(|statement| statement["Effect"] == "Allow") {
                let speaks = texts(&statement["Action"]).any(|pattern| like(&pattern, action));
                let facts = facts.map(|(image, policy)| (&image[..], &policy[..]));
                assert!(!speaks || !could_hold(&statement["Condition"], facts), "{action} by {statement}");
            }
        }
    }
    // Nor is anything that a boot needs denied to everybody without a condition.
    let denials = policy["Statement"].as_array().into_iter().flatten();
    for denial in denials.filter(|statement| statement["Effect"] == "Deny" && statement["Condition"].is_null()) {
        for action in ["kms:DescribeKey", "kms:ListGrants", "kms:GetKeyPolicy", "kms:GenerateDataKey", "kms:Decrypt"] {
            let speaks = texts(&denial["Action"]).any(|pattern| pattern == "*" || pattern == action.to_lowercase());
            assert!(!speaks || denial["Principal"] != "*", "{action} by {denial}");
        }
    }
}

fn texts(value: &Value) -> impl Iterator<Item = String> {
    let list = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    list.into_iter().filter_map(|value| value.as_str().map(str::to_lowercase))
}

/// A pattern of lower case that ends in `*`, or a name.
fn like(pattern: &str, action: &str) -> bool {
    let action = action.to_lowercase();
    pattern.split_once('*').map_or(pattern == action, |(head, _)| action.starts_with(head))
}

/// Whether a condition may hold for a request with these registers, or without a document.
fn could_hold(condition: &Value, facts: Option<(&str, &str)>) -> bool {
    let operators = condition.as_object().into_iter().flatten();
    operators.into_iter().all(|(operator, keys)| {
        let keys = keys.as_object().into_iter().flatten();
        let known = ["stringequals", "stringequalsignorecase"].contains(&&operator.to_lowercase()[..]);
        !known
            || keys.into_iter().all(|(key, values)| {
                let fact = facts.map(|(image, policy)| match &key.to_lowercase()[..] {
                    "kms:recipientattestation:imagesha384" | "kms:recipientattestation:pcr0" => Some(image),
                    "kms:recipientattestation:pcr16" => Some(policy),
                    _ => None,
                });
                match fact {
                    // Of other facts nothing is known.
                    Some(None) => true,
                    Some(Some(fact)) => texts(values).any(|value| value == fact),
                    None => !key.to_lowercase().starts_with("kms:recipientattestation:"),
                }
            })
    })
}

/// A chain is certificates and nothing else: written plainly they are read as the same ones, and nothing may follow them.
pub(crate) fn certificate_chain(input: &[u8]) {
    let Some((text, chain)) = str::from_utf8(input).ok().and_then(|text| Some((text, certificates(text)?))) else {
        return;
    };
    accepted();
    assert!(chain.iter().map(Vec::len).sum::<usize>() <= input.len());
    let plain: String = chain
        .iter()
        .map(|der| format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", BASE64.encode(der)))
        .collect();
    assert_eq!(certificates(&plain), Some(chain));
    assert_eq!(certificates(&format!("{text}x")), None);
    assert_eq!(certificates(&format!("{text}-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n")), None);
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

/// A header has one spelling but for the case of the scheme and of the SID's digits, and for the blanks between its two parts.
pub(crate) fn basic_credentials(input: &[u8]) {
    let Some(credentials) = BasicCredentials::parse(input) else { return };
    accepted();
    let user = match credentials.user {
        User::Account(sid) => sid.text(),
        User::Key(sid) => sid.text(),
    };
    let claimed = format!("{user}:{}", credentials.token.expose());
    let plain = format!("Basic {}", BASE64.encode(claimed.as_bytes()));
    let blanks = input.iter().filter(|byte| **byte == b' ').count();
    assert_eq!(plain.len() + blanks, input.len() + 1);
    let again = BasicCredentials::parse(plain.as_bytes()).expect("credentials written plainly are credentials");
    assert_eq!(again.user, credentials.user);
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
        account_sid: request.account.text(),
        friendly_name: request.friendly_name.clone(),
        sealed_token: BASE64.encode(&request.sealed_token),
        ssh_key: ssh_line(&request.ssh_key),
    };
    let plain = serde_json::to_vec(&plain).expect("texts are JSON");
    assert_eq!(TenantRequest::parse(&plain), Ok(request));
    let refused = TenantRequest::parse(&[input, b"{}"].concat());
    assert_eq!(refused, Err(TenantRequestError::Member(MemberError::field("body", CreateTenant::FORM))));
}

/// A blob as the line of a `.pub` file.
fn ssh_line(blob: &[u8]) -> String {
    let length = blob.first_chunk().map_or(0, |length| u32::from_be_bytes(*length) as usize);
    let algorithm = blob.get(4..4 + length).and_then(|name| str::from_utf8(name).ok()).unwrap_or_default();
    format!("{algorithm} {}", BASE64.encode(blob))
}

/// Keys that are taken have SIDs, scopes and a bound, and written plainly are taken as the same.
pub(crate) fn keys_request(input: &[u8]) {
    let Ok(request) = KeysRequest::parse(input) else { return };
    accepted();
    assert!(!request.reset || (request.sealed_token.is_some() && request.removed.is_empty()));
    assert!(request.removed.len() <= 100 && request.added.len() <= 100);
    let key = |sid: &KeyId| sid.text();
    let added = request.added.iter().map(|(sid, scopes, sealed)| NewKey {
        key_sid: key(sid),
        scopes: scopes.list().map(|scope| scope.text().into()).collect(),
        sealed_secret: BASE64.encode(sealed),
    });
    let plain = ChangeKeys {
        reset: request.reset,
        sealed_token: request.sealed_token.as_ref().map(|sealed| BASE64.encode(sealed)),
        remove: request.removed.iter().map(key).collect(),
        add: added.collect(),
    };
    let plain = serde_json::to_vec(&plain).expect("texts are JSON");
    assert_eq!(KeysRequest::parse(&plain), Ok(request));
    let refused = KeysRequest::parse(&[input, b"{}"].concat());
    assert_eq!(refused, Err(MemberError::field("body", ChangeKeys::FORM)));
}

/// A loosening that is taken says of which service, and written plainly is taken as the same.
pub(crate) fn loosening_request(input: &[u8]) {
    let Ok(request) = LooseningRequest::parse(input) else { return };
    accepted();
    let LooseningRequest { service, code_length, custom_code } = request;
    assert_ne!(code_length, Some(0));
    let plain = LoosenService { service_sid: service.text(), code_length, custom_code_enabled: custom_code };
    let plain = serde_json::to_vec(&plain).expect("texts are JSON");
    assert_eq!(LooseningRequest::parse(&plain), Ok(request));
    let refused = LooseningRequest::parse(&[input, b"{}"].concat());
    assert_eq!(refused, Err(MemberError::field("body", LoosenService::FORM)));
}

/// What is taken has signatures, a sequence and a body within its bound; nothing of it is verified.
pub(crate) fn signed_request(input: &[u8]) {
    let Ok(signed) = signed::parse(input) else { return };
    accepted();
    let request = signed.unverified();
    assert!(request.sequence >= 1 && request.body.len() <= MAX_REQUEST_BODY);
    assert_eq!(request.action.text().parse(), Ok(request.action));
    assert_eq!(request.signer.to_string().parse(), Ok(request.signer));
    assert!(signed::parse(&[input, b"{}"].concat()).is_err());
    // Whoever is nobody's signer is refused, whatever they signed.
    assert!(signed.verify(&VaultId([0; 32]), &Signers::nobody()).is_err());
}
