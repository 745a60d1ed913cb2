//! Credentials for the KMS: those of the instance's role, by the instance metadata service
//! (IMDSv2).
//!
//! 1. `PUT /latest/api/token`: a token for what follows;
//! 2. `GET …/iam/security-credentials/`: the role's name;
//! 3. `GET …/iam/security-credentials/NAME`: its credentials.
//!
//! The service is asked in the clear, through the host, which can read what comes and put other
//! credentials there. That gains it nothing: the key is named by the measured policy, TLS ends at
//! the KMS, and what the KMS gives is sealed to a key of this enclave. An attacker who uses these
//! credentials himself gets nothing from a key that asks for attestation. With credentials of
//! another account the KMS refuses, or answers the same key.
//!
//! What it is not: a secret of the vault's. It is treated like one nevertheless.

use std::fmt;

use adyton_seal::SecretText;
use adyton_transport::Address;
use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use serde::Deserialize;

use crate::egress::{self, EgressError, http::Connection};

const TOKEN: &str = "/latest/api/token";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

/// Why there are no credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialsError {
    /// The metadata service cannot be reached.
    Egress(EgressError),
    /// It refused.
    Refused {
        /// Which of the steps.
        step: &'static str,
        /// The HTTP status.
        status: u16,
    },
    /// An answer does not have the expected form.
    Answer {
        /// Which of the steps.
        step: &'static str,
    },
}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the instance's metadata service: ")?;
        match self {
            Self::Egress(error) => error.fmt(f),
            Self::Refused { step, status: 404 } => write!(f, "{step}: there is none: has the instance a role?"),
            Self::Refused { step, status } => write!(f, "{step}: refused with status {status}"),
            Self::Answer { step } => write!(f, "{step}: the answer has another form"),
        }
    }
}

impl std::error::Error for CredentialsError {}

impl From<EgressError> for CredentialsError {
    fn from(error: EgressError) -> Self {
        Self::Egress(error)
    }
}

/// What requests are signed with.
pub(super) struct Credentials {
    pub(super) access_key_id: String,
    pub(super) secret: SecretText,
    pub(super) token: String,
}

impl Credentials {
    /// Asks for the role's.
    pub(super) async fn of_instance(service: &Address) -> Result<Self, CredentialsError> {
        let mut imds = egress::metadata(service).await?;
        // 1.
        let (step, seconds) = ("token", HeaderValue::from_static("60"));
        let ttl = (HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds"), seconds);
        let token = HeaderValue::from_bytes(&ask(&mut imds, step, Method::PUT, TOKEN, ttl).await?);
        let token = token.map_err(|_| CredentialsError::Answer { step })?;
        let token = (HeaderName::from_static("x-aws-ec2-metadata-token"), token);
        // 2.
        let step = "role";
        let role = ask(&mut imds, step, Method::GET, ROLES, token.clone()).await?;
        let role = role_name(&role).ok_or(CredentialsError::Answer { step })?;
        // 3.
        let step = "credentials";
        let answer = ask(&mut imds, step, Method::GET, &format!("{ROLES}{role}"), token).await?;
        Self::parse(&answer).ok_or(CredentialsError::Answer { step })
    }

    fn parse(answer: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer<'a> {
            code: &'a str,
            access_key_id: &'a str,
            // Borrowed, so that no further copy stays behind.
            secret_access_key: &'a str,
            token: &'a str,
        }
        let answer: Answer<'_> = serde_json::from_slice(answer).ok()?;
        // They become parts of a header.
        let plain = |text: &str| (1..=4096).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        let id = answer.access_key_id;
        let is_id = (16..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (answer.code == "Success" && is_id && plain(answer.secret_access_key) && plain(answer.token)).then(|| Self {
            access_key_id: id.into(),
            secret: SecretText::join(&[answer.secret_access_key]),
            token: answer.token.into(),
        })
    }
}

/// The first line, a role's name: what may stand in a path.
fn role_name(answer: &[u8]) -> Option<&str> {
    let line = str::from_utf8(answer).ok()?.lines().next()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
    ((1..=64).contains(&line.len()) && line.bytes().all(plain)).then_some(line)
}

async fn ask(
    imds: &mut Connection,
    step: &'static str,
    method: Method,
    path: &str,
    header: (HeaderName, HeaderValue),
) -> Result<Bytes, CredentialsError> {
    let answer = imds.send(method, path, [header], Bytes::new()).await?;
    if answer.status != StatusCode::OK {
        return Err(CredentialsError::Refused { step, status: answer.status.as_u16() });
    }
    Ok(answer.body)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"Code":"Success","LastUpdated":"2026-01-01T00:00:00Z","Type":"AWS-HMAC",
        "AccessKeyId":"ASIAIOSFODNN7EXAMPLE","SecretAccessKey":"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "Token":"IQoJb3JpZ2luX2VjE+/=","Expiration":"2026-01-01T06:00:00Z"}"#;

    #[test]
    fn credentials_have_one_form() {
        let parsed = Credentials::parse(GOOD.as_bytes());
        assert!(parsed.is_some_and(|parsed| parsed.secret.expose().len() == 40 && parsed.token.ends_with("+/=")));
        for (from, to) in [
            ("Success", "Failed"),
            ("ASIAIOSFODNN7EXAMPLE", "ASIA/EXAMPLE/EXAMPLE"),
            ("ASIAIOSFODNN7EXAMPLE", "ASIA"),
            ("\"Token\"", "\"Other\""),
            ("+/=", "\\r\\nx: y"),
            ("IQoJb3JpZ2luX2VjE+/=", ""),
            ("\"Code\":\"Success\"", "\"Code\":\"Success\",\"Code\":\"Success\""),
        ] {
            assert!(Credentials::parse(GOOD.replace(from, to).as_bytes()).is_none(), "{to}");
        }
    }

    #[tokio::test]
    async fn a_metadata_service_that_does_not_end_its_answer_is_cut_off() {
        use crate::egress::AnswerBudget;
        use crate::egress::played::{Begins, Flood, HTTP};
        for (first, again) in HTTP {
            let flood = Flood::start(Begins::Asked, first, again);
            let refused = Credentials::of_instance(&flood.service).await.err();
            assert_eq!(refused, Some(CredentialsError::Egress(EgressError::TooLong)), "{}", first.escape_ascii());
            flood.assert_bounded(AnswerBudget::METADATA);
        }
    }

    #[test]
    fn a_role_is_a_name_and_no_path() {
        assert_eq!(role_name(b"adyton-enclave\nother\n"), Some("adyton-enclave"));
        for wrong in [&b""[..], b"\n", b"../user-data", b"a b", b"a?b", b"a%2e", b"\xFF", &[b'a'; 65]] {
            assert_eq!(role_name(wrong), None);
        }
    }
}
