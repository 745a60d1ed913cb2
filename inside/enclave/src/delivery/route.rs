//! A route as the policy names it: which carrier, how it is spoken with, whom to trust there.

use adyton_vault::Channel;

use crate::egress::Trust;

/// One route of the policy.
#[derive(Clone, Debug)]
pub struct RouteConfig {
    /// Its name in settings.
    pub name: String,
    /// How its carrier is spoken with.
    pub kind: RouteKind,
    /// What it carries.
    pub channels: Vec<Channel>,
    /// DNS name; never an address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whom to trust there.
    pub trust: Trust,
    /// Name of its credential in the settings.
    pub credential: String,
    /// Cost of a message, in millionths of the policy's unit.
    pub cost: u64,
}

/// How a carrier is spoken with.
#[derive(Clone, Debug)]
pub enum RouteKind {
    /// The Messages resource of Twilio, or of a service that has the same one at the same path.
    TwilioMessages {
        /// The account's SID.
        account: String,
        /// Who the message comes from.
        sender: Sender,
        /// What the carrier is asked not to keep.
        retention: Retention,
    },
    /// A gateway that takes signed JSON (`docs/spec/07-delivery.md`).
    Webhook {
        /// Path of the request.
        path: String,
        /// Who the message comes from, if the gateway is to be told.
        from: Option<String>,
        /// The gateway's X25519 key, if what stands before it must not see codes.
        seal_code_to: Option<[u8; 32]>,
    },
    /// Mail submission (RFC 6409).
    Smtp {
        /// When TLS begins.
        tls: SmtpTls,
        /// The mailbox that messages come from, such as `Example <codes@example.com>`.
        from: String,
    },
}

/// What a carrier is asked not to keep of a message; otherwise its account's setting holds. Whether it complies nobody outside
/// it can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The text: `ContentRetention=discard`.
    pub discard_content: bool,
    /// The number: `AddressRetention=obfuscate`.
    pub obfuscate_address: bool,
}

impl Default for Retention {
    fn default() -> Self {
        Self { discard_content: true, obfuscate_address: true }
    }
}

/// Who a text message comes from.
#[derive(Clone, Debug)]
pub enum Sender {
    /// A number or an alphanumeric sender.
    From(String),
    /// A messaging service, which picks one.
    MessagingService(String),
}

/// When TLS begins on a mail connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// From the first byte (RFC 8314).
    Implicit,
    /// After STARTTLS (RFC 3207). A server that does not offer it gets nothing.
    StartTls,
}
