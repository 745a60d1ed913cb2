//! Pages of the host: liveness, readiness of the vault, and its counters.
//!
//! | path | answer |
//! |---|---|
//! | `/healthz` | 200 while this process answers |
//! | `/readyz` | 200 if the enclave takes connections, its store takes entries and no other vault writes them; 503 if not |
//! | `/metrics` | Prometheus' text, where it is asked for at the address of the metrics |
//!
//! An enclave takes connections once it has booted, replayed its logs and obtained its key; so the
//! only probe is a connection to it. That the store takes entries is known from the last one that
//! was written.
//!
//! What it is not: the pages show a status and the counters only. A load balancer may ask at an
//! address of the network (`--health`), where there are no counters. The vault itself answers
//! `/health` and `/ready` to its clients, inside TLS.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use adyton_transport::Address;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::Metrics;

/// Longest time that a connection is kept.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(10);
/// Longest wait for the enclave to take a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Connections at once: Prometheus, a kubelet and a few load balancers need one each.
const MAX_CONNECTIONS: usize = 16;

/// Pages of one address.
pub struct Pages {
    metrics: Arc<Metrics>,
    enclave: Address,
    shows_sums: bool,
}

impl Pages {
    /// All pages; `enclave` is where its clients are brought.
    pub fn all(metrics: Arc<Metrics>, enclave: Address) -> Self {
        Self { metrics, enclave, shows_sums: true }
    }

    /// Health and readiness only.
    pub fn health(metrics: Arc<Metrics>, enclave: Address) -> Self {
        Self { metrics, enclave, shows_sums: false }
    }

    async fn is_ready(&self) -> bool {
        self.metrics.can_append() && matches!(timeout(CONNECT_TIMEOUT, self.enclave.connect()).await, Ok(Ok(_)))
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let (status, body) = match (request.method(), request.uri().path()) {
            (&Method::GET, "/healthz") => (StatusCode::OK, "ok\n".into()),
            (&Method::GET, "/readyz") if self.is_ready().await => (StatusCode::OK, "ready\n".into()),
            (&Method::GET, "/readyz") => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n".into()),
            (&Method::GET, "/metrics") if self.shows_sums => (StatusCode::OK, self.metrics.text()),
            (_, "/healthz" | "/readyz") => (StatusCode::METHOD_NOT_ALLOWED, String::new()),
            (_, "/metrics") if self.shows_sums => (StatusCode::METHOD_NOT_ALLOWED, String::new()),
            _ => (StatusCode::NOT_FOUND, String::new()),
        };
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = status;
        let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }
}

/// Answers for ever.
pub async fn serve_pages(listener: TcpListener, pages: Pages) {
    let (places, pages) = (Arc::new(Semaphore::new(MAX_CONNECTIONS)), Arc::new(pages));
    loop {
        // Never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let pages = Arc::clone(&pages);
        let service = service_fn(move |request| {
            let pages = Arc::clone(&pages);
            async move { Ok::<_, Infallible>(pages.answer(&request).await) }
        });
        let mut http = hyper::server::conn::http1::Builder::new();
        let connection = http.keep_alive(false).serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            // How it ends is the client's affair.
            let _ = timeout(CONNECTION_LIFETIME, connection).await;
            drop(place);
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::net::SocketAddr;

    use adyton_frame::Event;
    use adyton_transport::Listener;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn started(pages: Pages) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve_pages(listener, pages));
        address
    }

    async fn asked(address: SocketAddr, request: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("{request} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn each_address_answers_its_pages_and_nothing_else() {
        let enclave = Address::Unix("/nobody/here".into());
        let all = started(Pages::all(Arc::default(), enclave.clone())).await;
        let health = started(Pages::health(Arc::default(), enclave)).await;
        for (request, at_all, at_health) in [
            ("GET /metrics", "200", "404"),
            ("POST /metrics", "405", "404"),
            ("GET /healthz", "200", "200"),
            ("POST /healthz", "405", "405"),
            ("GET /readyz", "503", "503"),
            ("GET /readyz/", "404", "404"),
            ("GET /", "404", "404"),
        ] {
            for (address, status) in [(all, at_all), (health, at_health)] {
                let answer = asked(address, request).await;
                assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
                let sums = request == "GET /metrics" && address == all;
                assert_eq!(answer.contains("adyton_ready 0"), sums, "{request}: {answer}");
            }
        }
    }

    #[tokio::test]
    async fn ready_is_an_enclave_that_takes_connections_and_a_store_that_takes_entries() {
        let folder = tempfile::tempdir().unwrap();
        let enclave = Address::Unix(folder.path().join("enclave"));
        let metrics = Arc::new(Metrics::default());
        let address = started(Pages::health(Arc::clone(&metrics), enclave.clone())).await;
        let ready = async || asked(address, "GET /readyz").await.starts_with("HTTP/1.1 200 ");
        assert!(!ready().await, "it boots");
        let listener = Listener::bind(&enclave).unwrap();
        assert!(ready().await);
        metrics.observe(&Event::StoreLost { log: 1 });
        assert!(!ready().await, "the store is away");
        metrics.observe(&Event::StoreBack { log: 1 });
        assert!(ready().await);
        metrics.observe(&Event::Fenced { log: 1, size: 7 });
        assert!(!ready().await, "another vault writes");
        metrics.observe(&Event::BootPhase { phase: 1 });
        assert!(ready().await);
        drop(listener);
        assert!(!ready().await, "it is gone");
    }
}
