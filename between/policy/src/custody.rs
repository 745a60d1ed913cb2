//! `[custody]`: who releases the root key, by profile.
//!
//! 1. `dev`: host, port and one certificate; nothing else belongs there;
//! 2. `kms`: besides those an AWS KMS key by its full ARN, and where credentials come from. Trust may be of any form. Under
//!    public roots the host has to be AWS's, in the key's region: else whoever owns that name would be the KMS.
//!
//! An alias can be pointed at another key, and a multi-Region key has replicas with policies of their own, so neither is a
//! key that a policy can fix.

use serde::Deserialize;

use crate::parse::{certificate, peer, range};
use crate::{Policy, PolicyError, ProfileName, Trust};

/// `[custody]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Custody {
    /// DNS name; never an address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// What its certificate must be: PEM of its CA; in `kms` also `public-roots`, `spki-sha256:HEX` or `ca-sha256:HEX`.
    pub trust: String,
    /// `kms`: ARN of the key.
    pub key: Option<String>,
    /// `kms`: where the credentials come from with which the KMS is asked.
    pub credentials: Option<CredentialSource>,
}

/// Where credentials for the KMS come from. They are relayed by the host and worth nothing without attestation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialSource {
    /// The role of the instance, by its metadata service (IMDSv2).
    InstanceRole,
}

/// The full ARN of a KMS key of one region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyArn {
    text: String,
    region: String,
}

impl KeyArn {
    /// Parses `arn:PARTITION:kms:REGION:ACCOUNT:key/UUID` in its one spelling; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let [arn, partition, kms, region, account, resource] = parts[..] else { return None };
        let id = resource.strip_prefix("key/")?;
        let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        let groups: Vec<&str> = id.split('-').collect();
        let is_uuid = groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.into_iter().all(hex);
        let in_region = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_region = (1..=32).contains(&region.len()) && region.bytes().all(in_region);
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        let known = arn == "arn" && ["aws", "aws-cn", "aws-us-gov"].contains(&partition) && kms == "kms";
        (known && is_region && is_account && is_uuid).then(|| Self { text: text.into(), region: region.into() })
    }

    /// The ARN.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.region
    }
}

impl Custody {
    /// The key; a policy of profile `kms` has one.
    pub fn key(&self) -> Option<KeyArn> {
        self.key.as_deref().and_then(KeyArn::parse)
    }
}

/// Whether a name is that of AWS's KMS in the key's region, or of an endpoint for it in somebody's network. Other names of AWS's in
/// the region are its customers', an API's for instance.
fn is_kms_of_aws(host: &str, key: &KeyArn) -> bool {
    let (region, china) = (key.region(), key.text().starts_with("arn:aws-cn:"));
    let suffix = if china { "amazonaws.com.cn" } else { "amazonaws.com" };
    let public = ["kms", "kms-fips"].iter().any(|service| host == format!("{service}.{region}.{suffix}"));
    let dual = !china && host == format!("kms.{region}.api.aws");
    let private = host.strip_suffix(&format!(".kms.{region}.vpce.{suffix}"));
    public || dual || private.is_some_and(|label| label.starts_with("vpce-") && !label.contains('.'))
}

impl Policy {
    pub(crate) fn check_custody(&self) -> Result<(), PolicyError> {
        peer("custody.host", &self.custody.host)?;
        range("custody.port", self.custody.port > 0, "1 to 65535")?;
        match self.profile {
            ProfileName::Dev => self.custody.check_dev(),
            ProfileName::Kms => self.custody.check_kms(),
        }
    }
}

impl Custody {
    /// 1.
    fn check_dev(&self) -> Result<(), PolicyError> {
        certificate(&self.trust).ok_or_else(|| PolicyError::Certificate("custody.trust".into()))?;
        for (name, given) in [("key", self.key.is_some()), ("credentials", self.credentials.is_some())] {
            if given {
                return Err(missing(name, "profile dev has no such key"));
            }
        }
        Ok(())
    }

    /// 2.
    fn check_kms(&self) -> Result<(), PolicyError> {
        let trust = Trust::parse(&self.trust);
        let expected = "a certificate in PEM, public-roots, spki-sha256:HEX or ca-sha256:HEX";
        range("custody.trust", trust.is_some(), expected)?;
        if self.key.is_none() {
            return Err(missing("key", "profile kms needs the key's ARN"));
        }
        let key = self.key();
        let expected = "the key's full ARN, arn:aws:kms:REGION:ACCOUNT:key/UUID: no alias, no multi-Region key";
        range("custody.key", key.is_some(), expected)?;
        let is_aws = key.is_some_and(|key| is_kms_of_aws(&self.host, &key));
        let expected = "under public roots the name of AWS's KMS in the key's region, kms.REGION.amazonaws.com";
        range("custody.host", trust != Some(Trust::PublicRoots) || is_aws, expected)?;
        self.credentials.map(drop).ok_or_else(|| missing("credentials", "profile kms needs credentials: instance-role"))
    }
}

fn missing(name: &str, why: &'static str) -> PolicyError {
    PolicyError::Missing { key: format!("custody.{name}"), why }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;
    use crate::parse::tests::{kms, text};
    use crate::{Direction, SuccessionError, diff};

    const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/0f1e2d3c-0000-4000-8000-00112233aabb";

    fn refused(text: &str, from: &str, to: &str) -> String {
        Policy::parse(changed(text, from, to).as_bytes()).unwrap_err().to_string()
    }

    /// A text with something else in its custody, or after it: other tables have ports and trust, too.
    fn changed(text: &str, from: &str, to: &str) -> String {
        let (before, custody) = text.split_at(text.find("[custody]").unwrap());
        assert!(custody.contains(from), "{from}");
        format!("{before}{}", custody.replacen(from, to, 1))
    }

    #[test]
    fn a_key_has_one_spelling() {
        let key = KeyArn::parse(KEY).unwrap();
        assert_eq!((key.text(), key.region()), (KEY, "eu-central-1"));
        for partition in ["aws-cn", "aws-us-gov"] {
            assert!(KeyArn::parse(&KEY.replace("arn:aws:", &format!("arn:{partition}:"))).is_some());
        }
        for (from, to) in [
            ("key/0f1e2d3c-", "key/mrk-"),
            ("key/0f1e2d3c-0000-4000-8000-00112233aabb", "key/mrk-0f1e2d3c00004000800000112233aabb"),
            ("key/0f1e2d3c-0000-4000-8000-00112233aabb", "alias/adyton"),
            ("aabb", "AABB"),
            ("aabb", "aabbc"),
            ("0000-4000", "000-04000"),
            ("arn:aws:", "arn:aws-iso:"),
            (":kms:", ":s3:"),
            ("eu-central-1", ""),
            ("eu-central-1", "EU"),
            ("111122223333", "11112222333"),
            ("arn:aws:kms:eu-central-1:111122223333:key/", ""),
            ("aabb", "aabb:x"),
            ("arn:", " arn:"),
        ] {
            let changed = KEY.replacen(from, to, 1);
            assert_eq!(KeyArn::parse(&changed), None, "{changed}");
        }
    }

    #[test]
    fn the_example_of_small_is_a_policy() {
        let policy = Policy::parse(kms().as_bytes()).unwrap();
        assert_eq!(policy.profile, ProfileName::Kms);
        assert_eq!(policy.custody.key().unwrap().text(), KEY);
        assert_eq!(policy.custody.credentials, Some(CredentialSource::InstanceRole));
        for host in ["kms.eu-central-1.api.aws", "vpce-1-x.kms.eu-central-1.vpce.amazonaws.com"] {
            assert!(Policy::parse(kms().replace("kms.eu-central-1.amazonaws.com", host).as_bytes()).is_ok(), "{host}");
        }
        // Whose certificate is pinned may have any name.
        let pinned = changed(&kms(), "\"public-roots\"", &format!("\"ca-sha256:{}\"", "ab".repeat(32)));
        assert!(Policy::parse(pinned.replace("kms.eu-central-1.amazonaws.com", "kms.example").as_bytes()).is_ok());
    }

    #[test]
    fn what_small_refuses() {
        let region = "the policy: custody.host: expected under public roots the name of AWS's KMS in the key's region, \
                      kms.REGION.amazonaws.com";
        let arn = "the policy: custody.key: expected the key's full ARN, arn:aws:kms:REGION:ACCOUNT:key/UUID: no alias, no \
                   multi-Region key";
        for (from, to, expected) in [
            ("kms.eu-central-1.amazonaws.com", "kms.eu-west-1.amazonaws.com", region),
            ("kms.eu-central-1.amazonaws.com", "kms.eu-central-1.amazonaws.com.example", region),
            ("kms.eu-central-1.amazonaws.com", "eu-central-1.evilamazonaws.com", region),
            // Anybody's code answers at such a name, with a certificate of AWS's.
            ("kms.eu-central-1.amazonaws.com", "abc123.execute-api.eu-central-1.amazonaws.com", region),
            ("kms.eu-central-1.amazonaws.com", "kms.eu-central-1.amazonaws.com.cn", region),
            (KEY, "arn:aws:kms:eu-central-1:111122223333:alias/adyton", arn),
            (&format!("key = \"{KEY}\"\n"), "", "the policy: custody.key: profile kms needs the key's ARN"),
            (
                "credentials = \"instance-role\"\n",
                "",
                "the policy: custody.credentials: profile kms needs credentials: instance-role",
            ),
            (
                "credentials = ",
                "credential = ",
                "the policy: custody.credential: unknown key; did you mean credentials?",
            ),
            ("key = ", "keys = ", "the policy: custody.keys: unknown key; did you mean key?"),
            ("port = 443", "port = 0", "the policy: custody.port: expected 1 to 65535"),
            (
                "host = \"kms.eu-central-1.amazonaws.com\"",
                "host = \"169.254.169.254\"",
                "the policy: custody.host: a DNS name is needed, without a dot at its end, and neither an address nor localhost",
            ),
            (
                "\"public-roots\"",
                "\"\"",
                "the policy: custody.trust: expected a certificate in PEM, public-roots, spki-sha256:HEX or ca-sha256:HEX",
            ),
        ] {
            assert_eq!(refused(&kms(), from, to), expected);
        }
        assert!(refused(&kms(), "instance-role", "environment").contains("unknown variant `environment`"));
    }

    #[test]
    fn dev_has_no_key_of_a_cloud() {
        let add = |line: &str| refused(&text(), "[custody]\n", &format!("[custody]\n{line}\n"));
        assert_eq!(add(&format!("key = \"{KEY}\"")), "the policy: custody.key: profile dev has no such key");
        assert_eq!(
            add("credentials = \"instance-role\""),
            "the policy: custody.credentials: profile dev has no such key"
        );
    }

    #[test]
    fn another_key_is_said() {
        let old = Policy::parse(kms().as_bytes()).unwrap();
        let new = Policy::parse(kms().replace("aabb\"", "aabc\"").as_bytes()).unwrap();
        let said: Vec<_> = diff(&old, &new).into_iter().map(|change| (change.direction, change.words)).collect();
        assert_eq!(said, [(Direction::Changes, SuccessionError::CustodyKey.to_string())]);
    }
}
