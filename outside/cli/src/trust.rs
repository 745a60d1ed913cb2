//! Which vault a command speaks with, and what it must show before it is sent anything (`docs/spec/10-appraisal.md`).
//!
//! 1. the vault's id and the platform's root: from options, the environment, or the tenant's file. Two that differ are refused;
//! 2. the evidence is appraised by them and by what is demanded of code and policy. Requests and sealed values then go to the
//!    keys that the evidence names (`adyton-client`);
//! 3. or `--trust-operator CA`: no evidence. The operator, and anyone who gets a certificate of that CA, can impersonate the vault.
//!
//! Under AWS's root a demand on code is required: any enclave on AWS can claim any vault id.

use std::path::{Path, PathBuf};

use adyton_attest::{AppraisalPolicy, Freshness, Measurements, Pcr, REGISTERS, Refusal, Root};
use adyton_client::{Attestation, ClientError, Endpoint};
use adyton_ledger::VaultId;
use adyton_policy::quoted;
use adyton_seal::RecipientPublicKey;
use data_encoding::HEXLOWER;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::client::{Client, expect};
use crate::patience::Patience;

type Error = Box<dyn std::error::Error>;

/// Oldest document by default, in seconds.
const MAX_AGE: u64 = 60;

/// What to do about evidence that is signed under another root than AWS's, when none was named.
pub(crate) const ROOT_HINT: &str =
    "Without --root (ADYTON_ROOT) AWS's root counts; --root FILE names another: a laptop's vault has one of its own.";

/// What a vault's evidence must show, besides its id.
#[derive(clap::Args)]
pub(crate) struct Demands {
    /// PEM or DER of the root that signs evidence, in place of AWS's: a laptop's vault has one of its own
    #[arg(long, value_name = "FILE", env = "ADYTON_ROOT")]
    root: Option<PathBuf>,
    /// What a register must hold, as NUMBER=HEX; 0 to 4, 8 and 16; may be repeated
    #[arg(long = "pcr", value_name = "N=HEX", value_parser = register, value_delimiter = ',', env = "ADYTON_PCR")]
    pcrs: Vec<(u8, Pcr)>,
    /// The policy that must be in force: its file, or its SHA-256
    #[arg(long, value_name = "FILE|HASH")]
    policy: Option<String>,
    /// Demand that the log's freshness is certified by notaries
    #[arg(long)]
    certified: bool,
    /// An output that may carry a secret outward; may be repeated
    #[arg(long = "accept-reveal", value_name = "NAME")]
    reveals: Vec<String>,
    /// Oldest document, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = MAX_AGE)]
    max_age: u64,
}

impl Demands {
    /// The demands as the client checks them; `remembered` is the root that the tenant's file names, if there is a file.
    pub(crate) fn attestation(&self, vault_id: VaultId, remembered: Option<&Root>) -> Result<Attestation, Error> {
        let given = self.root()?.map(Root::explicit);
        // Both are public.
        let root = match (given, remembered) {
            (Some(given), Some(remembered)) if given != *remembered => {
                return Err(
                    "--root (ADYTON_ROOT) is not the root that the tenant's file names: leave it out, or name the \
                            file of the other vault's tenant"
                        .into(),
                );
            }
            (Some(root), _) => root,
            (None, Some(root)) => root.clone(),
            (None, None) => Root::aws(),
        };
        let mut policy = AppraisalPolicy::any_code(vault_id.0);
        if !self.pcrs.is_empty() {
            policy.measurements = Measurements::Registers(self.pcrs.clone());
        }
        policy.policy_hash = self.policy.as_deref().map(policy_hash).transpose()?;
        policy.freshness = if self.certified { Freshness::Certified } else { Freshness::None };
        policy.reveals.clone_from(&self.reveals);
        policy.max_age_ms = self.max_age.saturating_mul(1000);
        Ok(Attestation { root, policy })
    }

    /// Whether a root is named.
    pub(crate) fn names_a_root(&self) -> bool {
        self.root.is_some()
    }

    /// DER of the root, if one is named.
    pub(crate) fn root(&self) -> Result<Option<Vec<u8>>, Error> {
        self.root.as_ref().map(certificate).transpose()
    }

    /// The file of the policy that is demanded, if it is not named by its hash.
    pub(crate) fn policy_file(&self) -> Option<&Path> {
        self.policy.as_deref().filter(|policy| hash(policy).is_none()).map(Path::new)
    }

    /// Whether a policy is demanded by its hash.
    pub(crate) fn names_a_hash(&self) -> bool {
        self.policy.as_deref().and_then(hash).is_some()
    }

    /// Whether what is demanded says which code runs ([`adyton_attest::Appraised::code_is_known`]).
    fn name_code(&self) -> bool {
        let names = |number: u8| self.pcrs.iter().any(|(named, _)| *named == number);
        names(0) || (names(1) && names(2))
    }

    /// The demands that are given and that only evidence can meet. A root is not one: `ADYTON_ROOT` may stay exported.
    fn of_evidence(&self) -> Vec<&'static str> {
        let given = [
            (!self.pcrs.is_empty(), "--pcr (or ADYTON_PCR, which `unset ADYTON_PCR` removes)"),
            (self.certified, "--certified"),
            (!self.reveals.is_empty(), "--accept-reveal"),
            (self.max_age != MAX_AGE, "--max-age"),
        ];
        given.into_iter().filter(|(given, _)| *given).map(|(_, name)| name).collect()
    }
}

/// A vault, and what it must show.
#[derive(clap::Args)]
pub(crate) struct Target {
    /// The vault's API, such as `https://vault.example.com`
    #[arg(long, value_name = "URL", env = "ADYTON_API")]
    api: Endpoint,
    /// The vault's id, from where you trust it; a tenant's file has it
    #[arg(long, value_name = "ID", env = "ADYTON_VAULT_ID", alias = "vault")]
    vault_id: Option<VaultId>,
    #[command(flatten)]
    pub(crate) demands: Demands,
    /// One line of JSON instead of sentences
    #[arg(long)]
    pub(crate) json: bool,
}

/// A vault that shows evidence, or whose operator is trusted by name.
#[derive(clap::Args)]
pub(crate) struct Place {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Asks for no evidence: trusts every certificate that this CA issued. Its owner can impersonate the vault
    #[arg(long, value_name = "CA.pem")]
    trust_operator: Option<PathBuf>,
}

/// What a tenant's file says of its vault.
pub(crate) struct Remembered<'a> {
    pub(crate) file: &'a Path,
    pub(crate) vault_id: VaultId,
    /// The platform's root, if the file names one.
    pub(crate) root: Option<Root>,
}

/// A vault that was appraised, or whose operator is trusted.
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) vault_id: VaultId,
    /// What values are sealed to.
    pub(crate) key: RecipientPublicKey,
    /// SHA-256 of the policy in force.
    pub(crate) policy_hash: [u8; 32],
    /// Whether the code is one that was demanded.
    pub(crate) code_is_known: bool,
    /// The root that vouches for it; `None` if the operator is trusted.
    pub(crate) root: Option<Root>,
}

impl Target {
    fn vault_id(&self, remembered: Option<&Remembered<'_>>) -> Result<VaultId, Error> {
        match (self.vault_id, remembered) {
            (Some(given), Some(known)) if given != known.vault_id => {
                Err(format!("{}: of vault {}, and vault {given} was named", known.file.display(), known.vault_id)
                    .into())
            }
            (Some(id), _) => Ok(id),
            (None, Some(known)) => Ok(known.vault_id),
            (None, None) => {
                Err("--vault-id (ADYTON_VAULT_ID) is missing: the vault's id, from where you trust it".into())
            }
        }
    }

    /// Asks for evidence, and gives a connection to what convinced.
    pub(crate) async fn appraise(&self, remembered: Option<&Remembered<'_>>) -> Result<Connection, Error> {
        let vault_id = self.vault_id(remembered)?;
        let attestation = self.demands.attestation(vault_id, remembered.and_then(|known| known.root.as_ref()))?;
        let (root, is_aws) = (Some(attestation.root.clone()), attestation.root.is_aws());
        if attestation.root.is_aws() && !self.demands.name_code() {
            return Err(
                "under AWS's root any enclave can claim this vault's id: name the code that must run, with --pcr \
                        0=HEX (`adyton image measure IMAGE` prints it), or another root with --root"
                    .into(),
            );
        }
        let client = adyton_client::Client::attested(self.api.clone(), attestation);
        let patience = Patience::default();
        let seen = loop {
            let seen = client.appraise(|appraised| {
                appraised.map(|appraised| {
                    let bundle = appraised.bundle();
                    (RecipientPublicKey(bundle.hpke_key), bundle.policy_hash, appraised.code_is_known())
                })
            });
            match seen.await {
                Ok(seen) => break seen,
                Err(error) if patience.waits_for(&error).await => {}
                Err(error) => {
                    let aws = matches!(error, ClientError::Refused(Refusal::Root { .. })) && is_aws;
                    let hint = if aws { format!("\n{ROOT_HINT}") } else { String::new() };
                    return Err(format!("{}: {error}{hint}\nNothing was sent.", self.api).into());
                }
            }
        };
        let (key, policy_hash, code_is_known) = seen.ok_or("nothing was appraised")?;
        if !code_is_known {
            eprintln!("A platform vouches for this vault; which code it runs was not compared (--pcr).");
        }
        let client = Client::patient(client, patience);
        Ok(Connection { client, vault_id, key, policy_hash, code_is_known, root })
    }
}

impl Place {
    /// A connection to the vault: appraised, or of the operator who is trusted by name.
    pub(crate) async fn connect(&self, remembered: Option<&Remembered<'_>>) -> Result<Connection, Error> {
        let Some(ca) = &self.trust_operator else { return self.target.appraise(remembered).await };
        let useless = self.target.demands.of_evidence();
        if !useless.is_empty() {
            let useless = useless.join(", ");
            return Err(format!("--trust-operator asks for no evidence: leave out {useless}").into());
        }
        let vault_id = self.target.vault_id(remembered)?;
        let client = adyton_client::Client::trusting_the_operator(self.target.api.clone(), &certificate(ca)?)?;
        let client = Client::patient(client, Patience::default());
        let vault = vault(&client).await?;
        if vault.vault_id != vault_id.to_string() {
            let answers = quoted(&vault.vault_id);
            return Err(format!("vault {answers} answers there, not {vault_id}: nothing was sent").into());
        }
        let key = hash(&vault.hpke_key).map(RecipientPublicKey).ok_or("the vault's key is not one")?;
        let policy = hash(&vault.policy_hash).ok_or("the hash of the vault's policy is not one")?;
        if let Some(wanted) = &self.target.demands.policy
            && policy_hash(wanted)? != policy
        {
            return Err(format!("the vault there names another policy, {}: nothing was sent", vault.policy_hash).into());
        }
        Ok(Connection { client, vault_id, key, policy_hash: policy, code_is_known: false, root: None })
    }

    /// Whether answers are JSON.
    pub(crate) fn json(&self) -> bool {
        self.target.json
    }

    /// The root that is named, even where the operator is trusted.
    pub(crate) fn root(&self) -> Result<Option<Root>, Error> {
        Ok(self.target.demands.root()?.map(Root::explicit))
    }
}

/// What a vault says of itself. None of it is attested but over an attested connection.
pub(crate) async fn vault(client: &Client) -> Result<adyton_api::Vault, Error> {
    let answer = client.request("GET", "/adyton/v1/vault", &[], String::new()).await?;
    Ok(serde_json::from_slice(&expect(200, answer)?)?)
}

/// A certificate in PEM or DER.
pub(crate) fn certificate(file: &PathBuf) -> Result<Vec<u8>, Error> {
    let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let der = match CertificateDer::from_pem_slice(&bytes) {
        Ok(certificate) => certificate.to_vec(),
        Err(_) => bytes,
    };
    // Parsed, because a tenant's file keeps it: a key in DER is a sequence, too.
    match RootCertStore::empty().add(CertificateDer::from(&der[..])) {
        Ok(()) => Ok(der),
        Err(_) => Err(format!("{}: no certificate, neither PEM nor DER", file.display()).into()),
    }
}

fn hash(text: &str) -> Option<[u8; 32]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

fn policy_hash(text: &str) -> Result<[u8; 32], Error> {
    if let Some(hash) = hash(text) {
        return Ok(hash);
    }
    let bytes =
        std::fs::read(text).map_err(|error| format!("--policy {text}: neither a SHA-256 nor a file: {error}"))?;
    Ok(adyton_ledger::sha256(&bytes).0)
}

/// A register's number and value.
pub(crate) fn register(text: &str) -> Result<(u8, Pcr), String> {
    if text.is_empty() {
        return Err("it is empty: leave it out, or give NUMBER=HEX".into());
    }
    let (number, value) = text.split_once('=').ok_or("expected NUMBER=HEX")?;
    let number = number.parse().ok().filter(|number| REGISTERS.contains(number));
    let number = number.ok_or("a register that can be demanded is 0, 1, 2, 3, 4, 8 or 16")?;
    let value = HEXLOWER.decode(value.as_bytes()).ok().and_then(|value| <[u8; 48]>::try_from(value).ok());
    let value = value.ok_or("a register holds 48 bytes: 96 lower-case hexadecimal digits")?;
    Ok((number, Pcr::new(value).ok_or("a register of zeros is that of an enclave in debug mode")?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    fn demands(root: Option<PathBuf>) -> Demands {
        Demands { root, pcrs: Vec::new(), policy: None, certified: false, reveals: Vec::new(), max_age: MAX_AGE }
    }

    fn a_root() -> Vec<u8> {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn without_a_root_aws_counts_and_a_file_refuses_another_than_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let laptops = a_root();
        let file = folder.path().join("root.der");
        std::fs::write(&file, &laptops).unwrap();
        let id = VaultId([7; 32]);
        let root = |given: Option<&PathBuf>, remembered: Option<&Root>| {
            demands(given.cloned()).attestation(id, remembered).map(|demanded| demanded.root)
        };
        let laptops = Root::explicit(laptops);
        assert_eq!(root(None, None).unwrap(), Root::aws());
        assert_eq!(root(Some(&file), None).unwrap(), laptops);
        assert_eq!(root(None, Some(&laptops)).unwrap(), laptops);
        assert_eq!(root(Some(&file), Some(&laptops)).unwrap(), laptops);
        let refused = root(Some(&file), Some(&Root::aws())).unwrap_err().to_string();
        assert!(refused.starts_with("--root (ADYTON_ROOT) is not the root that the tenant's file names"), "{refused}");
        // A private key is no root, whatever form it has.
        let key = rcgen::KeyPair::generate().unwrap();
        for text in [key.serialize_der(), key.serialize_pem().into_bytes(), b"no certificate".to_vec()] {
            std::fs::write(&file, text).unwrap();
            let refused = certificate(&file).unwrap_err().to_string();
            assert!(refused.ends_with("no certificate, neither PEM nor DER"), "{refused}");
        }
    }

    #[test]
    fn demands_that_only_evidence_can_meet_are_named() {
        let none = demands(None);
        assert_eq!(none.of_evidence(), Vec::<&str>::new());
        let all = Demands { certified: true, reveals: vec!["x".into()], max_age: 5, ..none };
        assert_eq!(all.of_evidence(), ["--certified", "--accept-reveal", "--max-age"]);
    }
}
