//! Mail submission (RFC 6409) by lettre, over our own streams.
//!
//! 1. connect; with implicit TLS (RFC 8314) everything that follows is inside TLS;
//! 2. else STARTTLS ([`starttls`]): a server that does not offer it, refuses it or fails at it gets nothing;
//! 3. EHLO, inside TLS and so once more after STARTTLS, and AUTH PLAIN or LOGIN;
//! 4. MAIL, RCPT, DATA;
//! 5. a connection that took a letter is kept, with the credential it was opened by, for the next one.
//!
//! Limits: lettre keeps copies of password and message for as long as it works on them, and does not zeroize them.

mod letter;
mod starttls;
mod wire;

use std::sync::{Arc, Mutex, PoisonError};

use lettre::Address;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{self};
use tokio::time::{Duration, Instant, timeout};

use super::carrier::{Failure, Letter};
use super::credential::Kind;
use super::{Credential, SmtpTls};
use crate::clock::Clock;
use crate::egress::{EgressError, Endpoint, EndpointError};
use wire::Wire;

/// Longest wait for one step: opening a connection, or handing a letter over.
const STEP_PATIENCE: Duration = Duration::from_secs(15);
/// Connections that are kept, and for how long: servers close idle ones after five minutes (RFC 5321 §4.5.3.2.7).
const MOST_IDLE: usize = 4;
const LONGEST_IDLE: Duration = Duration::from_secs(60);

pub(super) struct Smtp {
    endpoint: Endpoint,
    tls: SmtpTls,
    from: Mailbox,
    hello: ClientId,
    clock: Arc<Clock>,
    idle: Mutex<Vec<Session>>,
}

/// A connection that has authenticated.
struct Session {
    connection: AsyncSmtpConnection,
    credential: Arc<Credential>,
    since: Instant,
}

impl Smtp {
    pub(super) fn new(endpoint: Endpoint, tls: SmtpTls, from: &str, clock: Arc<Clock>) -> Result<Self, EndpointError> {
        let from: Mailbox = from.parse().map_err(|_| EndpointError::Sender)?;
        let hello = ClientId::Domain(from.email.domain().to_owned());
        Ok(Self { endpoint, tls, from, hello, clock, idle: Mutex::default() })
    }

    pub(super) async fn hand_over(&self, letter: &Letter, credential: &Arc<Credential>) -> Result<(), Failure> {
        let to: Address = letter.to.expose().parse().map_err(|_| Failure::Recipient)?;
        let message = letter::render(letter, &self.from, to.clone(), self.clock.now())?;
        while let Some(mut session) = self.take(credential) {
            // A connection that broke while idle says nothing about the server, so that is tried again at once.
            if let Ok(Ok(())) = timeout(STEP_PATIENCE, self.mail(&mut session)).await {
                return self.finish(session, letter, to, &message).await;
            }
        }
        let mut session = step(self.open(credential)).await?;
        step(self.mail(&mut session)).await?;
        self.finish(session, letter, to, &message).await
    }

    async fn open(&self, credential: &Arc<Credential>) -> Result<Session, Failure> {
        let Kind::Login { user, password } = &credential.0 else { return Err(Failure::NotThisRoute) };
        // 1.
        let mut stream = self.endpoint.dial().await?;
        let wire = match self.tls {
            SmtpTls::Implicit => Wire::new(self.endpoint.secure(stream).await?),
            // 2.
            SmtpTls::StartTls => {
                starttls::negotiate(&mut stream, &self.hello.to_string()).await?;
                Wire::after_starttls(self.endpoint.secure(stream).await?)
            }
        };
        // 3.
        let connection = AsyncSmtpConnection::connect_with_transport(Box::new(wire), &self.hello).await;
        let mut connection = connection.map_err(|error| failure(&error, Failure::NotThisRoute))?;
        let login = Credentials::new(user.expose().to_owned(), password.expose().to_owned());
        let authenticated = connection.auth(&[Mechanism::Plain, Mechanism::Login], &login).await;
        authenticated.map_err(|error| failure(&error, Failure::NotThisRoute))?;
        Ok(Session { connection, credential: Arc::clone(credential), since: Instant::now() })
    }

    /// 4. The first part, which tells whether the connection still stands. What is refused here is the sender.
    async fn mail(&self, session: &mut Session) -> Result<(), Failure> {
        let mail = Mail::new(Some(self.from.email.clone()), Vec::new());
        let done = session.connection.command(mail).await;
        done.map(drop).map_err(|error| failure(&error, Failure::NotThisRoute))
    }

    /// 4. The rest. What is refused here is the recipient or the message.
    async fn finish(&self, mut session: Session, letter: &Letter, to: Address, message: &[u8]) -> Result<(), Failure> {
        let connection = &mut session.connection;
        let rest = async {
            connection.command(Rcpt::new(to, Vec::new())).await?;
            connection.command(Data).await?;
            letter.progress.leaves();
            connection.message(message).await
        };
        step(async { rest.await.map(drop).map_err(|error| failure(&error, Failure::Recipient)) }).await?;
        // 5.
        session.since = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE {
            idle.push(session);
        }
        Ok(())
    }

    fn take(&self, credential: &Arc<Credential>) -> Option<Session> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |session: &Session| session.since.elapsed() < LONGEST_IDLE;
        idle.retain(|session| fresh(session) && Arc::ptr_eq(&session.credential, credential));
        idle.pop()
    }
}

async fn step<T>(step: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    timeout(STEP_PATIENCE, step).await.unwrap_or(Err(Failure::Transport(EgressError::Timeout)))
}

/// What lettre's error means; `permanent` is what a 5yz reply means at this step.
fn failure(error: &smtp::Error, permanent: Failure) -> Failure {
    if error.is_permanent() {
        permanent
    } else if error.is_transient() {
        Failure::Busy(None)
    } else if error.is_client() {
        Failure::NotThisRoute
    } else {
        Failure::Transport(EgressError::Protocol)
    }
}
