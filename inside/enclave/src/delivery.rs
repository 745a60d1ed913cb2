//! Handing messages to the carrier, once what they tell of is durable.
//!
//! 1. a worker takes a message; it keeps one connection and uses it again;
//! 2. it posts the message with the attempt's SID as idempotency key, so that a repeat is one message;
//! 3. if nothing came back it tries again, more slowly each time, while the code lives;
//! 4. the outcome goes back as a command.
//!
//! Workers are independent: a carrier that is slow holds up messages, never a check or an answer.

use std::sync::Arc;

use adyton_frame::{DeliveryFailure, Event};
use adyton_vault::{Command, Effect, Outcome, SidKind};
use bytes::Bytes;
use serde::Serialize;
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Duration, sleep};
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::egress::{Connection, Route};
use crate::engine::Engine;
use crate::events::Events;

/// Messages under way at once.
const WORKERS: usize = 16;
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What a worker needs.
#[derive(Clone)]
pub struct Delivery {
    /// The carrier.
    pub route: Route,
    /// Where outcomes go.
    pub engine: Engine,
    /// Time.
    pub clock: Arc<Clock>,
    /// Words to the outside.
    pub events: Events,
}

/// Starts the workers.
pub fn start(delivery: &Delivery, effects: mpsc::UnboundedReceiver<Effect>) {
    let effects = Arc::new(Mutex::new(effects));
    for _ in 0..WORKERS {
        tokio::spawn(work(delivery.clone(), Arc::clone(&effects)));
    }
}

async fn work(delivery: Delivery, effects: Arc<Mutex<mpsc::UnboundedReceiver<Effect>>>) {
    let mut connection = None;
    loop {
        // 1.
        let Some(effect) = effects.lock().await.recv().await else { return };
        let Effect::Send { verification, attempt, to, channel, body, until } = effect;
        let Some(message) = message(to.expose(), channel.text(), body.expose()) else { continue };
        let message = Bytes::from_owner(message);
        let key = attempt.text(SidKind::Attempt);
        let outcome = delivery.send(&mut connection, &key, message, until).await;
        // 4. Without the store the outcome is only not known, which is what it says until then.
        let report = Command::ReportDelivery { verification, attempt, outcome };
        let _ = delivery.engine.submit(report).await;
    }
}

#[derive(Serialize)]
struct Message<'a> {
    to: &'a str,
    from: &'a str,
    channel: &'a str,
    body: &'a str,
}

/// The message as the carrier takes it, in one allocation that is zeroized with its last user: the code is in it. What
/// HTTP and TLS copy of it on its way is theirs.
fn message(to: &str, channel: &str, body: &str) -> Option<Zeroizing<Vec<u8>>> {
    let message = Message { to, from: "Adyton", channel, body };
    // Names have no control characters, so that escapes at most double a text.
    let room = 64 + 2 * (to.len() + channel.len() + body.len());
    let mut json = Zeroizing::new(Vec::with_capacity(room));
    serde_json::to_writer(&mut *json, &message).ok()?;
    Some(json)
}

impl Delivery {
    async fn send(&self, connection: &mut Option<Connection>, key: &str, message: Bytes, until: u64) -> Outcome {
        let mut wait = FIRST_WAIT;
        while self.clock.now() < until {
            match self.try_once(connection, key, message.clone()).await {
                Ok(()) => return Outcome::Accepted,
                Err(DeliveryFailure::Refused) => {
                    self.events.emit(Event::DeliveryFailed { class: DeliveryFailure::Refused });
                    return Outcome::Refused;
                }
                Err(class) => {
                    self.events.emit(Event::DeliveryFailed { class });
                    // 3.
                    sleep(wait).await;
                    wait = (2 * wait).min(LONGEST_WAIT);
                }
            }
        }
        Outcome::GaveUp
    }

    /// 2. A connection that broke while idle says nothing about the carrier, so that is tried again at once.
    async fn try_once(
        &self,
        connection: &mut Option<Connection>,
        key: &str,
        message: Bytes,
    ) -> Result<(), DeliveryFailure> {
        let mut reused = true;
        loop {
            let mut open = match connection.take() {
                Some(open) => open,
                None => {
                    reused = false;
                    self.route.connect().await.map_err(|error| error.class())?
                }
            };
            match open.post("/carrier/messages", Some(key), message.clone()).await {
                Ok((status, _)) => {
                    *connection = Some(open);
                    return match status.as_u16() {
                        200..=299 => Ok(()),
                        408 | 425 | 429 | 500.. => Err(DeliveryFailure::Timeout),
                        _ => Err(DeliveryFailure::Refused),
                    };
                }
                Err(_) if reused => {}
                Err(error) => return Err(error.class()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn a_message_never_outgrows_its_buffer() {
        // The longest name, of characters that are escaped.
        let body = format!("Your {} verification code is: 0123456789", "\"\\".repeat(32));
        let to = "+155501001234567";
        let json = message(to, "sms", &body).unwrap();
        assert_eq!(json.capacity(), 64 + 2 * (to.len() + 3 + body.len()), "no copy was left behind");
        let read: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(read, serde_json::json!({ "to": to, "from": "Adyton", "channel": "sms", "body": body }));
    }
}
