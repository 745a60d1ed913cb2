//! A caller of the pretend KMS: its administrator, whom `up` and the drill play, and the instance's role, whose credentials
//! whoever is on the machine can have.
//!
//! 1. credentials: the administrator's are what `adyton-pretend` said, the role's come from its metadata service;
//! 2. a request, signed by AWS Signature Version 4, over TLS that trusts the pretend CA;
//! 3. the answer, or AWS's name for the refusal.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use adyton_api::timestamp;
use adyton_ledger::sha256;
use adyton_seal::{HmacKey, Secret};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

type Error = Box<dyn std::error::Error>;

/// The pretend KMS's name.
const HOST: &str = "kms.adyton.test";
/// Its region.
const REGION: &str = "eu-central-1";
/// Where a role's credentials are.
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

/// What the KMS answered in place of what was asked for.
#[derive(Debug)]
pub(crate) struct Refused {
    /// AWS's name for it.
    pub(crate) kind: String,
    message: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the KMS refused: {}: {}", self.kind, self.message)
    }
}

impl std::error::Error for Refused {}

/// Somebody with credentials.
pub(crate) struct Caller {
    address: String,
    ca: String,
    id: String,
    secret: String,
    token: Option<String>,
}

impl Caller {
    /// The administrator, of what `adyton-pretend` said when it was ready.
    pub(crate) fn administrator(pretend: &Value) -> Result<Self, Error> {
        let of = &pretend["kms_administrator"];
        Self::new(pretend, (&of["access_key_id"], &of["secret_access_key"], &of["session_token"]))
    }

    /// The instance's role.
    pub(crate) async fn role(pretend: &Value) -> Result<Self, Error> {
        let imds = field(&pretend["imds"])?;
        let ask = async |method: &str, path: &str, header: (&str, &str)| {
            let request = Request::builder().method(method).uri(path).header("host", &imds).header(header.0, header.1);
            let (status, body) = exchange(TcpStream::connect(&imds).await?, request.body(Full::default())?).await?;
            if status == 200 { Ok(body) } else { Err(Error::from(format!("the metadata service answered {status}"))) }
        };
        let token = ask("PUT", "/latest/api/token", ("x-aws-ec2-metadata-token-ttl-seconds", "60")).await?;
        let token = ("x-aws-ec2-metadata-token", str::from_utf8(&token)?);
        let role = ask("GET", ROLES, token).await?;
        let credentials = ask("GET", &format!("{ROLES}{}", str::from_utf8(&role)?), token).await?;
        let of: Value = serde_json::from_slice(&credentials)?;
        Self::new(pretend, (&of["AccessKeyId"], &of["SecretAccessKey"], &of["Token"]))
    }

    fn new(pretend: &Value, (id, secret, token): (&Value, &Value, &Value)) -> Result<Self, Error> {
        let token = token.as_str().map(str::to_owned);
        let (address, ca) = (field(&pretend["tls"])?, field(&pretend["tls_ca"])?);
        Ok(Self { address, ca, id: field(id)?, secret: field(secret)?, token })
    }

    /// 2. and 3.
    pub(crate) async fn call(&self, action: &str, request: &Value) -> Result<Value, Error> {
        let body = request.to_string();
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let mut headers = vec![
            ("content-type", "application/x-amz-json-1.1".to_owned()),
            ("host", HOST.into()),
            ("x-amz-date", timestamp(now).replace(['-', ':'], "")),
        ];
        headers.extend(self.token.clone().map(|token| ("x-amz-security-token", token)));
        headers.push(("x-amz-target", format!("TrentService.{action}")));
        let authorization = self.authorization(&headers, &body)?;
        let mut request = Request::post("/").header("authorization", authorization);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let (status, answer) = exchange(self.connect().await?, request.body(Full::new(Bytes::from(body)))?).await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        if status == 200 {
            return Ok(answer);
        }
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Err(Refused { kind: text("__type"), message: text("message") }.into())
    }

    /// Over headers in the order of their names.
    fn authorization(&self, headers: &[(&str, String)], body: &str) -> Result<String, Error> {
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let signed = names.join(";");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical = format!("POST\n/\n\n{lines}\n{signed}\n{}", sha256(body.as_bytes()));
        let date = headers.iter().find(|(name, _)| *name == "x-amz-date").map_or("", |(_, date)| date);
        let day = date.get(..8).ok_or("no date")?;
        let scope = format!("{day}/{REGION}/kms/aws4_request");
        let string = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(canonical.as_bytes()));
        let mut key = HmacKey::from_shared(format!("AWS4{}", self.secret).as_bytes())?;
        for part in [day, REGION, "kms", "aws4_request"] {
            key = HmacKey::new(&Secret::take(&mut key.tag(&[part.as_bytes()])));
        }
        let (id, signature) = (&self.id, HEXLOWER.encode(&key.tag(&[string.as_bytes()])));
        Ok(format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={signed}, Signature={signature}"))
    }

    async fn connect(&self) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Error> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&self.ca)?)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(&self.address).await?;
        Ok(TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(HOST)?, stream).await?)
    }
}

fn field(value: &Value) -> Result<String, Error> {
    value.as_str().map(str::to_owned).ok_or_else(|| "adyton-pretend says too little".into())
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
) -> Result<(u16, Bytes), Error> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let status = answer.status().as_u16();
    Ok((status, answer.into_body().collect().await?.to_bytes()))
}
