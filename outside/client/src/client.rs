//! Requests over connections that were appraised, and appraised again.

use std::sync::Arc;

use adyton_attest::{AppraisalPolicy, Appraised, RememberedChains, Root};
use bytes::Bytes;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use tokio::sync::Mutex;
use tokio::time::Duration;

use crate::endpoint::Endpoint;
use crate::error::ClientError;
use crate::session::Session;

/// Age at which a connection is given up for one that is appraised anew.
pub const RECHECK: Duration = Duration::from_secs(300);
/// Age since its last answer at which a connection is given up: a vault ends one that asks nothing for ten seconds, and a request
/// that crosses that end on its way would fail for nothing.
pub(crate) const IDLE: Duration = Duration::from_secs(5);
/// Chains of a platform's certificates that are not verified twice.
const REMEMBERED: usize = 16;

/// What a vault must show.
pub struct Attestation {
    /// Who signs documents.
    pub root: Root,
    /// What they must say.
    pub policy: AppraisalPolicy,
}

enum Trust {
    Attested(Box<Attestation>),
    Operator(Arc<RootCertStore>),
}

/// A request without its `Host`.
pub struct Request<'a> {
    /// Such as `POST`.
    pub method: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// Names and values.
    pub headers: &'a [(&'a str, &'a str)],
    /// The whole body.
    pub body: Bytes,
}

/// A vault's answer, errors of its API included.
#[derive(Clone, Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The whole body.
    pub body: Bytes,
    /// Seconds of its `Retry-After`, if it has one that is a number.
    pub retry_after: Option<u64>,
}

/// Speaks with one vault, one request at a time.
pub struct Client {
    endpoint: Endpoint,
    trust: Trust,
    state: Mutex<State>,
}

struct State {
    session: Option<Session>,
    chains: RememberedChains,
}

impl Client {
    /// Speaks with the vault only over connections whose evidence convinces.
    pub fn attested(endpoint: Endpoint, attestation: Attestation) -> Self {
        Self::new(endpoint, Trust::Attested(Box::new(attestation)))
    }

    /// Trusts any certificate that `ca` (DER) issued; its owner can impersonate the vault. No evidence is asked for.
    ///
    /// # Errors
    /// [`ClientError::Tls`] if `ca` is not a certificate.
    pub fn trusting_the_operator(endpoint: Endpoint, ca: &[u8]) -> Result<Self, ClientError> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(ca.to_vec())).map_err(ClientError::Tls)?;
        Ok(Self::new(endpoint, Trust::Operator(Arc::new(roots))))
    }

    fn new(endpoint: Endpoint, trust: Trust) -> Self {
        let state = State { session: None, chains: RememberedChains::new(REMEMBERED) };
        Self { endpoint, trust, state: Mutex::new(state) }
    }

    /// Connects anew whatever there is, and gives what was appraised to `look`; `None` if the operator is trusted.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn appraise<T>(&self, look: impl FnOnce(Option<&Appraised>) -> T) -> Result<T, ClientError> {
        let mut state = self.state.lock().await;
        state.session = None;
        let session = self.session(&mut state).await?;
        let seen = look(session.appraised.as_ref());
        state.session = Some(session);
        Ok(seen)
    }

    /// One request and its answer. It leaves at most once: if its connection ends under it, whether it was carried out is not
    /// known, and the caller decides.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::OutcomeUnknown`] if it left.
    pub async fn send(&self, request: &Request<'_>) -> Result<Response, ClientError> {
        let mut state = self.state.lock().await;
        // A connection goes back only with its answer read: one that failed, or whose caller no longer waits, is given up, so
        // that no answer is ever taken for another request's.
        let mut session = self.session(&mut state).await?;
        session.ready().await?;
        let answer = session.send(request).await.map_err(ClientError::of_exchange)?;
        state.session = Some(session);
        Ok(answer)
    }

    /// The connection there is, if it is open and young, or another one.
    async fn session(&self, state: &mut State) -> Result<Session, ClientError> {
        let State { session, chains } = state;
        match (session.take().filter(|kept| kept.is_usable()), &self.trust) {
            (Some(kept), _) => Ok(kept),
            (None, Trust::Attested(attestation)) => Session::attested(&self.endpoint, attestation, chains).await,
            (None, Trust::Operator(roots)) => Session::trusting(&self.endpoint, roots).await,
        }
    }
}
