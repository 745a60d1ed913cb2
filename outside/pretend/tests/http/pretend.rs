//! All of pretend but its process, and a client.

use std::net::SocketAddr;
use std::sync::Arc;

use adyton_pretend::carriers::Carriers;
use adyton_pretend::certificates::Ca;
use adyton_pretend::credentials;
use adyton_pretend::faults::Faults;
use adyton_pretend::folder::Folder;
use adyton_pretend::inbox::{Inbox, Message};
use adyton_pretend::kms::{aws, dev};
use adyton_pretend::nsm::Nsm;
use adyton_pretend::{peers, phone, serve};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub(crate) const TOKEN: &str = "0123456789abcdef";

pub(crate) struct Pretend {
    pub(crate) folder: TempDir,
    pub(crate) nsm: Arc<Nsm>,
    pub(crate) inbox: Arc<Inbox>,
    tls: TlsConnector,
    peers: SocketAddr,
    pub(crate) phone: SocketAddr,
}

impl Pretend {
    pub(crate) async fn start() -> Self {
        Self::over(tempfile::tempdir().unwrap(), Inbox::default()).await
    }

    pub(crate) async fn over(folder: TempDir, inbox: Inbox) -> Self {
        let opened = Folder::open(folder.path()).unwrap();
        let root = Ca::attestation_root(&opened).unwrap();
        let nsm = Arc::new(Nsm::new(&root).unwrap());
        let (kms, inbox) = (dev::Kms::open(&opened, Arc::clone(&nsm)).unwrap(), Arc::new(inbox));
        let aws = Arc::new(aws::Kms::open(Folder::open(folder.path()).unwrap(), &root).unwrap());
        let ca = Ca::tls(&opened).unwrap();

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peers = listener.local_addr().unwrap();
        let faults = Arc::new(Faults::default());
        let carriers = Carriers {
            inbox: Arc::clone(&inbox),
            faults: Arc::clone(&faults),
            webhook_key: credentials::webhook_key().unwrap(),
            gateway: credentials::gateway_key().unwrap(),
        };
        let router = peers::router(Arc::new(kms), aws, Arc::new(carriers));
        tokio::spawn(serve::https(listener, TlsAcceptor::from(ca.server().unwrap()), router));

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let phone = listener.local_addr().unwrap();
        tokio::spawn(serve::http(listener, phone::router(Arc::clone(&inbox), faults, TOKEN, phone.port())));
        Self { folder, nsm, inbox, tls: connector(&ca), peers, phone }
    }

    /// `POST` to the peer of this name, over TLS.
    pub(crate) async fn post(
        &self,
        name: &'static str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> (u16, Value) {
        let tcp = TcpStream::connect(self.peers).await.unwrap();
        let stream = self.tls.connect(ServerName::try_from(name).unwrap(), tcp).await.unwrap();
        let mut request = Request::post(path).header("host", name).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = send(stream, request.body(Full::new(body.into())).unwrap()).await;
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&whole(response).await).unwrap())
    }

    /// `GET` from the phone, under a host's name or none.
    pub(crate) async fn get(&self, host: Option<&str>, path: &str) -> Response<Incoming> {
        let stream = TcpStream::connect(self.phone).await.unwrap();
        let request = host.map_or_else(Request::builder, |host| Request::builder().header("host", host));
        send(stream, request.uri(path).body(Full::default()).unwrap()).await
    }

    /// `GET` below the token, as the page does.
    pub(crate) async fn page(&self, path: &str) -> Response<Incoming> {
        self.get(Some(&self.phone.to_string()), &format!("/{TOKEN}{path}")).await
    }

    pub(crate) async fn messages(&self, query: &str) -> Vec<Value> {
        let response = self.page(&format!("/messages{query}")).await;
        assert_eq!(response.status(), 200);
        serde_json::from_slice(&whole(response).await).unwrap()
    }

    pub(crate) fn arrive(&self, to: &str, body: String) {
        let at = "2026-01-01T00:00:00Z".into();
        let (from, channel) = ("Adyton".into(), "sms".into());
        assert!(self.inbox.put("", Message { to: to.into(), from, channel, subject: None, body, at }));
    }
}

pub(crate) async fn whole(response: Response<Incoming>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

/// The values of one field, in order.
pub(crate) fn field<'a>(messages: &'a [Value], name: &str) -> Vec<&'a str> {
    messages.iter().map(|message| message[name].as_str().unwrap()).collect()
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Response<Incoming> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender.send_request(request).await.unwrap()
}

fn connector(ca: &Ca) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(ca.certificate.clone().into()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}
