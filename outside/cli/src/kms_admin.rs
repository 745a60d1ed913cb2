//! The administrator of an AWS KMS key, as profile `small` needs one (`docs/spec/12-custody-kms.md`).
//!
//! 1. the key policy that releases to one enclave under one policy, for `aws kms put-key-policy` ([`key_policy`]);
//! 2. on a laptop, where `up` plays the administrator: a key of the pretend KMS is made before the policy names it, and once the
//!    policy is written and can be measured, its key policy is put. A key that has one keeps it: what runs later is not approved
//!    by being started.
//!
//! What it is not: a client of AWS. On AWS an administrator uses AWS's own tools.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use adyton_api::timestamp;
use adyton_attest::{OwnDocument, Pcr};
use adyton_ledger::sha256;
use adyton_policy::{Policy, ProfileName};
use adyton_seal::{HmacKey, Secret};
use bytes::Bytes;
use clap::Subcommand;
use data_encoding::HEXLOWER;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use crate::folders::Folders;
use crate::verify::register;

type Error = Box<dyn std::error::Error>;

/// The pretend KMS's name.
const HOST: &str = "kms.adyton.test";
/// Its region.
const REGION: &str = "eu-central-1";

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
}

/// Carries out a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Error> {
    let Command::KeyPolicy { pcrs, role, administrator } = command;
    let find = |number: u8| {
        let found = pcrs.iter().find(|(known, _)| *known == number).map(|(_, pcr)| pcr.bytes());
        found.ok_or_else(|| format!("--pcr {number}=HEX is missing: registers 0 and 16 are both pinned"))
    };
    println!("{:#}", key_policy(administrator, role, find(0)?, find(16)?));
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

/// The administrator of the pretend KMS.
pub(crate) struct Administrator<'a> {
    pretend: &'a Value,
}

impl<'a> Administrator<'a> {
    /// Of what `adyton-pretend` said when it was ready.
    pub(crate) fn new(pretend: &'a Value) -> Self {
        Self { pretend }
    }

    /// 2. Makes a key, and gives what a policy says of it, as `KEY=VALUE`.
    pub(crate) async fn new_key(&self) -> Result<Vec<String>, Error> {
        let made = self.call("CreateKey", &json!({})).await?;
        let arn = made["KeyMetadata"]["Arn"].as_str().ok_or("the KMS has made no key")?;
        Ok(vec![
            "profile=\"small\"".into(),
            format!("custody.key={arn:?}"),
            "custody.credentials=\"instance-role\"".into(),
        ])
    }

    /// 2. Puts the key policy of a vault's key, if it still has the one that it was made with. `nsm` measures whoever asks.
    pub(crate) async fn approve_first(&self, folders: &Folders, nsm: &Path) -> Result<(), Error> {
        let policy = Policy::parse(&std::fs::read(folders.data.join("adyton.toml"))?)?;
        let (ProfileName::Small, Some(key)) = (policy.profile, policy.custody.key()) else { return Ok(()) };
        let present = self.call("GetKeyPolicy", &json!({ "KeyId": key.text() })).await?;
        let present: Value = serde_json::from_str(present["Policy"].as_str().unwrap_or_default())?;
        if present["Id"] != "key-default-1" {
            return Ok(());
        }
        let (image, measured) = measure(nsm).await?;
        let role = self.pretend["kms_role"].as_str().ok_or("adyton-pretend says too little")?;
        let key_policy = key_policy(self.field("arn")?, role, &image, &measured).to_string();
        self.call("PutKeyPolicy", &json!({ "KeyId": key.text(), "PolicyName": "default", "Policy": key_policy }))
            .await?;
        Ok(())
    }

    fn field(&self, name: &str) -> Result<&str, Error> {
        self.pretend["kms_administrator"][name].as_str().ok_or_else(|| "adyton-pretend says too little".into())
    }

    /// One signed request.
    async fn call(&self, action: &str, request: &Value) -> Result<Value, Error> {
        let body = request.to_string();
        let target = format!("TrentService.{action}");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
        let date = timestamp(now).replace(['-', ':'], "");
        let authorization = self.authorization(&date, &target, &body)?;
        let stream = self.connect().await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = Request::post("/").header("host", HOST).header("content-type", "application/x-amz-json-1.1");
        let request = request.header("x-amz-date", date).header("x-amz-target", target);
        let request = request.header("authorization", authorization).body(Full::new(Bytes::from(body)))?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let answer: Value = serde_json::from_slice(&answer.into_body().collect().await?.to_bytes())?;
        if status.is_success() { Ok(answer) } else { Err(format!("the KMS refused {action}: {answer}").into()) }
    }

    /// AWS Signature Version 4 (an administrator's credentials have no session token).
    fn authorization(&self, date: &str, target: &str, body: &str) -> Result<String, Error> {
        let (day, signed) = (&date[..8], "content-type;host;x-amz-date;x-amz-target");
        let canonical = format!(
            "POST\n/\n\ncontent-type:application/x-amz-json-1.1\nhost:{HOST}\nx-amz-date:{date}\nx-amz-target:{target}\n\n\
             {signed}\n{}",
            sha256(body.as_bytes())
        );
        let scope = format!("{day}/{REGION}/kms/aws4_request");
        let string = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(canonical.as_bytes()));
        let mut key = HmacKey::from_shared(format!("AWS4{}", self.field("secret_access_key")?).as_bytes())?;
        for part in [day, REGION, "kms", "aws4_request"] {
            key = HmacKey::new(&Secret::take(&mut key.tag(&[part.as_bytes()])));
        }
        let (id, signature) = (self.field("access_key_id")?, HEXLOWER.encode(&key.tag(&[string.as_bytes()])));
        Ok(format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={signed}, Signature={signature}"))
    }

    async fn connect(&self) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Error> {
        let field = |name: &str| self.pretend[name].as_str().ok_or("adyton-pretend says too little");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(field("tls_ca")?)?)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(field("tls")?).await?;
        Ok(TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(HOST)?, stream).await?)
    }
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
