//! The administrator of an AWS KMS key, as profile `small` needs one (`docs/spec/12-custody-kms.md`).
//!
//! 1. the key policy that releases to one enclave under one policy, for `aws kms put-key-policy`, and whether a vault takes one;
//! 2. on a laptop, where `up` plays the administrator: a key of the pretend KMS is made before the policy names it, and once the
//!    policy is written and can be measured, its key policy is put. A key that has one keeps it: what runs later is not approved
//!    by being started.
//!
//! What it is not: a client of AWS. On AWS an administrator uses AWS's own tools.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use adyton_attest::{OwnDocument, Pcr};
use adyton_policy::{KeyPolicy, Pins, Policy, ProfileName};
use clap::Subcommand;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::kms_client::Caller;
use crate::verify::register;

type Error = Box<dyn std::error::Error>;

/// What an administrator of a KMS needs.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Prints the key policy by which an AWS KMS key releases to one enclave under one policy, and to nothing else.
    KeyPolicy {
        /// Registers of the enclave, 0 and 16, as NUMBER=HEX
        #[arg(long = "pcr", value_name = "N=HEX", value_parser = register, required = true)]
        pcrs: Vec<(u8, Pcr)>,
        /// ARN of the role of the enclave's instance
        #[arg(long, value_name = "ARN")]
        role: String,
        /// ARN of whom the key is to be administered by; he can release the root key to himself, by another key policy
        #[arg(long, value_name = "ARN")]
        administrator: String,
    },
    /// Holds a key policy to what a vault demands of it, before it is put.
    Check {
        /// The key policy, JSON
        file: PathBuf,
        /// Registers of the enclave, 0 and 16, as NUMBER=HEX
        #[arg(long = "pcr", value_name = "N=HEX", value_parser = register, required = true)]
        pcrs: Vec<(u8, Pcr)>,
        /// One line of JSON instead of sentences
        #[arg(long)]
        json: bool,
    },
}

/// Carries out a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Error> {
    match command {
        Command::KeyPolicy { pcrs, role, administrator } => {
            let (image, policy) = (find(pcrs, 0)?, find(pcrs, 16)?);
            println!("{:#}", key_policy(administrator, role, image, policy));
            Ok(ExitCode::SUCCESS)
        }
        Command::Check { file, pcrs, json } => check(file, &Pins::new(find(pcrs, 0)?, find(pcrs, 16)?), *json),
    }
}

fn find(pcrs: &[(u8, Pcr)], number: u8) -> Result<&[u8; 48], Error> {
    let found = pcrs.iter().find(|(known, _)| *known == number).map(|(_, pcr)| pcr.bytes());
    Ok(found.ok_or_else(|| format!("--pcr {number}=HEX is missing: registers 0 and 16 are both pinned"))?)
}

fn check(file: &Path, pins: &Pins, as_json: bool) -> Result<ExitCode, Error> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    match KeyPolicy::check(&text, pins) {
        Ok(KeyPolicy { changeable }) if as_json => println!("{}", json!({ "ok": true, "changeable": changeable })),
        Ok(KeyPolicy { changeable: true }) => println!(
            "{}: it releases to this enclave under this policy alone. Whoever may put another one can release to himself.",
            file.display()
        ),
        Ok(KeyPolicy { changeable: false }) => println!(
            "{}: it releases to this enclave under this policy alone, and nobody may put another one: no later release of the \
             vault will get the key.",
            file.display()
        ),
        Err(error) if as_json => {
            println!("{}", json!({ "ok": false, "error": error.to_string() }));
            return Ok(ExitCode::FAILURE);
        }
        Err(error) => return Err(format!("{}: {error}", file.display()).into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// 1.
pub(crate) fn key_policy(administrator: &str, role: &str, image: &[u8; 48], policy: &[u8; 48]) -> Value {
    let allow = |sid: &str, principal: &str, actions: &[&str]| json!({ "Sid": sid, "Effect": "Allow", "Principal": { "AWS": principal }, "Action": actions, "Resource": "*" });
    let administers = [
        "kms:DescribeKey",
        "kms:GetKeyPolicy",
        "kms:PutKeyPolicy",
        "kms:ListGrants",
        "kms:RevokeGrant",
        "kms:EnableKey",
        "kms:DisableKey",
        "kms:ScheduleKeyDeletion",
        "kms:CancelKeyDeletion",
    ];
    let mut release = allow("Release", role, &["kms:Decrypt", "kms:GenerateDataKey"]);
    release["Condition"] = json!({ "StringEqualsIgnoreCase": {
        "kms:RecipientAttestation:ImageSha384": HEXLOWER.encode(image),
        "kms:RecipientAttestation:PCR16": HEXLOWER.encode(policy),
    } });
    json!({
        "Version": "2012-10-17",
        "Id": "adyton",
        "Statement": [
            allow("Administer", administrator, &administers),
            allow("Look", role, &["kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListGrants"]),
            release,
        ],
    })
}

/// 2. Makes a key of the pretend KMS, and gives what a policy says of it, as `KEY=VALUE`.
pub(crate) async fn new_key(pretend: &Value) -> Result<Vec<String>, Error> {
    let made = Caller::administrator(pretend)?.call("CreateKey", &json!({})).await?;
    let arn = made["KeyMetadata"]["Arn"].as_str().ok_or("the KMS has made no key")?;
    Ok(vec!["profile=\"small\"".into(), format!("custody.key={arn:?}"), "custody.credentials=\"instance-role\"".into()])
}

/// 2. Puts the key policy of a vault's key, if it still has the one that it was made with. The platform measures whoever asks.
pub(crate) async fn approve_first(pretend: &Value, policy: &Policy) -> Result<(), Error> {
    let (ProfileName::Small, Some(key)) = (policy.profile, policy.custody.key()) else { return Ok(()) };
    let administrator = Caller::administrator(pretend)?;
    let present = present_policy(&administrator, key.text()).await?;
    if present["Id"] != "key-default-1" {
        return Ok(());
    }
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or("adyton-pretend says too little");
    let (image, measured) = measure(text(&pretend["nsm"])?.as_ref()).await?;
    let (arn, role) = (text(&pretend["kms_administrator"]["arn"])?, text(&pretend["kms_role"])?);
    put_policy(&administrator, key.text(), &key_policy(&arn, &role, &image, &measured)).await
}

/// The key policy that a key has.
pub(crate) async fn present_policy(caller: &Caller, key: &str) -> Result<Value, Error> {
    let answer = caller.call("GetKeyPolicy", &json!({ "KeyId": key, "PolicyName": "default" })).await?;
    Ok(serde_json::from_str(answer["Policy"].as_str().unwrap_or_default())?)
}

/// Puts another in its place.
pub(crate) async fn put_policy(caller: &Caller, key: &str, policy: &Value) -> Result<(), Error> {
    let request = json!({ "KeyId": key, "PolicyName": "default", "Policy": policy.to_string() });
    caller.call("PutKeyPolicy", &request).await?;
    Ok(())
}

/// `{"Attestation": {"user_data": null, "nonce": null, "public_key": null}}` in CBOR.
const ATTESTATION: &[u8] = b"\xA1\x6BAttestation\xA3\x69user_data\xF6\x65nonce\xF6\x6Apublic_key\xF6";
/// `{"Attestation": {"document": ` and a string with a length of two bytes.
const DOCUMENT: &[u8] = b"\xA1\x6BAttestation\xA1\x68document\x59";

/// Registers 0 and 16 of whoever connects now, as the laptop's platform measures them.
async fn measure(nsm: &Path) -> Result<([u8; 48], [u8; 48]), Error> {
    let mut nsm = UnixStream::connect(nsm).await?;
    nsm.write_u32(u32::try_from(ATTESTATION.len())?).await?;
    nsm.write_all(ATTESTATION).await?;
    let mut answer = vec![0; usize::try_from(nsm.read_u32().await?)?];
    nsm.read_exact(&mut answer).await?;
    let document = answer.strip_prefix(DOCUMENT).and_then(|rest| rest.get(2..)).ok_or("the NSM attests nothing")?;
    let pcrs = OwnDocument::parse(document)?.pcrs;
    let pcr = |number: u8| pcrs.get(&number).copied().ok_or(format!("the NSM attests no register {number}"));
    Ok((pcr(0)?, pcr(16)?))
}
