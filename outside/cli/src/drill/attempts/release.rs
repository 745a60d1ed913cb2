//! To whom the KMS releases the secret under which the root key is wrapped (docs/spec/12-custody-kms.md).
//!
//! The host has every file of the vault, the credentials that the enclave is given, and may start any image in any mode. The
//! administrator of the KMS may write another key policy: that is what profile `kms` leaves open.

use std::path::Path;

use adyton_ledger::sha256;
use adyton_seal::{KmsRecipientKey, Secret};
use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use super::kms::open_with;
use super::lookalikes::OTHER_IMAGE;
use super::{Attempt, Drill, Error};
use crate::client::expect;
use crate::drill::relay::locked;
use crate::drill::report::{ClosedBy, Expected, Finding};
use crate::kms_admin::{Caller, attest, key_policy};
use crate::machine::{Machine, Plan};
use crate::processes::{Collected, Surroundings};

/// Longest wait for a machine that is to end by itself.
const PATIENCE: Duration = Duration::from_secs(40);

/// The attempts.
pub(super) const ATTEMPTS: [Attempt; 5] = [
    Attempt {
        id: "kms-asked-by-host",
        what: "Asks the KMS for the root key's secret with the enclave's credentials, and with evidence of its own and of other code",
        expected: Expected::Closed,
        run: |drill| Box::pin(asked_by_host(drill)),
    },
    Attempt {
        id: "changed-image",
        what: "Boots an image with one more byte over the vault's folder",
        expected: Expected::Closed,
        run: |drill| Box::pin(changed_image(drill)),
    },
    Attempt {
        id: "debug-mode",
        what: "Boots the approved image in debug mode, whose console the host reads",
        expected: Expected::Closed,
        run: |drill| Box::pin(debug_mode(drill)),
    },
    Attempt {
        id: "unsigned-platform",
        what: "Boots the approved image on a machine whose documents nobody signs",
        expected: Expected::Closed,
        run: |drill| Box::pin(unsigned(drill)),
    },
    Attempt {
        id: "kms-administrator",
        what: "Writes another key policy, as the KMS's administrator can, and opens the log with what the KMS then gives",
        expected: Expected::Open {
            until: "kms+quorum: a quorum besides, without which the KMS's secret opens nothing",
        },
        run: |drill| Box::pin(administrator(drill)),
    },
];

/// What asks for the secret of this vault's genesis, as the enclave does.
fn asking(drill: &Drill) -> Result<Value, Error> {
    let genesis = &drill.stack.serving.genesis;
    Ok(json!({
        "KeyId": key_of(drill)?,
        "CiphertextBlob": BASE64.encode(&genesis.kms_ciphertext),
        "EncryptionContext": { "adyton-genesis": HEXLOWER.encode(&genesis.nonce) },
    }))
}

fn key_of(drill: &Drill) -> Result<String, Error> {
    let policy = std::fs::read(drill.stack.folders.data.join("adyton.toml"))?;
    let key = adyton_policy::Policy::parse(&policy)?.custody.key;
    Ok(key.ok_or("the policy names no key")?)
}

async fn asked_by_host(drill: &mut Drill) -> Result<Finding, Error> {
    let role = Caller::role(&drill.stack.ready).await?;
    let (plain, mut with_evidence) = (asking(drill)?, asking(drill)?);
    let path = format!("/.well-known/adyton/evidence?nonce={}", "00".repeat(32));
    let body = expect(200, drill.stack.client().request("GET", &path, &[], String::new()).await?)?;
    let evidence: adyton_api::Evidence = serde_json::from_slice(&body)?;
    with_evidence["Recipient"] =
        json!({ "AttestationDocument": evidence.document, "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256" });
    // Other code on the same platform, which signs for it: this machine's process, with a key of the host's own.
    let mut others = asking(drill)?;
    let (own, nsm) = (KmsRecipientKey::generate()?, drill.stack.ready["nsm"].as_str().ok_or("no NSM")?);
    let document = attest(nsm.as_ref(), Some(own.spki_der())).await?;
    others["Recipient"] = with_evidence["Recipient"].clone();
    others["Recipient"]["AttestationDocument"] = BASE64.encode(&document).into();
    let mut generate = json!({ "KeyId": key_of(drill)?, "NumberOfBytes": 32 });
    generate["Recipient"] = others["Recipient"].clone();
    let mut said = Vec::new();
    let requests = [
        ("Decrypt", &plain),
        ("Decrypt with the vault's evidence", &with_evidence),
        ("Decrypt with other code's evidence", &others),
        ("GenerateDataKey with other code's evidence", &generate),
    ];
    for (what, request) in requests {
        let action = what.split(' ').next().unwrap_or_default();
        match role.call(action, request).await {
            Ok(answer) => {
                return Ok(Finding::leak(format!("the KMS gave {} bytes to {what}", answer.to_string().len())));
            }
            Err(error) => said.push(refusal(&error.to_string())?),
        }
    }
    Ok(Finding::closed(
        ClosedBy::KeyPolicy,
        format!("Decrypt, Decrypt with evidence, GenerateDataKey: {}", said.join(", ")),
    ))
}

/// The kind of the KMS's refusal: anything else, such as a signature that is wrong, would say nothing.
fn refusal(error: &str) -> Result<&'static str, Error> {
    let known = ["AccessDeniedException", "ValidationException"];
    let found = known.into_iter().find(|kind| error.contains(kind));
    found.ok_or_else(|| format!("the KMS refused for another reason: {error}").into())
}

/// A machine over copies of what the host has of the vault under attack; gives what it said until it ended.
async fn boot(
    drill: &Drill,
    name: &str,
    change: impl FnOnce(&mut Plan, &Path) -> Result<(), Error>,
) -> Result<String, Error> {
    let parts = drill.site.parts.as_ref().ok_or("there is no machine in this setting")?;
    let folder = drill.scratch.join(name);
    adyton_folder::make(&folder)?;
    let mut plan = crate::emulated::plan(parts, &folder, &drill.stack.ready)?;
    let (image, _) = parts.image(&drill.stack.folders.data)?;
    let ours = folder.join("adyton.eif");
    std::fs::rename(image, &ours)?;
    change(&mut plan, &ours)?;
    // The vault's own host serves it.
    drill.site.relays.unix(&plan.service(), drill.stack.vault.service(), None)?;
    let output = Collected::default();
    let surroundings = Surroundings { output: Some(output.clone()), ..Surroundings::default() };
    let mut machine = Machine::start(&plan, &ours, &surroundings)?;
    let began = Instant::now();
    while !machine.qemu.ended() && began.elapsed() < PATIENCE {
        sleep(Duration::from_millis(50)).await;
    }
    let ended = machine.qemu.ended();
    machine.stop();
    let said = String::from_utf8_lossy(&locked(&output)).into_owned();
    let last = said.lines().rfind(|line| line.starts_with("adyton-enclave: ")).unwrap_or_default().trim().to_owned();
    if ended { Ok(last) } else { Err(format!("the machine runs on; it last said: {last}").into()) }
}

/// CLOSED if the machine ended with these words.
fn ended_by(by: ClosedBy, said: &str, expected: &str) -> Finding {
    if said.contains(expected) {
        Finding::closed(by, said.trim_start_matches("adyton-enclave: "))
    } else {
        Finding::failed(format!("expected `{expected}`, and the image said `{said}`"))
    }
}

async fn changed_image(drill: &mut Drill) -> Result<Finding, Error> {
    let data = drill.stack.folders.data.clone();
    let parts = drill.site.parts.clone().ok_or("there is no machine in this setting")?;
    let said = boot(drill, "changed", |_, image| Ok(std::fs::write(image, parts.changed_image(&data)?)?)).await?;
    Ok(ended_by(ClosedBy::KeyPolicy, &said, OTHER_IMAGE))
}

async fn debug_mode(drill: &mut Drill) -> Result<Finding, Error> {
    let said = boot(drill, "debug", |plan, _| {
        plan.debug_mode = true;
        Ok(())
    });
    Ok(ended_by(ClosedBy::Image, &said.await?, "debug mode"))
}

async fn unsigned(drill: &mut Drill) -> Result<Finding, Error> {
    let said = boot(drill, "unsigned", |plan, _| {
        plan.signer = None;
        Ok(())
    });
    Ok(ended_by(ClosedBy::Image, &said.await?, "clock: the NSM refused or answered something else"))
}

async fn administrator(drill: &mut Drill) -> Result<Finding, Error> {
    let pretend = &drill.stack.ready;
    let (administrator, key) = (Caller::administrator(pretend)?, key_of(drill)?);
    let before = administrator.call("GetKeyPolicy", &json!({ "KeyId": key })).await?;
    let before: Value = serde_json::from_str(before["Policy"].as_str().unwrap_or_default())?;
    let arn = |name: &str| pretend[name].as_str().or(pretend["kms_administrator"]["arn"].as_str());
    let (role, own) =
        (arn("kms_role").ok_or("no role")?, pretend["kms_administrator"]["arn"].as_str().ok_or("no ARN")?);
    let mut loosened = key_policy(own, role, &[0; 48], &[0; 48]);
    let release = loosened["Statement"].as_array_mut().and_then(|all| all.last_mut()).ok_or("no statement")?;
    release["Principal"]["AWS"] = own.into();
    release.as_object_mut().ok_or("no statement")?.remove("Condition");
    administrator.put_key_policy(&key, &loosened).await?;
    let given = administrator.call("Decrypt", &asking(drill)?).await;
    // Whatever came of it, the vault can boot again.
    administrator.put_key_policy(&key, &before).await?;
    let secret = given?["Plaintext"].as_str().and_then(|text| BASE64.decode(text.as_bytes()).ok());
    let secret = secret.ok_or("the KMS gave no plaintext")?;
    let how =
        format!("the KMS gave the secret (SHA-256 {}…), which gave the root key", &sha256(&secret).to_string()[..8]);
    open_with(drill, &Secret::try_from(&secret[..])?, &how)
}
