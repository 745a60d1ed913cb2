//! Whether a key is one that can be kept to attested code, before it is used
//! (`docs/spec/12-custody-kms.md`).
//!
//! 1. `DescribeKey`: this very key, enabled, symmetric, for encryption, of the customer, in one
//!    region, its material made by AWS's own HSMs: an importer of key material knows it;
//! 2. `ListGrants`: there is none, for a grant allows beside the policy;
//! 3. `GetKeyPolicy`: the rule of [`KeyPolicy`].
//!
//! An answer that is cut short refuses.

use std::fmt;

use adyton_policy::{KeyPolicy, KeyPolicyError, Pins};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Why a key is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// A property is another one than it has to be.
    Property {
        /// Which.
        name: &'static str,
        /// What it has to be.
        expected: String,
        /// What it is, as far as that is plain.
        got: String,
    },
    /// It has grants.
    Grants {
        /// How many, or more.
        count: usize,
    },
    /// An answer does not have the expected form, or is cut short.
    Answer(&'static str),
    /// Its policy could release to others.
    Policy(KeyPolicyError),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Property { name, expected, got } => {
                write!(f, "the key cannot be used: {name}: expected {expected}, got {got}: make another key")
            }
            Self::Grants { count } => {
                write!(
                    f,
                    "the key has {count} grants, which allow beside its policy: revoke them with `aws kms revoke-grant`"
                )
            }
            Self::Answer(action) => write!(f, "the KMS's answer to {action} has another form, or is cut short"),
            Self::Policy(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for KeyError {}

impl From<KeyPolicyError> for KeyError {
    fn from(error: KeyPolicyError) -> Self {
        Self::Policy(error)
    }
}

/// 1.
pub(super) fn described(answer: &[u8], key: &str) -> Result<(), KeyError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        key_metadata: Metadata,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Metadata {
        arn: String,
        enabled: bool,
        key_state: String,
        key_spec: String,
        key_usage: String,
        origin: String,
        key_manager: String,
        multi_region: bool,
    }
    let answer: Answer = serde_json::from_slice(answer).map_err(|_| KeyError::Answer("DescribeKey"))?;
    let Metadata { arn, enabled, key_state, key_spec, key_usage, origin, key_manager, multi_region } =
        answer.key_metadata;
    for (name, got, expected) in [
        ("Arn", &arn[..], key),
        ("KeyState", &key_state, "Enabled"),
        ("Enabled", if enabled { "true" } else { "false" }, "true"),
        ("KeySpec", &key_spec, "SYMMETRIC_DEFAULT"),
        ("KeyUsage", &key_usage, "ENCRYPT_DECRYPT"),
        ("Origin", &origin, "AWS_KMS"),
        ("KeyManager", &key_manager, "CUSTOMER"),
        ("MultiRegion", if multi_region { "true" } else { "false" }, "false"),
    ] {
        if got != expected {
            let got = got.chars().filter(char::is_ascii_graphic).take(96).collect();
            return Err(KeyError::Property { name, expected: expected.into(), got });
        }
    }
    Ok(())
}

/// 2.
pub(super) fn no_grants(answer: &[u8]) -> Result<(), KeyError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        grants: Vec<IgnoredAny>,
        truncated: bool,
    }
    let answer: Answer = serde_json::from_slice(answer).map_err(|_| KeyError::Answer("ListGrants"))?;
    match (answer.grants.len(), answer.truncated) {
        (0, false) => Ok(()),
        (0, true) => Err(KeyError::Answer("ListGrants")),
        (count, _) => Err(KeyError::Grants { count }),
    }
}

/// 3.
pub(super) fn policy(answer: &[u8], pins: &Pins) -> Result<(), KeyError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        policy: String,
        policy_name: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(answer).map_err(|_| KeyError::Answer("GetKeyPolicy"))?;
    if answer.policy_name.is_some_and(|name| name != "default") {
        return Err(KeyError::Answer("GetKeyPolicy"));
    }
    Ok(KeyPolicy::check(&answer.policy, pins).map(drop)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/0f1e2d3c-0000-4000-8000-00112233aabb";

    fn metadata() -> String {
        format!(
            r#"{{"KeyMetadata":{{"AWSAccountId":"111122223333","Arn":"{KEY}","CreationDate":1.7e9,
            "CustomerMasterKeySpec":"SYMMETRIC_DEFAULT","Description":"","Enabled":true,
            "EncryptionAlgorithms":["SYMMETRIC_DEFAULT"],"KeyId":"0f1e2d3c","KeyManager":"CUSTOMER",
            "KeySpec":"SYMMETRIC_DEFAULT","KeyState":"Enabled","KeyUsage":"ENCRYPT_DECRYPT","MultiRegion":false,
            "Origin":"AWS_KMS"}}}}"#
        )
    }

    #[test]
    fn a_key_is_what_aws_made_for_one_region() {
        assert_eq!(described(metadata().as_bytes(), KEY), Ok(()));
        for (name, from, to, expected, got) in [
            ("Arn", "aabb\"", "aabc\"", KEY, &KEY.replace("aabb", "aabc")[..]),
            ("KeyState", "\"KeyState\":\"Enabled\"", "\"KeyState\":\"PendingDeletion\"", "Enabled", "PendingDeletion"),
            ("Enabled", "\"Enabled\":true", "\"Enabled\":false", "true", "false"),
            (
                "KeySpec",
                "\"KeySpec\":\"SYMMETRIC_DEFAULT\"",
                "\"KeySpec\":\"RSA_2048\"",
                "SYMMETRIC_DEFAULT",
                "RSA_2048",
            ),
            ("KeyUsage", "ENCRYPT_DECRYPT", "SIGN_VERIFY", "ENCRYPT_DECRYPT", "SIGN_VERIFY"),
            ("Origin", "AWS_KMS", "EXTERNAL", "AWS_KMS", "EXTERNAL"),
            ("KeyManager", "CUSTOMER\"", "AWS\"", "CUSTOMER", "AWS"),
            ("MultiRegion", "\"MultiRegion\":false", "\"MultiRegion\":true", "false", "true"),
        ] {
            let refusal = KeyError::Property { name, expected: expected.into(), got: got.into() };
            assert_eq!(described(metadata().replacen(from, to, 1).as_bytes(), KEY), Err(refusal));
        }
        for wrong in ["", "{}", &metadata().replace("\"Origin\"", "\"Other\""), &metadata().replace("false", "null")] {
            assert_eq!(described(wrong.as_bytes(), KEY), Err(KeyError::Answer("DescribeKey")));
        }
    }

    #[test]
    fn any_grant_refuses_and_so_does_a_list_that_is_cut_short() {
        assert_eq!(no_grants(br#"{"Grants":[],"Truncated":false}"#), Ok(()));
        let some = br#"{"Grants":[{"GrantId":"1"},{"GrantId":"2"}],"Truncated":true}"#;
        assert_eq!(no_grants(some), Err(KeyError::Grants { count: 2 }));
        for wrong in [&br#"{"Grants":[],"Truncated":true}"#[..], br#"{"Grants":[]}"#, br#"{"Truncated":false}"#, b"[]"]
        {
            assert_eq!(no_grants(wrong), Err(KeyError::Answer("ListGrants")));
        }
    }

    #[test]
    fn the_policy_is_the_default_one() {
        let pins = Pins::new(&[1; 48], &[2; 48]);
        for wrong in [&br#"{"Policy":"{}","PolicyName":"other"}"#[..], br#"{"PolicyName":"default"}"#, b""] {
            assert_eq!(policy(wrong, &pins), Err(KeyError::Answer("GetKeyPolicy")));
        }
        let empty = policy(br#"{"Policy":"{}","PolicyName":"default"}"#, &pins);
        assert_eq!(empty, Err(KeyError::Policy(KeyPolicyError::Version)));
    }
}
