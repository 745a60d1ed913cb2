//! Mail submission (RFC 6409): a small client of our own, over our own streams; lettre makes the mail ([`letter`]).
//!
//! 1. connect; with implicit TLS (RFC 8314) everything that follows is inside TLS;
//! 2. else STARTTLS (RFC 3207): a server that does not offer it, refuses it or fails at it gets nothing;
//! 3. EHLO, inside TLS and so once more after STARTTLS, and AUTH PLAIN or LOGIN;
//! 4. MAIL, RCPT, DATA and the message. What fails so far may be tried again, here or elsewhere;
//! 5. the final point. What fails from there on, without a code that can be read, may have been taken, and is
//!    [`Failure::Unconfirmed`];
//! 6. a connection that took a letter is kept, with the credential it was opened by, for the next one. If it breaks before the
//!    server waits for the message, or the server refuses on it, the letter goes over a new one at once, whose answer decides.
//!
//! Limits: lettre keeps copies of the message while it makes it, and rustls while it encrypts; neither zeroizes them.

mod dots;
mod letter;
mod reply;
mod session;
mod verdict;

use std::sync::{Arc, Mutex, PoisonError};

use adyton_seal::SecretText;
use adyton_transport::Stream;
use lettre::Address;
use lettre::message::Mailbox;
use tokio::time::{Duration, Instant, timeout_at};
use tokio_rustls::client::TlsStream;

use super::carrier::{Failure, Letter};
use super::credential::Kind;
use super::{Credential, SmtpTls};
use crate::clock::Clock;
use crate::egress::{EgressError, Endpoint, EndpointError, Metered, TrustRefusal, Wire};
pub use reply::{MAX_LINES, MAX_TEXT, Reply, ReplyError, ReplyReader};
use session::{Envelope, Session};
use verdict::{Stage, verdict};

/// Longest way to the final point, connecting included. RFC 5321 §4.5.3.2 has five minutes for each step; a code lives for ten,
/// and until the point another route can take over.
const BEFORE_POINT: Duration = Duration::from_secs(60);
/// Longest wait for the reply to it (RFC 5321 §4.5.3.2.6), while the code lives.
const AFTER_POINT: Duration = Duration::from_secs(600);
/// Connections that are kept, and for how long: servers close idle ones after five minutes (RFC 5321 §4.5.3.2.7).
const MAX_IDLE: usize = 4;
const MAX_IDLE_TIME: Duration = Duration::from_secs(60);

pub(super) struct Smtp {
    endpoint: Endpoint,
    tls: SmtpTls,
    from: Mailbox,
    clock: Arc<Clock>,
    idle: Mutex<Vec<Kept>>,
}

type Connection = Session<TlsStream<Metered<Stream>>>;

/// A connection that has authenticated and waits for a letter.
struct Kept {
    session: Connection,
    credential: Arc<Credential>,
    since: Instant,
}

impl Smtp {
    pub(super) fn new(endpoint: Endpoint, tls: SmtpTls, from: &str, clock: Arc<Clock>) -> Result<Self, EndpointError> {
        let from: Mailbox = from.parse().map_err(|_| EndpointError::Sender)?;
        // It is said in commands, without SMTPUTF8 (RFC 6531).
        if !is_plain(&from.email) {
            return Err(EndpointError::Sender);
        }
        Ok(Self { endpoint, tls, from, clock, idle: Mutex::default() })
    }

    pub(super) async fn hand_over(&self, letter: &Letter, credential: &Arc<Credential>) -> Result<(), Failure> {
        let to: Address = letter.to.expose().parse().map_err(|_| Failure::Recipient)?;
        if !is_plain(&to) {
            return Err(Failure::Recipient);
        }
        let message = letter::render(letter, &self.from, to.clone(), self.clock.now())?;
        let envelope = Envelope { from: self.from.email.as_ref(), to: to.as_ref() };
        let until = letter.deadline.min(Instant::now() + BEFORE_POINT);
        let message = dots::stuffed(&message);
        let offered = timeout_at(until, self.offered(&envelope, credential, until)).await;
        let mut session = offered.unwrap_or(Err(Failure::Transport(EgressError::Timeout)))?;
        // 4.
        if let Err(trouble) = session.message(&message, until).await {
            session.quit().await;
            return Err(trouble.into());
        }
        // 5.
        let until = letter.deadline.min(Instant::now() + AFTER_POINT);
        letter.progress.leaves();
        taken(&mut session, until).await?;
        self.keep(session, credential);
        Ok(())
    }

    /// A connection on which the server waits for the message.
    async fn offered(
        &self,
        envelope: &Envelope<'_>,
        credential: &Arc<Credential>,
        until: Instant,
    ) -> Result<Connection, Failure> {
        // 6.
        if let Some(mut session) = self.take(credential) {
            match session.offer(envelope, until).await {
                Ok(()) => return Ok(session),
                Err(trouble) => {
                    let again = trouble.may_be_the_kept_connections();
                    session.quit().await;
                    if !again {
                        return Err(trouble.into());
                    }
                }
            }
        }
        let mut session = self.open(credential, until).await?;
        match session.offer(envelope, until).await {
            Ok(()) => Ok(session),
            Err(trouble) => {
                session.quit().await;
                Err(trouble.into())
            }
        }
    }

    async fn open(&self, credential: &Credential, until: Instant) -> Result<Connection, Failure> {
        let Kind::Login { user, password } = &credential.0 else { return Err(Failure::NotThisRoute) };
        let hello = self.from.email.domain();
        // 1.
        let stream = self.endpoint.dial().await?;
        let session = match self.tls {
            SmtpTls::Implicit => {
                let mut session = Session::new(self.endpoint.secure(stream).await?);
                session.greeted(until).await?;
                session
            }
            // 2.
            SmtpTls::StartTls => Session::new(self.endpoint.secure(in_the_clear(stream, hello, until).await?).await?),
        };
        authenticated(session, hello, (user, password), until).await
    }

    fn take(&self, credential: &Arc<Credential>) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|kept| kept.since.elapsed() < MAX_IDLE_TIME && Arc::ptr_eq(&kept.credential, credential));
        idle.pop().map(|kept| kept.session)
    }

    fn keep(&self, session: Connection, credential: &Arc<Credential>) {
        session.rest();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE && session.is_in_step() {
            idle.push(Kept { session, credential: Arc::clone(credential), since: Instant::now() });
        }
    }
}

/// 2. A stream on which the TLS handshake is next.
async fn in_the_clear<S: Wire>(stream: S, hello: &str, until: Instant) -> Result<S, Failure> {
    let mut session = Session::new(stream);
    session.greeted(until).await?;
    // Nothing more is sent to a server that does not offer TLS, or to a relay that removed the offer.
    if session.hello(hello, until).await?.starttls {
        session.starttls(until).await
    } else {
        Err(Failure::Transport(EgressError::Tls(TrustRefusal::NotOffered)))
    }
}

/// 3.
async fn authenticated<S: Wire>(
    mut session: Session<S>,
    hello: &str,
    login: (&SecretText, &SecretText),
    until: Instant,
) -> Result<Session<S>, Failure> {
    let offers = session.hello(hello, until).await?;
    match session.authenticate(&offers, login, until).await {
        Ok(()) => Ok(session),
        Err(trouble) => {
            session.quit().await;
            Err(trouble.into())
        }
    }
}

/// 5. Whether the server has taken the message.
async fn taken<S: Wire>(session: &mut Session<S>, until: Instant) -> Result<(), Failure> {
    match session.point(until).await {
        Some(reply) if reply.code / 100 == 2 => Ok(()),
        Some(reply) if reply.code >= 400 => Err(verdict(Stage::Data, &reply)),
        _ => Err(Failure::Unconfirmed),
    }
}

/// An address that can be said in a command as it is.
fn is_plain(address: &Address) -> bool {
    let address: &str = address.as_ref();
    address.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>'))
}
