//! One conversation with a mail server: a command, then its reply.
//!
//! 1. greeting and EHLO; STARTTLS, after which only the stream is left;
//! 2. AUTH PLAIN or LOGIN (RFC 4954);
//! 3. MAIL, RCPT, DATA: until here nothing of a message has left;
//! 4. the message, then the final point. From the point on it may have been taken.
//!
//! Nothing is pipelined, and what a server says before it was asked breaks the conversation: a reply must not be taken for that
//! to another command.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use adyton_seal::SecretText;
use data_encoding::BASE64;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::time::{Duration, Instant};
use zeroize::Zeroizing;

use super::Failure;
use super::reply::{Reply, ReplyReader};
use super::verdict::{Stage, verdict};
use crate::egress::{AnswerBudget, EgressError, TrustRefusal, Wire};

/// Longest wait for the server to take `QUIT`.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes that are read at once.
const READ: usize = 1024;

/// Why a conversation did not get where it should.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The connection broke, or what came is no reply.
    Broken(EgressError),
    /// The server replied something else than was expected.
    Replied(Stage, Reply),
    /// It offers no way to authenticate that is known here.
    NoAuth,
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Broken(error) => Self::Transport(error),
            Trouble::Replied(stage, reply) => verdict(stage, &reply),
            // Its account cannot be used here.
            Trouble::NoAuth => Self::Sender,
        }
    }
}

impl Trouble {
    /// Whether it may be the kept connection's fault, so that a fresh one decides: it broke, or the server refused the next
    /// message on it. What concerns the recipient by its code does not depend on the connection, and a recipient that is refused
    /// for now is tried again later in any case.
    pub(super) fn may_be_the_kept_connections(&self) -> bool {
        let Self::Replied(stage, reply) = self else { return true };
        match verdict(*stage, reply) {
            Failure::Recipient => false,
            Failure::Busy(_) | Failure::SenderForNow => *stage == Stage::Mail || reply.code == 421,
            _ => true,
        }
    }
}

/// What a server offers (RFC 5321 §4.1.1.1).
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Offers {
    pub(super) starttls: bool,
    plain: bool,
    login: bool,
}

impl Offers {
    fn of(reply: &Reply) -> Self {
        let mut offers = Self::default();
        for words in reply.offers() {
            let mut words = words.iter().map(String::as_str);
            let first = words.next().unwrap_or_default();
            // Old servers write `AUTH=LOGIN PLAIN`.
            let (name, mechanism) = first.split_once('=').map_or((first, None), |(name, word)| (name, Some(word)));
            offers.starttls |= name == "STARTTLS";
            if name == "AUTH" {
                for mechanism in mechanism.into_iter().chain(words) {
                    offers.plain |= mechanism == "PLAIN";
                    offers.login |= mechanism == "LOGIN";
                }
            }
        }
        offers
    }
}

/// What a message is sent by.
pub(super) struct Envelope<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
}

/// A conversation.
pub(super) struct Session<S> {
    stream: S,
    /// What was read beyond the last reply.
    early: Vec<u8>,
}

impl<S: Wire> Session<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, early: Vec::new() }
    }

    /// 1. The server speaks first.
    pub(super) async fn greeted(&mut self, until: Instant) -> Result<(), Trouble> {
        self.begin(until);
        let greeting = self.reply().await?;
        expect(greeting, 220, Stage::Greeting).map(drop)
    }

    /// 1.
    pub(super) async fn hello(&mut self, name: &str, until: Instant) -> Result<Offers, Trouble> {
        let reply = self.ask(&["EHLO ", name], until).await?;
        expect(reply, 250, Stage::Hello).map(|reply| Offers::of(&reply))
    }

    /// 1. The stream, on which the TLS handshake is next. A server that said more than its reply has said it in the clear: it
    ///    is not believed inside TLS.
    pub(super) async fn starttls(mut self, until: Instant) -> Result<S, Failure> {
        let reply = self.ask(&["STARTTLS"], until).await?;
        match reply.code {
            220 if self.early.is_empty() => Ok(self.stream),
            220 => Err(Failure::Transport(EgressError::Tls(TrustRefusal::Handshake))),
            400..500 => Err(Failure::Busy(None)),
            _ => Err(Failure::Transport(EgressError::Tls(TrustRefusal::NotOffered))),
        }
    }

    /// 2.
    pub(super) async fn authenticate(
        &mut self,
        offers: &Offers,
        (user, password): (&SecretText, &SecretText),
        until: Instant,
    ) -> Result<(), Trouble> {
        let (user, password) = (user.expose(), password.expose());
        if offers.plain {
            // RFC 4616.
            let response = base64(&["\0", user, "\0", password]);
            let reply = self.ask(&["AUTH PLAIN ", &response], until).await?;
            if !(offers.login && refuses_mechanism(&reply)) {
                return expect(reply, 235, Stage::Auth).map(drop);
            }
        }
        if !offers.login {
            return Err(Trouble::NoAuth);
        }
        let asked = self.ask(&["AUTH LOGIN"], until).await?;
        expect(asked, 334, Stage::Auth)?;
        let asked = self.ask(&[&base64(&[user])], until).await?;
        expect(asked, 334, Stage::Auth)?;
        let last = self.ask(&[&base64(&[password])], until).await?;
        expect(last, 235, Stage::Auth).map(drop)
    }

    /// 3. Until the server waits for the message.
    pub(super) async fn offer(&mut self, envelope: &Envelope<'_>, until: Instant) -> Result<(), Trouble> {
        let reply = self.ask(&["MAIL FROM:<", envelope.from, ">"], until).await?;
        expect(reply, 250, Stage::Mail)?;
        let reply = self.ask(&["RCPT TO:<", envelope.to, ">"], until).await?;
        // 251 and 252 take it as well.
        if reply.code / 100 != 2 {
            return Err(Trouble::Replied(Stage::Rcpt, reply));
        }
        let reply = self.ask(&["DATA"], until).await?;
        expect(reply, 354, Stage::Data).map(drop)
    }

    /// 4. All of the message but the final point. Without that a server takes nothing (RFC 5321 §4.1.1.4).
    pub(super) async fn message(&mut self, lines: &[u8], until: Instant) -> Result<(), Trouble> {
        self.begin(until);
        self.write(lines).await?;
        // A server that speaks now refuses, or has closed.
        if self.speaks().await {
            let reply = self.reply().await?;
            return Err(Trouble::Replied(Stage::Data, reply));
        }
        Ok(())
    }

    /// 4. The final point, and the code of the reply to it with as much of the reply as could be read. Whatever went wrong, if
    ///    there is no code the message may have been taken.
    pub(super) async fn point(&mut self, until: Instant) -> Option<Reply> {
        self.stream.meter().begin_until(until);
        self.write(b".\r\n").await.ok()?;
        let mut reader = ReplyReader::default();
        match self.read_into(&mut reader).await {
            Ok(reply) => Some(reply),
            Err(_) => reader.code_so_far().map(|code| Reply { code, lines: Vec::new() }),
        }
    }

    /// Whether the conversation can go on with another message.
    pub(super) fn is_in_step(&self) -> bool {
        self.early.is_empty() && self.stream.meter().exceeded().is_none()
    }

    /// No answer is waited for.
    pub(super) fn rest(&self) {
        self.stream.meter().rest();
    }

    /// Takes leave, as far as the server takes that.
    pub(super) async fn quit(mut self) {
        self.stream.meter().begin_until(Instant::now() + DRAIN_TIMEOUT);
        let _ = self.write(b"QUIT\r\n").await;
        let _ = self.stream.shutdown().await;
    }

    /// An answer begins: as long as those of mail servers may take, and no longer than until `until`.
    fn begin(&self, until: Instant) {
        self.stream.meter().begin_until(until.min(Instant::now() + AnswerBudget::MAIL.time));
    }

    async fn ask(&mut self, line: &[&str], until: Instant) -> Result<Reply, Trouble> {
        self.begin(until);
        // Credentials are in some of them.
        let mut bytes = Zeroizing::new(Vec::with_capacity(line.iter().map(|part| part.len()).sum::<usize>() + 2));
        line.iter().for_each(|part| bytes.extend_from_slice(part.as_bytes()));
        bytes.extend_from_slice(b"\r\n");
        self.write(&bytes).await?;
        self.reply().await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        if !self.early.is_empty() {
            return Err(Trouble::Broken(EgressError::Protocol));
        }
        let written = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        written.await.map_err(|_| self.broken())
    }

    async fn reply(&mut self) -> Result<Reply, Trouble> {
        self.read_into(&mut ReplyReader::default()).await
    }

    async fn read_into(&mut self, reader: &mut ReplyReader) -> Result<Reply, Trouble> {
        loop {
            let early = std::mem::take(&mut self.early);
            for (at, byte) in early.iter().enumerate() {
                if let Some(reply) = reader.push(*byte).map_err(|_| Trouble::Broken(EgressError::Protocol))? {
                    self.early.extend_from_slice(&early[at + 1..]);
                    return Ok(reply);
                }
            }
            let mut buffer = [0; READ];
            let count = self.stream.read(&mut buffer).await.map_err(|_| self.broken())?;
            if count == 0 {
                return Err(self.broken());
            }
            self.early.extend_from_slice(&buffer[..count]);
        }
    }

    fn broken(&self) -> Trouble {
        Trouble::Broken(self.stream.meter().exceeded().unwrap_or(EgressError::Protocol))
    }

    /// Whether something has come, or the stream has ended. It does not wait.
    async fn speaks(&mut self) -> bool {
        let Self { stream, early } = self;
        poll_fn(|cx| {
            let mut bytes = [0; READ];
            let mut buffer = ReadBuf::new(&mut bytes);
            let polled = Pin::new(&mut *stream).poll_read(cx, &mut buffer);
            early.extend_from_slice(buffer.filled());
            Poll::Ready(polled.is_ready())
        })
        .await
    }
}

/// Whether a reply to AUTH refuses the mechanism, not the credential: a command or parameter that the server does not know
/// (RFC 5321 §4.2.2), or a mechanism that it does not take here (RFC 4954 §6).
fn refuses_mechanism(reply: &Reply) -> bool {
    matches!(reply.code, 500 | 501 | 502 | 504 | 534 | 538)
}

fn expect(reply: Reply, code: u16, stage: Stage) -> Result<Reply, Trouble> {
    if reply.code == code { Ok(reply) } else { Err(Trouble::Replied(stage, reply)) }
}

fn base64(parts: &[&str]) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| bytes.extend_from_slice(part.as_bytes()));
    Zeroizing::new(BASE64.encode(&bytes))
}

#[cfg(test)]
mod tests;
