//! Evidence that convinced: the token that pinning a key, sealing and releasing keys take as an argument.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

use crate::refusal::Hex;
use crate::{Bundle, Refusal, Verified, channel_message};

/// What of the code was compared with what the caller wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    Nothing,
    Registers(Vec<u8>),
    Release(u64),
}

/// A vault that has shown what it is. Made by [`Verified::appraise`] alone.
pub struct Appraised {
    verified: Verified,
    bundle: Bundle,
    bundle_hash: [u8; 32],
    code: Compared,
    policy: bool,
}

impl Appraised {
    pub(crate) fn new(verified: Verified, bundle: Bundle, bundle_hash: [u8; 32], code: Compared, policy: bool) -> Self {
        Self { verified, bundle, bundle_hash, code, policy }
    }

    /// Its identity: keys, policy, boot.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// SHA-256 of the bundle's bytes.
    pub fn bundle_hash(&self) -> &[u8; 32] {
        &self.bundle_hash
    }

    /// When the platform vouched for it, Unix milliseconds.
    pub fn timestamp_ms(&self) -> u64 {
        self.verified.timestamp_ms()
    }

    /// A register, if the document has it.
    pub fn pcr(&self, index: u8) -> Option<&[u8; 48]> {
        self.verified.pcr(index)
    }

    /// Checks that a TLS connection ends in this vault (`docs/spec/09-evidence.md`): `exporter` is the connection's, as this side
    /// computed it, `signature` what came over it.
    ///
    /// # Errors
    /// [`Refusal::ChannelBinding`].
    pub fn check_channel(&self, exporter: &[u8; 32], signature: &[u8]) -> Result<(), Refusal> {
        let key = UnparsedPublicKey::new(&ED25519, self.bundle.log_key);
        let message = channel_message(exporter, &self.bundle_hash);
        key.verify(&message, signature).map_err(|_| Refusal::ChannelBinding)
    }

    /// Whether what was compared says which code runs: register 0 is of the whole image, 1 and 2 of its parts. The others are
    /// of the parent, the signer and the policy, which other code can have too.
    pub fn code_is_known(&self) -> bool {
        match &self.code {
            Compared::Nothing => false,
            Compared::Release(_) => true,
            Compared::Registers(compared) => compared.contains(&0) || (compared.contains(&1) && compared.contains(&2)),
        }
    }

    /// In words for people: what was shown, by whom, and what was not.
    pub fn explain(&self) -> String {
        let mut out = String::new();
        let mut line = |text: &str| {
            out.push_str(text);
            out.push('\n');
        };
        line("Shown:");
        if self.verified.root().is_aws() {
            line("- AWS vouches, by its Nitro root, that this bundle of keys belongs to one running enclave.");
        } else {
            line(&format!(
                "- The root {} vouches for this bundle of keys. It is not AWS's: whoever holds its key can vouch for \
                 anything, and a laptop's lies in a folder.",
                Hex(&self.verified.root().fingerprint())
            ));
        }
        match &self.code {
            Compared::Release(number) => {
                line(&format!("- Code and policy are those of release {number}, as demanded."))
            }
            Compared::Registers(registers) => {
                let list = registers.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
                let (what, hold) = if registers.len() == 1 { ("Register", "holds") } else { ("Registers", "hold") };
                line(&format!("- {what} {list} {hold} what was demanded."));
            }
            Compared::Nothing => {}
        }
        let code = self.code_is_known();
        if self.policy && code {
            line("- The policy is the one that was demanded.");
        }
        line("- The evidence was made for this question, and is not a repeated one.");
        line("Not shown:");
        if !code {
            line(
                "- Which code runs: nothing was given to compare register 0, or 1 and 2, with (--pcr). Unknown code may give \
                 itself any vault id, policy and custody.",
            );
        }
        if self.policy && !code {
            line("- Which policy is in force: it names the one that was demanded, and is code that is not known.");
        }
        if !self.policy {
            line("- Which policy is in force: nothing was given to compare it with (--policy).");
        }
        match self.bundle.profile {
            1 => line("- Custody (profile dev): the root key lies in a folder of the machine that runs it."),
            2 => line("- Custody (profile kms): the administrator of the cloud's KMS can release the root key."),
            3 => line("- Custody (profile standard): KMS and custodians together can release the root key."),
            _ => line("- Custody (profile quorum): custodians together can release the root key."),
        }
        if self.bundle.notaries.keys.is_empty() {
            line(
                "- Freshness (none): its host can show it an old log, or run copies of it at once, each with limits of \
                 its own.",
            );
        } else {
            line(&format!(
                "- Freshness: {} of {} notaries certify its log; that many of them together could certify another.",
                self.bundle.notaries.quorum,
                self.bundle.notaries.keys.len()
            ));
        }
        for reveal in &self.bundle.reveals {
            line(&format!("- The output {reveal} carries a secret outward, which was accepted."));
        }
        line(
            "- That the platform's maker is honest and its hardware sound; that whoever delivers a code does not read it.",
        );
        out
    }
}
