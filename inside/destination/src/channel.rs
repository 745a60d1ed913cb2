//! How a message is sent.

/// How a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// Text message.
    Sms,
    /// E-mail.
    Email,
}

impl Channel {
    /// The API's word for it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Email => "email",
        }
    }

    /// Parses the API's word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Sms, Self::Email].into_iter().find(|channel| channel.text() == text)
    }
}
