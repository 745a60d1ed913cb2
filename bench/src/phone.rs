//! The phone's stream: codes as they arrive, by number.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::Error;
use crate::vault::Vault;

/// What one number waits for, or has got already.
enum Slot {
    Waiting(oneshot::Sender<String>),
    Arrived(String),
}

/// Codes by number. One thread; the stream is read by a task beside the load.
#[derive(Clone, Default)]
pub(crate) struct Codes(Rc<RefCell<HashMap<String, Slot>>>);

impl Codes {
    /// Follows a vault's phone from now on.
    pub(crate) async fn follow(vault: &Vault) -> Result<Self, Error> {
        let (host, token) = vault.phone().ok_or("the vault has no phone")?;
        let mut stream = TcpStream::connect(host).await?;
        let request = format!("GET /{token}/stream HTTP/1.1\r\nhost: {host}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let codes = Self::default();
        let arrived = codes.clone();
        tokio::task::spawn_local(async move {
            let mut lines = BufReader::with_capacity(1 << 16, stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                // Chunk sizes of the transfer coding and the head stand between the messages.
                if let Some((to, code)) = message(&line) {
                    arrived.put(to, code);
                }
            }
        });
        Ok(codes)
    }

    /// A code has arrived.
    pub(crate) fn put(&self, to: &str, code: &str) {
        let mut slots = self.0.borrow_mut();
        match slots.remove(to) {
            Some(Slot::Waiting(sender)) => drop(sender.send(code.into())),
            _ => drop(slots.insert(to.into(), Slot::Arrived(code.into()))),
        }
    }

    /// The code that a number gets next.
    pub(crate) async fn of(&self, to: &str) -> Result<String, Error> {
        let receiver = {
            let mut slots = self.0.borrow_mut();
            if let Some(Slot::Arrived(code)) = slots.remove(to) {
                return Ok(code);
            }
            let (sender, receiver) = oneshot::channel();
            slots.insert(to.into(), Slot::Waiting(sender));
            receiver
        };
        Ok(tokio::time::timeout(std::time::Duration::from_secs(30), receiver).await??)
    }
}

/// Lets mail to `@dead.example` hang at its carrier, which takes it and never says so, or get through.
pub(crate) async fn let_mail_hang(vault: &Vault, hang: bool) -> Result<(), Error> {
    let (host, token) = vault.phone().ok_or("the vault has no phone")?;
    let faults = if hang { r#"{"@dead.example":"late"}"# } else { "{}" };
    let request = format!(
        "PUT /{token}/faults HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{faults}",
        faults.len()
    );
    let mut stream = TcpStream::connect(host).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await?;
    if answer.starts_with("HTTP/1.1 204") { Ok(()) } else { Err(format!("the phone answered {answer}").into()) }
}

fn message(line: &str) -> Option<(&str, &str)> {
    let to = between(line, "\"to\":\"", "\"")?;
    let body = between(line, "\"body\":\"", "\"")?;
    Some((to, body.rsplit(' ').next()?))
}

/// What stands between two texts.
pub(crate) fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}
