//! Messages that have arrived, for the phone to show. Memory only.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::broadcast;

/// Messages that the phone remembers.
const REMEMBERED: usize = 100_000;

/// A message as the phone shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    /// Number or mail address it went to.
    pub to: String,
    /// Sender.
    pub from: String,
    /// How it came.
    pub channel: String,
    /// Its subject, if it is a mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Its text.
    pub body: String,
    /// When, `YYYY-MM-DDTHH:MM:SSZ`.
    pub at: String,
}

/// What has arrived.
pub struct Inbox {
    inner: Mutex<Inner>,
    arrivals: broadcast::Sender<Arc<Message>>,
}

#[derive(Default)]
struct Inner {
    /// Newest last, with the idempotency key it came under.
    messages: VecDeque<(String, Arc<Message>)>,
    keys: HashMap<String, ()>,
    by_number: HashMap<String, VecDeque<Arc<Message>>>,
}

impl Default for Inbox {
    fn default() -> Self {
        Self { inner: Mutex::default(), arrivals: broadcast::channel(65_536).0 }
    }
}

impl Inbox {
    /// Takes a message in; false if this key was seen before.
    pub fn put(&self, key: &str, message: Message) -> bool {
        let message = Arc::new(message);
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if !key.is_empty() && inner.keys.insert(key.into(), ()).is_some() {
            return false;
        }
        inner.messages.push_back((key.into(), Arc::clone(&message)));
        inner.by_number.entry(message.to.clone()).or_default().push_back(Arc::clone(&message));
        if inner.messages.len() > REMEMBERED
            && let Some((key, oldest)) = inner.messages.pop_front()
        {
            inner.keys.remove(&key);
            if let Some(of_number) = inner.by_number.get_mut(&oldest.to) {
                of_number.pop_front();
                if of_number.is_empty() {
                    inner.by_number.remove(&oldest.to);
                }
            }
        }
        drop(inner);
        let _ = self.arrivals.send(message);
        true
    }

    /// Messages, newest first, of one number or of all.
    pub fn list(&self, to: Option<&str>, most: usize) -> Vec<Arc<Message>> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        match to {
            Some(to) => inner.by_number.get(to).into_iter().flatten().rev().take(most).cloned().collect(),
            None => inner.messages.iter().rev().take(most).map(|(_, message)| Arc::clone(message)).collect(),
        }
    }

    /// Messages as they arrive.
    pub fn arrivals(&self) -> broadcast::Receiver<Arc<Message>> {
        self.arrivals.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_brings_one_message() {
        let inbox = Inbox::default();
        let message = |body: &str| Message {
            to: "+15550100".into(),
            from: "Adyton".into(),
            channel: "sms".into(),
            subject: None,
            body: body.into(),
            at: crate::phone::now(),
        };
        assert!(inbox.put("a", message("one")));
        assert!(!inbox.put("a", message("one")));
        assert!(inbox.put("b", message("two")));
        let bodies: Vec<_> = inbox.list(Some("+15550100"), 10).iter().map(|found| found.body.clone()).collect();
        assert_eq!(bodies, ["two", "one"]);
        assert!(inbox.list(Some("+15550101"), 10).is_empty());
    }
}
