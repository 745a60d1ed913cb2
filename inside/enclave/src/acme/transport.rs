//! How requests reach the CA: HTTP over a connector of the policy. Tests put a scripted CA in its place.

use std::future::Future;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use tokio::time::{Duration, Instant};

use crate::egress::http::{Answer, Connection};
use crate::egress::{EgressError, Endpoint};

/// Longest time that a connection is kept without a request: what lies between may have forgotten it.
const MAX_IDLE_TIME: Duration = Duration::from_secs(60);

/// Sends one request and gives its answer, whatever its status.
pub trait Transport: Send + Sync {
    /// `POST` with a JWS as body, or `GET` without one.
    fn send(&mut self, path: &str, body: Option<Bytes>) -> impl Future<Output = Result<Answer, EgressError>> + Send;
}

/// The CA's server. A connection is kept for further requests, for a minute.
pub struct Wire {
    endpoint: Endpoint,
    connection: Option<(Connection, Instant)>,
}

impl Wire {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, connection: None }
    }
}

impl Transport for Wire {
    async fn send(&mut self, path: &str, body: Option<Bytes>) -> Result<Answer, EgressError> {
        let agent = HeaderValue::from_static(concat!("adyton/", env!("CARGO_PKG_VERSION")));
        let kind = body.is_some().then(|| (CONTENT_TYPE, HeaderValue::from_static("application/jose+json")));
        let headers: Vec<(HeaderName, HeaderValue)> = [(USER_AGENT, agent)].into_iter().chain(kind).collect();
        let kept = self.connection.take();
        let kept = kept.filter(|(connection, used)| !connection.is_closed() && used.elapsed() <= MAX_IDLE_TIME);
        let mut connection = match kept {
            Some((connection, _)) => connection,
            None => Connection::open(&self.endpoint).await?,
        };
        let answer = match body {
            Some(body) => connection.post(path, headers, body).await?,
            None => connection.get(path, headers).await?,
        };
        // One that failed is of no more use.
        self.connection = Some((connection, Instant::now()));
        Ok(answer)
    }
}
