//! The administrator of an AWS KMS key, as profile `kms` needs one (`docs/spec/12-custody-kms.md`).
//!
//! 1. the key policy that releases to one enclave under one policy, for `aws kms put-key-policy`, and whether a vault takes one;
//! 2. on a laptop, where `up` plays the administrator: a key of the pretend KMS is made before the policy names it, and once the
//!    policy is written and can be measured, its key policy is put. A key that has one keeps it: what runs later is not approved
//!    by being started.
//!
//! What it is not: a client of AWS. On AWS an administrator uses AWS's own tools.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use adyton_api::timestamp;
use adyton_attest::{OwnDocument, Pcr};
use adyton_ledger::sha256;
use adyton_policy::{IamPrincipal, KeyPolicy, Pins, Policy, ProfileName};
use adyton_seal::{HmacKey, Secret};
use bytes::Bytes;
use clap::Subcommand;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
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
/// The header of a session's token.
const TOKEN: &str = "x-amz-security-token";
/// Its region.
const REGION: &str = "eu-central-1";

/// What an administrator of a KMS needs.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Prints the key policy by which an AWS KMS key releases to one enclave under one policy, and to nothing else.
    KeyPolicy {
        /// Registers of the enclave, 0 and 16, as NUMBER=HEX
        #[arg(long = "pcr", value_name = "N=HEX", value_parser = register, value_delimiter = ',', required = true)]
        pcrs: Vec<(u8, Pcr)>,
        /// ARN of the role of the enclave's instance
        #[arg(long, value_name = "ARN")]
        role: String,
        /// Who administers the key: an account's number or root, or the ARN of a role or user. It can release the root key to itself,
        /// by another key policy
        #[arg(long, value_name = "ARN|ACCOUNT")]
        administrator: String,
    },
    /// Checks by a vault's own rule whether a key policy releases to one enclave and to nobody else, before it is put.
    Check {
        /// The key policy as JSON, or what `aws kms get-key-policy` prints
        file: PathBuf,
        /// Registers of the enclave as NUMBER=HEX: 0, 16, and those that the policy names besides
        #[arg(long = "pcr", value_name = "N=HEX", value_parser = register, value_delimiter = ',', required = true)]
        pcrs: Vec<(u8, Pcr)>,
        /// ARN of the role of the enclave's instance; without it one role of the policy must get everything
        #[arg(long, value_name = "ARN")]
        role: Option<String>,
        /// The vault's genesis nonce, 64 hexadecimal digits, if the policy names it (kms:EncryptionContext:adyton-genesis)
        #[arg(long, value_name = "HEX", value_parser = nonce)]
        genesis: Option<[u8; 32]>,
        /// Accept a policy that nobody may ever change
        #[arg(long)]
        allow_unchangeable: bool,
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
            let (administrator, role) = (IamPrincipal::administrator(administrator)?, IamPrincipal::role(role)?);
            println!("{:#}", key_policy(administrator.text(), role.text(), image, policy));
            Ok(ExitCode::SUCCESS)
        }
        Command::Check { file, pcrs, role, genesis, allow_unchangeable, json } => {
            let mut pins = Pins::new(find(pcrs, 0)?, find(pcrs, 16)?);
            for (number, pcr) in pcrs {
                pins = pins.with_register(*number, pcr.bytes());
            }
            if let Some(genesis) = genesis {
                pins = pins.with_genesis(genesis);
            }
            if let Some(role) = role {
                pins = pins.with_role(role)?;
            }
            check(file, &pins, *allow_unchangeable, *json)
        }
    }
}

fn find(pcrs: &[(u8, Pcr)], number: u8) -> Result<&[u8; 48], Error> {
    let found = pcrs.iter().find(|(known, _)| *known == number).map(|(_, pcr)| pcr.bytes());
    Ok(found.ok_or_else(|| format!("--pcr {number}=HEX is missing: registers 0 and 16 are both pinned"))?)
}

fn nonce(text: &str) -> Result<[u8; 32], String> {
    let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| "expected 64 hexadecimal digits".into())
}

fn check(file: &Path, pins: &Pins, allow_unchangeable: bool, as_json: bool) -> Result<ExitCode, Error> {
    let read = |output: String| {
        let checked = KeyPolicy::text_of(&output).and_then(|text| KeyPolicy::check(&text, pins));
        checked.map_err(|error| format!("{}: {error}", file.display()).into())
    };
    let (policy, error) = match text_of_file(file).and_then(read) {
        Ok(policy) => {
            let unchangeable = policy.changers.is_empty() && !allow_unchangeable;
            (Some(policy), unchangeable.then(|| format!("{}: {UNCHANGEABLE}", file.display())))
        }
        Err(error) => (None, Some(error.to_string())),
    };
    if as_json {
        let (releases_to, changers) = policy.map(|policy| (policy.releases_to, policy.changers)).unwrap_or_default();
        let changeable = !changers.is_empty();
        let changers: Vec<Value> = changers
            .iter()
            .map(|changer| json!({ "principal": changer.principal, "conditional": changer.conditional }))
            .collect();
        let ok = error.is_none();
        let shown = json!({
            "ok": ok, "error": error, "releases_to": releases_to, "changeable": changeable, "changers": changers,
        });
        println!("{shown}");
        return Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    match (policy, error) {
        (Some(policy), None) => println!("{}: {}", file.display(), told(&policy)),
        (_, error) => return Err(error.unwrap_or_default().into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// The text of a file. Shells on Windows write UTF-16, or UTF-8 with a byte order mark, which is skipped.
fn text_of_file(file: &Path) -> Result<String, Error> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let bytes = std::fs::read(file).map_err(|error| named(&error))?;
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        return Err(named(&"this is UTF-16: expected UTF-8 (in PowerShell `… | Out-File -Encoding utf8 FILE`)").into());
    }
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    Ok(String::from_utf8(text.to_vec()).map_err(|_| named(&"not UTF-8"))?)
}

/// Why a policy without [`KeyPolicy::changers`] is refused unless it is asked for.
const UNCHANGEABLE: &str = "the key's policy: nobody may kms:PutKeyPolicy. AWS would refuse every later change, so no other release of \
    the vault would ever get the key. If that is intended, pass --allow-unchangeable";

fn told(policy: &KeyPolicy) -> String {
    let roles = policy.releases_to.join(", ");
    let mut told = format!(
        "this policy releases the key to this enclave under this policy and to nothing else.\n\
         A vault boots with the credentials of: {roles}\n"
    );
    if policy.changers.is_empty() {
        told += "Nobody may put another policy: no later release of the vault will get the key.";
        return told;
    }
    told += "These principals can replace the key policy, and so release the key to themselves:";
    for changer in &policy.changers {
        told += "\n- ";
        told += &changer.principal;
        if changer.conditional {
            told += " (under a condition of the policy)";
        }
    }
    told
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

/// Whoever has credentials for the pretend KMS: its administrator, whom `up` and the drill play, or the enclave's role.
pub(crate) struct Caller<'a> {
    pretend: &'a Value,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

impl<'a> Caller<'a> {
    /// The administrator, of what `adyton-pretend` said when it was ready.
    pub(crate) fn administrator(pretend: &'a Value) -> Result<Self, Error> {
        let shown = &pretend["kms_administrator"];
        let field = |name: &str| shown[name].as_str().map(str::to_owned).ok_or("adyton-pretend says too little");
        let (access_key_id, secret_access_key) = (field("access_key_id")?, field("secret_access_key")?);
        Ok(Self { pretend, access_key_id, secret_access_key, session_token: None })
    }

    /// The enclave's role, whose credentials the metadata service gives to anybody on the machine.
    pub(crate) async fn role(pretend: &'a Value) -> Result<Self, Error> {
        let imds = pretend["imds"].as_str().ok_or("adyton-pretend says too little")?;
        let put = [("x-aws-ec2-metadata-token-ttl-seconds", "60")];
        let token = plain(imds, "PUT", "/latest/api/token", &put).await?;
        let (get, path) = ([("x-aws-ec2-metadata-token", &*token)], "/latest/meta-data/iam/security-credentials/");
        let role = plain(imds, "GET", path, &get).await?;
        let given: Value = serde_json::from_str(&plain(imds, "GET", &format!("{path}{role}"), &get).await?)?;
        let field = |name: &str| given[name].as_str().map(str::to_owned).ok_or("the metadata service says too little");
        let (access_key_id, secret_access_key) = (field("AccessKeyId")?, field("SecretAccessKey")?);
        Ok(Self { pretend, access_key_id, secret_access_key, session_token: Some(field("Token")?) })
    }

    /// 2. Makes a key, and gives what a policy says of it, as `KEY=VALUE`.
    pub(crate) async fn new_key(&self) -> Result<Vec<String>, Error> {
        let made = self.call("CreateKey", &json!({})).await?;
        let arn = made["KeyMetadata"]["Arn"].as_str().ok_or("the KMS has made no key")?;
        Ok(vec![
            "profile=\"kms\"".into(),
            format!("custody.key={arn:?}"),
            "custody.credentials=\"instance-role\"".into(),
        ])
    }

    /// 2. Puts the key policy of a vault's key, if it still has the one that it was made with: it releases to these registers
    ///    0 and 16.
    pub(crate) async fn approve_first(
        &self,
        folders: &Folders,
        (image, measured): ([u8; 48], [u8; 48]),
    ) -> Result<(), Error> {
        let policy = Policy::parse(&std::fs::read(folders.data.join("adyton.toml"))?)?;
        let (ProfileName::Kms, Some(key)) = (policy.profile, policy.custody.key()) else { return Ok(()) };
        let present = self.call("GetKeyPolicy", &json!({ "KeyId": key.text() })).await?;
        let present: Value = serde_json::from_str(present["Policy"].as_str().unwrap_or_default())?;
        if present["Id"] != "key-default-1" {
            return Ok(());
        }
        let role = self.pretend["kms_role"].as_str().ok_or("adyton-pretend says too little")?;
        let administrator =
            self.pretend["kms_administrator"]["arn"].as_str().ok_or("adyton-pretend says too little")?;
        self.put_key_policy(key.text(), &key_policy(administrator, role, &image, &measured)).await
    }

    /// Puts a key's policy.
    pub(crate) async fn put_key_policy(&self, key: &str, policy: &Value) -> Result<(), Error> {
        let request = json!({ "KeyId": key, "PolicyName": "default", "Policy": policy.to_string() });
        self.call("PutKeyPolicy", &request).await.map(drop)
    }

    /// One signed request; an error has the KMS's own words.
    pub(crate) async fn call(&self, action: &str, request: &Value) -> Result<Value, Error> {
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
        let request = self.session_token.iter().fold(request, |request, token| request.header(TOKEN, token));
        let request = request.header("authorization", authorization).body(Full::new(Bytes::from(body)))?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let answer: Value = serde_json::from_slice(&answer.into_body().collect().await?.to_bytes())?;
        if status.is_success() { Ok(answer) } else { Err(format!("the KMS refused {action}: {answer}").into()) }
    }

    /// AWS Signature Version 4.
    fn authorization(&self, date: &str, target: &str, body: &str) -> Result<String, Error> {
        let day = &date[..8];
        let token = self.session_token.as_ref().map(|token| (TOKEN, token.as_str()));
        let headers = [("content-type", "application/x-amz-json-1.1"), ("host", HOST), ("x-amz-date", date)];
        let headers: Vec<(&str, &str)> = headers.into_iter().chain(token).chain([("x-amz-target", target)]).collect();
        let signed = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical = format!("POST\n/\n\n{lines}\n{signed}\n{}", sha256(body.as_bytes()));
        let scope = format!("{day}/{REGION}/kms/aws4_request");
        let string = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(canonical.as_bytes()));
        let mut key = HmacKey::from_shared(format!("AWS4{}", self.secret_access_key).as_bytes())?;
        for part in [day, REGION, "kms", "aws4_request"] {
            key = HmacKey::new(&Secret::take(&mut key.tag(&[part.as_bytes()])));
        }
        let (id, signature) = (&self.access_key_id, HEXLOWER.encode(&key.tag(&[string.as_bytes()])));
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

/// One request of plain HTTP, and the body of its answer.
async fn plain(address: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Result<String, Error> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::builder().method(method).uri(path).header("host", address);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let answer = sender.send_request(request.body(Full::new(Bytes::new()))?).await?;
    let status = answer.status();
    let body = String::from_utf8(answer.into_body().collect().await?.to_bytes().to_vec())?;
    if status.is_success() { Ok(body) } else { Err(format!("{path}: {status}").into()) }
}

/// `{"Attestation": {"user_data": null, "nonce": null, "public_key": ` in CBOR, before the key.
const ATTESTATION: &[u8] = b"\xA1\x6BAttestation\xA3\x69user_data\xF6\x65nonce\xF6\x6Apublic_key";
/// `{"Attestation": {"document": ` and a string with a length of two bytes.
const DOCUMENT: &[u8] = b"\xA1\x6BAttestation\xA1\x68document\x59";

/// A document of whoever connects now, as the laptop's platform measures him, with a key of his choice.
pub(crate) async fn attest(nsm: &Path, public_key: Option<&[u8]>) -> Result<Vec<u8>, Error> {
    let mut request = ATTESTATION.to_vec();
    match public_key {
        None => request.push(0xF6),
        Some(key) => {
            request.push(0x59);
            request.extend_from_slice(&u16::try_from(key.len())?.to_be_bytes());
            request.extend_from_slice(key);
        }
    }
    let mut nsm = UnixStream::connect(nsm).await?;
    nsm.write_u32(u32::try_from(request.len())?).await?;
    nsm.write_all(&request).await?;
    let mut answer = vec![0; usize::try_from(nsm.read_u32().await?)?];
    nsm.read_exact(&mut answer).await?;
    let document = answer.strip_prefix(DOCUMENT).and_then(|rest| rest.get(2..)).ok_or("the NSM attests nothing")?;
    Ok(document.to_vec())
}

/// Registers 0 and 16 of whoever connects now.
pub(crate) async fn measure(nsm: &Path) -> Result<([u8; 48], [u8; 48]), Error> {
    let pcrs = OwnDocument::parse(&attest(nsm, None).await?)?.pcrs;
    let pcr = |number: u8| pcrs.get(&number).copied().ok_or(format!("the NSM attests no register {number}"));
    Ok((pcr(0)?, pcr(16)?))
}
