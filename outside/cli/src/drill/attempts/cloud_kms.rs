//! A cloud's KMS and whoever has credentials for it (`docs/spec/12-custody-kms.md`).
//!
//! 1. the instance's credentials, which anybody on the host can have, and the administrator's: with the ciphertext and the
//!    context from the log they ask for the secret, and are refused. Each is shown to be good by what it may ask;
//! 2. the administrator loosens the key before a boot: by a statement, by a grant, to another image. The vault refuses to boot
//!    under a key that would release to others, and boots again under its own;
//! 3. the administrator puts a key policy for himself, while the vault runs: he has the secret, and with it the log. That is
//!    what the profile leaves open.
//!
//! What is not tried: a document of the platform over a key of the insider's. A laptop's platform makes one for anybody
//! (`other-code-vouched-for`), hardware's for an enclave alone.

use std::time::{Duration, Instant};

use data_encoding::{BASE64, HEXLOWER};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Attempt, kms};
use crate::drill::relay::locked;
use crate::drill::report::{ClosedBy, Expected, Finding};
use crate::drill::stack::{Stack, Unusual};
use crate::drill::{Drill, Error};
use crate::kms_admin::{present_policy, put_policy};
use crate::kms_client::{Caller, Refused};

/// The attempts.
pub(super) const ATTEMPTS: [Attempt; 3] = [
    Attempt {
        id: "cloud-kms-credentials",
        what: "Asks the KMS for the root key's secret with the instance's credentials and the administrator's",
        expected: Expected::Closed,
        run: |drill| Box::pin(credentials(drill)),
    },
    Attempt {
        id: "cloud-kms-loosened",
        what: "Loosens the KMS key before a boot: by a statement, by a grant, to another image",
        expected: Expected::Closed,
        run: |drill| Box::pin(loosened(drill)),
    },
    Attempt {
        id: "cloud-kms-administrator",
        what: "Puts a key policy for the administrator, and opens the log with what the KMS then gives",
        expected: Expected::Open { until: "standard: a quorum besides" },
        run: |drill| Box::pin(administrator(drill)),
    },
];

/// ARN of a vault's key.
fn key(stack: &Stack) -> Result<String, Error> {
    let policy = adyton_policy::Policy::parse(&std::fs::read(stack.folders.data.join("adyton.toml"))?)?;
    Ok(policy.custody.key().ok_or("the policy names no key")?.text().to_owned())
}

/// What asks for the secret of a vault's genesis.
fn request(stack: &Stack, key: &str) -> Value {
    let genesis = &stack.serving.genesis;
    json!({
        "KeyId": key, "CiphertextBlob": BASE64.encode(&genesis.kms_ciphertext),
        "EncryptionContext": { "adyton-genesis": HEXLOWER.encode(&genesis.nonce) },
    })
}

async fn credentials(drill: &mut Drill) -> Result<Finding, Error> {
    let key = key(&drill.stack)?;
    let decrypt = request(&drill.stack, &key);
    let mut without_key = decrypt.clone();
    without_key["KeyId"] = Value::Null;
    let generate = json!({ "KeyId": key, "NumberOfBytes": 32 });
    let grant = json!({ "KeyId": key, "GranteePrincipal": "*", "Operations": ["Decrypt"] });
    let mut refused = 0;
    for caller in [Caller::role(&drill.stack.ready).await?, Caller::administrator(&drill.stack.ready)?] {
        caller.call("DescribeKey", &json!({ "KeyId": key })).await?;
        let attempts =
            [("Decrypt", &decrypt), ("Decrypt", &without_key), ("GenerateDataKey", &generate), ("CreateGrant", &grant)];
        for (action, request) in attempts {
            match caller.call(action, request).await {
                Ok(_) => return Ok(Finding::leak(format!("the KMS carried out {action} without attestation"))),
                Err(error) => match error.downcast::<Refused>() {
                    Ok(refusal) if refusal.kind == "AccessDeniedException" => refused += 1,
                    Ok(refusal) => return Err(refusal),
                    Err(error) => return Err(error),
                },
            }
        }
    }
    Ok(Finding::closed(
        ClosedBy::KeyPolicy,
        format!("both may look at the key; {refused} requests for a secret were denied"),
    ))
}

fn add(policy: &mut Value, statement: Value) {
    if let Some(statements) = policy["Statement"].as_array_mut() {
        statements.push(statement);
    }
}

async fn loosened(drill: &mut Drill) -> Result<Finding, Error> {
    let mut stack = drill.another("loosened", Unusual::default()).await?;
    let finding = boot_under_each(&mut stack).await;
    stack.stop();
    finding
}

async fn boot_under_each(stack: &mut Stack) -> Result<Finding, Error> {
    let (key, administrator) = (key(stack)?, Caller::administrator(&stack.ready)?);
    let good = present_policy(&administrator, &key).await?;
    let with = |statement: Value| {
        let mut policy = good.clone();
        add(&mut policy, statement);
        policy
    };
    let allow = |action: &str| {
        with(json!({ "Effect": "Allow", "Principal": { "AWS": "*" }, "Action": action, "Resource": "*" }))
    };
    let mut another = good.clone();
    let condition = &mut another["Statement"][2]["Condition"]["StringEqualsIgnoreCase"];
    condition["kms:RecipientAttestation:ImageSha384"] = "ab".repeat(48).into();
    for (what, policy) in [("a statement", allow("kms:Decrypt")), ("another image", another)] {
        put_policy(&administrator, &key, &policy).await?;
        if !boot_is_refused(stack).await? {
            return Ok(Finding::leak(format!("the vault boots under a key that was loosened by {what}")));
        }
    }
    // A grant needs a policy that lets it be made, and stays when that is gone.
    put_policy(&administrator, &key, &allow("kms:CreateGrant")).await?;
    let grant = json!({ "KeyId": key, "GranteePrincipal": stack.ready["kms_role"], "Operations": ["Decrypt"] });
    let grant = administrator.call("CreateGrant", &grant).await?;
    put_policy(&administrator, &key, &good).await?;
    if !boot_is_refused(stack).await? {
        return Ok(Finding::leak("the vault boots under a key that has a grant"));
    }
    administrator.call("RevokeGrant", &json!({ "KeyId": key, "GrantId": grant["GrantId"] })).await?;
    stack.restart().await?;
    Ok(Finding::closed(
        ClosedBy::KeyPolicy,
        "a statement, another image and a grant each refuse the boot; under its own key policy the vault boots",
    ))
}

/// Starts the enclave again, and waits until it has ended or serves.
async fn boot_is_refused(stack: &mut Stack) -> Result<bool, Error> {
    let refusals = |stack: &Stack| {
        let said = locked(&stack.output);
        String::from_utf8_lossy(&said).matches("boot-refused").count()
    };
    let before = refusals(stack);
    stack.vault.enclave.end(Signal::KILL);
    stack.vault.start_enclave()?;
    let began = Instant::now();
    while !stack.vault.enclave.ended() {
        if stack.client().request("GET", "/health", &[], String::new()).await.is_ok() {
            return Ok(false);
        }
        if began.elapsed() > Duration::from_secs(20) {
            return Err("the enclave neither serves nor ends".into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    if refusals(stack) == before {
        return Err("the enclave ended, and not because its boot was refused".into());
    }
    Ok(true)
}

async fn administrator(drill: &mut Drill) -> Result<Finding, Error> {
    let (key, administrator) = (key(&drill.stack)?, Caller::administrator(&drill.stack.ready)?);
    let good = present_policy(&administrator, &key).await?;
    let mut own = good.clone();
    let himself = &drill.stack.ready["kms_administrator"]["arn"];
    let statement =
        json!({ "Effect": "Allow", "Principal": { "AWS": himself }, "Action": "kms:Decrypt", "Resource": "*" });
    add(&mut own, statement);
    put_policy(&administrator, &key, &own).await?;
    let answer = administrator.call("Decrypt", &request(&drill.stack, &key)).await;
    put_policy(&administrator, &key, &good).await?;
    let secret = answer?["Plaintext"].as_str().and_then(|text| BASE64.decode(text.as_bytes()).ok());
    kms::with_secret(drill, &secret.ok_or("the KMS gave no secret")?)
}
