//! A mail submission server, as small as the phone page needs: implicit TLS, AUTH PLAIN, one recipient.
//!
//! 1. EHLO and AUTH PLAIN come first;
//! 2. MAIL, RCPT, DATA bring a message, whose plain part goes to the phone;
//! 3. RSET, NOOP and QUIT do what they say; everything else is refused.

use std::io;
use std::sync::Arc;

use adyton_seal::same;
use data_encoding::BASE64;
use mail_parser::MessageParser;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

use crate::credentials;
use crate::faults::{Fault, Faults, after};
use crate::inbox::{Inbox, Message};
use crate::phone;

/// Longest line, and longest message.
const MAX_LINE: u64 = 4096;
const MAX_MESSAGE: usize = 1024 * 1024;

/// Where mails go, and what is to go wrong.
pub struct MailServer {
    /// Where they go.
    pub inbox: Arc<Inbox>,
    /// What is to go wrong.
    pub faults: Arc<Faults>,
}

impl MailServer {
    /// Serves one connection, TLS already around it.
    ///
    /// # Errors
    /// The stream's, and those of a client that says too much.
    pub async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        let (mut authenticated, mut from, mut to) = (false, None, None::<String>);
        say(&mut stream, "220 mail.adyton.test pretend ESMTP").await?;
        loop {
            let line = line(&mut stream).await?;
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let reply = match verb.to_ascii_uppercase().as_str() {
                // 1.
                "EHLO" => "250-mail.adyton.test\r\n250-8BITMIME\r\n250 AUTH PLAIN",
                "AUTH" => {
                    authenticated = plain(rest).is_some_and(|shown| same(&shown, expected().as_bytes()));
                    if authenticated { "235 welcome" } else { "535 credentials refused" }
                }
                // 2.
                "MAIL" if !authenticated => "530 authenticate first",
                "MAIL" => {
                    from = address(rest, "FROM:");
                    if from.is_some() { "250 sender taken" } else { "501 no sender" }
                }
                "RCPT" if from.is_some() => match address(rest, "TO:") {
                    Some(address) => match self.faults.of(&address).await {
                        Some(Fault::Refuse) => "550 5.1.1 no such mailbox",
                        Some(Fault::Busy | Fault::Failure | Fault::Redirect) => "451 try again later",
                        Some(Fault::Garbage) => "who are you?",
                        Some(Fault::Close) => return Ok(()),
                        Some(Fault::Suspended | Fault::NoRedaction) => "550 5.7.1 relaying denied",
                        Some(Fault::Slow | Fault::Late | Fault::Cut | Fault::TakenThenError) | None => {
                            to = Some(address);
                            "250 recipient taken"
                        }
                    },
                    None => "501 no recipient",
                },
                "DATA" => match (from.take(), to.take()) {
                    (Some(from), Some(to)) => {
                        say(&mut stream, "354 go ahead").await?;
                        let content = content(&mut stream).await?;
                        let fault = self.faults.of(&to).await;
                        let taken = self.put(from, to, &content);
                        after(fault).await;
                        // Every reply with a code is definite, so a mail server that fails within breaks off.
                        if matches!(fault, Some(Fault::Cut | Fault::TakenThenError)) {
                            return Ok(());
                        }
                        if taken { "250 message taken" } else { "554 no message" }
                    }
                    _ => "503 sender and recipient first",
                },
                // 3.
                "RSET" => {
                    (from, to) = (None, None);
                    "250 forgotten"
                }
                "NOOP" => "250 nothing done",
                "QUIT" => return say(&mut stream, "221 bye").await,
                _ => "502 not here",
            };
            say(&mut stream, reply).await?;
        }
    }

    fn put(&self, from: String, to: String, content: &[u8]) -> bool {
        let Some(mail) = MessageParser::default().parse(content) else { return false };
        let Some(body) = mail.body_text(0).map(|text| text.trim_end().replace("\r\n", "\n")) else { return false };
        let subject = mail.subject().map(str::to_owned);
        let id = mail.message_id().unwrap_or_default().to_owned();
        self.inbox.put(&id, Message { to, from, channel: "email".into(), subject, body, at: phone::now() });
        true
    }
}

/// What AUTH PLAIN must say (RFC 4616).
fn expected() -> String {
    let (user, password) = credentials::MAIL.split_once(':').unwrap_or_default();
    format!("\0{user}\0{password}")
}

fn plain(rest: &str) -> Option<Vec<u8>> {
    let (mechanism, response) = rest.split_once(' ')?;
    mechanism.eq_ignore_ascii_case("PLAIN").then(|| BASE64.decode(response.as_bytes()).ok())?
}

/// The address of `FROM:<address>` or `TO:<address>`.
fn address(rest: &str, prefix: &str) -> Option<String> {
    let named = rest.get(..prefix.len())?.eq_ignore_ascii_case(prefix);
    let address = rest.get(prefix.len()..)?.trim().strip_prefix('<')?.split_once('>')?.0;
    (named && address.contains('@')).then(|| address.to_owned())
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), reply: &str) -> io::Result<()> {
    stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
    stream.flush().await
}

async fn line(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<String> {
    let mut line = String::new();
    stream.take(MAX_LINE).read_line(&mut line).await?;
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(line.to_owned()),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Lines up to a single point, doubled points undone (RFC 5321 §4.5.2).
async fn content(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    while content.len() < MAX_MESSAGE {
        let line = line(stream).await?;
        if line == "." {
            return Ok(content);
        }
        content.extend_from_slice(line.strip_prefix('.').unwrap_or(&line).as_bytes());
        content.extend_from_slice(b"\r\n");
    }
    Err(io::ErrorKind::InvalidData.into())
}
