//! HTTP connections of one route, used again.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use tokio::time::Duration;

use crate::egress::http::{Answer, Connection};
use crate::egress::{EgressError, Endpoint};

/// The longest `Retry-After` that is heard; no code lives that long.
const LONGEST_REQUEST: Duration = Duration::from_secs(3600);
/// Idle connections that are kept.
const MOST_IDLE: usize = 16;

pub(super) struct Pool {
    endpoint: Endpoint,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, idle: Mutex::default() }
    }

    /// `POST path`. A connection that broke while idle says nothing about the carrier, so that is tried again at once.
    pub(super) async fn post(
        &self,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
    ) -> Result<Answer, EgressError> {
        while let Some(mut connection) = self.take() {
            match connection.post(path, headers.iter().cloned(), body.clone()).await {
                Err(EgressError::Protocol) => {}
                done => return done.inspect(|_| self.keep(connection)),
            }
        }
        let mut connection = Connection::open(&self.endpoint).await?;
        let done = connection.post(path, headers.iter().cloned(), body).await;
        done.inspect(|_| self.keep(connection))
    }

    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|connection| !connection.is_closed());
        idle.pop()
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE {
            idle.push(connection);
        }
    }
}

/// `Retry-After` in seconds; its other form, a date, is passed over, for it would be measured by the carrier's clock.
/// Whatever a carrier asks for, it is a time that can be waited.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_REQUEST))
}
