//! Whether verified evidence is what somebody wants (`docs/spec/10-appraisal.md`; its numbers go on from
//! [`crate::nitro`]).
//!
//! 5. no debug mode;
//! 6. the bundle that came is the one that the document carries;
//! 7. the document was made for the nonce, and is of now;
//! 8. the vault is the one that is wanted;
//! 9. so are code and policy;
//! 10. custody, freshness and outputs are accepted.
//!
//! All that is compared here is public, so nothing is compared in constant time.

use crate::appraised::{Appraised, Compared};
use crate::refusal::sha256;
use crate::{Bundle, NonceProof, Refusal, Verified};

/// How far a document may be ahead of the clock of whoever looks, in milliseconds.
pub const CLOCKS_PART_MS: u64 = 60_000;
/// Registers whose values may be demanded: image, kernel, application, parent's role and instance, signer, policy.
pub const REGISTERS: [u8; 7] = [0, 1, 2, 3, 4, 8, 16];

/// What a register must hold. It is never all zeros: those are an enclave's in debug mode, which nobody can want.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pcr(Box<[u8; 48]>);

impl Pcr {
    /// `None` for zeros.
    pub fn new(value: [u8; 48]) -> Option<Self> {
        (value != [0; 48]).then(|| Self(Box::new(value)))
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8; 48] {
        &self.0
    }
}

/// Code and policy that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Its number.
    pub number: u64,
    /// Registers 0, 1 and 2.
    pub code: [Pcr; 3],
    /// SHA-256 of its policy.
    pub policy_hash: [u8; 32],
}

/// Which code is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measurements {
    /// Whatever runs. What the evidence then shows is *that* a platform vouches for it, not what it does; it is for looking at
    /// a vault, not for trusting it.
    AnyCode,
    /// Registers and what they must hold, one at least; others may hold anything.
    Registers(Vec<(u8, Pcr)>),
    /// One of these.
    Releases(Vec<Release>),
}

/// How much must be known of whether the log is the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Nothing: a host may show an old log, or run copies of the vault at once.
    None,
    /// Notaries certify it.
    Certified,
}

/// What evidence must show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppraisalPolicy {
    /// The vault.
    pub vault_id: [u8; 32],
    /// Its code.
    pub measurements: Measurements,
    /// SHA-256 of its policy; any if there is none here.
    pub policy_hash: Option<[u8; 32]>,
    /// SHA-256 of its bundle: this boot and no other.
    pub bundle_hash: Option<[u8; 32]>,
    /// Age of the oldest document, in milliseconds.
    pub max_age_ms: u64,
    /// Freshness of its log.
    pub freshness: Freshness,
    /// Outputs that may carry a secret outward.
    pub reveals: Vec<String>,
    /// Custody profiles, by number (`docs/spec/03-heads.md`); any if there are none here.
    pub profiles: Vec<u8>,
}

impl AppraisalPolicy {
    /// This vault, whatever code it runs, of the last minute, nothing revealed. Callers say what code they want.
    pub fn any_code(vault_id: [u8; 32]) -> Self {
        Self {
            vault_id,
            measurements: Measurements::AnyCode,
            policy_hash: None,
            bundle_hash: None,
            max_age_ms: 60_000,
            freshness: Freshness::None,
            reveals: Vec::new(),
            profiles: Vec::new(),
        }
    }
}

impl Verified {
    /// Judges a document and the bundle beside it. `nonce` is what the caller drew for it, `now_ms` his clock's Unix
    /// milliseconds.
    ///
    /// # Errors
    /// [`Refusal`], the first rule of steps 5 to 10 that is broken.
    pub fn appraise(
        self,
        bundle: &[u8],
        proof: &NonceProof,
        nonce: &[u8; 32],
        now_ms: u64,
        policy: &AppraisalPolicy,
    ) -> Result<Appraised, Refusal> {
        // Destructured so that a new demand is not forgotten.
        let AppraisalPolicy {
            vault_id,
            measurements,
            policy_hash,
            bundle_hash: wanted,
            max_age_ms,
            freshness,
            reveals,
            profiles,
        } = policy;
        // 5.
        if self.is_debug() {
            return Err(Refusal::DebugMode);
        }
        // 6.
        let bundle_hash = sha256(bundle);
        let got = self.user_data().unwrap_or_default();
        if got != bundle_hash {
            return Err(Refusal::BundleHash { expected: bundle_hash, got: got.to_vec() });
        }
        let bundle = Bundle::decode(bundle)?;
        // 7.
        let root = self.nonce().unwrap_or_default();
        let root = root.try_into().map_err(|_| Refusal::NonceLength(root.len()))?;
        proof.verify(nonce, root)?;
        let age = now_ms.saturating_sub(self.timestamp_ms());
        if age > *max_age_ms {
            return Err(Refusal::TooOld { limit: *max_age_ms, got: age });
        }
        let ahead = self.timestamp_ms().saturating_sub(now_ms);
        if ahead > CLOCKS_PART_MS {
            return Err(Refusal::FromTheFuture { limit: CLOCKS_PART_MS, got: ahead });
        }
        // 8.
        if bundle.vault_id != *vault_id {
            return Err(Refusal::VaultId { expected: *vault_id, got: bundle.vault_id });
        }
        if let Some(expected) = wanted.filter(|wanted| *wanted != bundle_hash) {
            return Err(Refusal::OtherBundle { expected, got: bundle_hash });
        }
        // 9.
        let code = self.code(measurements, &bundle)?;
        if let Some(expected) = policy_hash.filter(|wanted| *wanted != bundle.policy_hash) {
            return Err(Refusal::PolicyHash { expected, got: bundle.policy_hash });
        }
        // 10.
        if !profiles.is_empty() && !profiles.contains(&bundle.profile) {
            return Err(Refusal::Profile { expected: profiles.clone(), got: bundle.profile });
        }
        if *freshness == Freshness::Certified && bundle.notaries.keys.is_empty() {
            return Err(Refusal::Freshness);
        }
        if let Some(name) = bundle.reveals.iter().find(|name| !reveals.contains(name)) {
            return Err(Refusal::Reveal(name.clone()));
        }
        let policy = policy_hash.is_some() || matches!(code, Compared::Release(_));
        Ok(Appraised::new(self, bundle, bundle_hash, code, policy))
    }

    fn code(&self, measurements: &Measurements, bundle: &Bundle) -> Result<Compared, Refusal> {
        match measurements {
            Measurements::AnyCode => Ok(Compared::Nothing),
            // A list that demands nothing would pass any code without its having been asked for by name.
            Measurements::Registers(wanted) if wanted.is_empty() => Err(Refusal::NoRegister),
            Measurements::Registers(wanted) => {
                for (register, expected) in wanted {
                    let got = self.pcr(*register);
                    if got != Some(expected.bytes()) {
                        let (expected, got) = (Box::new(*expected.bytes()), got.map(|pcr| Box::new(*pcr)));
                        return Err(Refusal::Measurement { register: *register, expected, got });
                    }
                }
                Ok(Compared::Registers(wanted.iter().map(|(register, _)| *register).collect()))
            }
            Measurements::Releases(releases) => {
                let found = releases.iter().find(|release| {
                    let same = |(register, pcr): (u8, &Pcr)| self.pcr(register) == Some(pcr.bytes());
                    (0..).zip(&release.code).all(same)
                        && release.policy_hash == bundle.policy_hash
                        && release.number == bundle.release
                });
                let found = found.ok_or(Refusal::Release { wanted: releases.len(), got: bundle.release })?;
                Ok(Compared::Release(found.number))
            }
        }
    }
}
