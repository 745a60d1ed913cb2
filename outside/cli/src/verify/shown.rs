//! What `adyton verify` prints of an appraisal.

use adyton_attest::{Appraised, Bundle, REGISTERS};
use adyton_client::Endpoint;
use adyton_ledger::{LogId, VaultId, origin, verifier_key};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use super::verified;

/// What a person is shown of an appraisal.
pub(super) struct Shown {
    /// Whether the code is one that was demanded. If not, the facts are that code's own claims.
    pub(super) code_is_known: bool,
    facts: Vec<(&'static str, String)>,
    words: String,
}

impl Shown {
    pub(super) fn of(appraised: &Appraised) -> Self {
        // Destructured so that a new field is not forgotten.
        let Bundle {
            vault_id,
            release,
            policy_hash,
            boot_id,
            profile,
            tls_key,
            hpke_key,
            log_key,
            ca_key,
            notaries,
            reveals,
        } = appraised.bundle();
        let profile = adyton_ledger::Profile::from_number(*profile).map_or("unknown", |profile| profile.text());
        let freshness = match notaries.keys.len() {
            0 => "none".to_owned(),
            count => format!("{} of {count} notaries", notaries.quorum),
        };
        let mut facts = vec![
            ("vault_id", HEXLOWER.encode(vault_id)),
            ("release", release.to_string()),
            ("policy_sha256", HEXLOWER.encode(policy_hash)),
            ("profile", profile.to_owned()),
            ("freshness", freshness),
            ("reveals", reveals.join(" ")),
            ("boot_id", HEXLOWER.encode(boot_id)),
            ("tls_key_sha256", HEXLOWER.encode(tls_key)),
            ("hpke_key", HEXLOWER.encode(hpke_key)),
            ("log_key", HEXLOWER.encode(log_key)),
            ("gov_vkey", verifier_key(&origin(&VaultId(*vault_id), LogId::GOV), log_key)),
            ("ca_key_sha256", HEXLOWER.encode(ca_key)),
        ];
        let names = ["pcr0", "pcr1", "pcr2", "pcr3", "pcr4", "pcr8", "pcr16"];
        for (name, number) in names.into_iter().zip(REGISTERS) {
            if let Some(pcr) = appraised.pcr(number) {
                facts.push((name, HEXLOWER.encode(pcr)));
            }
        }
        Self { code_is_known: appraised.code_is_known(), facts, words: appraised.explain() }
    }

    pub(super) fn print(&self, url: &Endpoint, json: bool) {
        if json {
            let facts: serde_json::Map<_, Value> =
                self.facts.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            println!(
                "{}",
                json!({
                    "url": url.to_string(), "verified": verified(self.code_is_known), "code_is_known": self.code_is_known, "facts": facts,
                    "explained": self.words,
                })
            );
            return;
        }
        if self.code_is_known {
            println!("{url} shows what it is.\n");
        } else {
            println!(
                "Identity only: a platform vouches for {url}; which code it runs was not compared (--pcr). It says of itself:\n"
            );
        }
        for (name, value) in &self.facts {
            println!("  {name:15} {value}");
        }
        println!("\n{}", self.words);
    }

    /// Names and both values of what differs.
    pub(super) fn differences<'a>(&'a self, other: &'a Self) -> Vec<(&'static str, &'a str, &'a str)> {
        let value = |shown: &'a Self, name: &str| {
            shown.facts.iter().find(|(known, _)| *known == name).map_or("absent", |(_, value)| &value[..])
        };
        let mut names: Vec<_> = self.facts.iter().chain(&other.facts).map(|(name, _)| *name).collect();
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| seen.insert(*name));
        let both = names.into_iter().map(|name| (name, value(self, name), value(other, name)));
        both.filter(|(_, ours, theirs)| ours != theirs).collect()
    }
}
