//! What goes into a decider.

use alloc::string::String;
use alloc::vec::Vec;

use adyton_seal::Code;

use crate::{AppHash, Channel, Destination, MessageLook, Outcome, Rules, Scopes, Seconds, ServiceSettings, Sid};

/// Who a request says it is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// An account, by its own token.
    Account(Sid),
    /// An API key.
    Key(Sid),
}

/// Who asks: a user and the keyed hash of the token it presented. The decider compares it in constant time.
pub struct Caller {
    /// The user named in the request.
    pub user: User,
    /// `token hash` of `docs/spec/00-conventions.md`.
    pub token_hash: [u8; 32],
}

/// Everything a decider may know besides its state and the command.
pub type Context<'a> = adyton_decider::Context<'a, Rules>;

/// Keyed hashes of a destination, by which state and log know it (`docs/spec/00-conventions.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subjects {
    /// In its service.
    pub in_service: [u8; 16],
    /// In its tenant, over all services.
    pub in_tenant: [u8; 16],
    /// What it shares with many other addresses, in its tenant.
    pub shared: Shared,
}

/// Keyed hash of what many addresses share; the two kinds have ceilings of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shared {
    /// A block of telephone numbers ([`Destination::prefix`]).
    NumberBlock([u8; 16]),
    /// A mail domain.
    MailDomain([u8; 16]),
}

/// What is to be sent, parsed and normalised.
pub struct Start {
    /// The service.
    pub service: Sid,
    /// The person's address.
    pub destination: Destination,
    /// Its keyed hashes.
    pub subjects: Subjects,
    /// How to send.
    pub channel: Channel,
    /// A code that the caller supplies.
    pub custom_code: Option<Code>,
    /// What the message looks like.
    pub look: MessageLook,
    /// What it costs, in millionths of the policy's unit.
    pub cost: u64,
}

/// A change of a tenant's keys, all made on the tenant's side.
pub struct KeyChanges {
    /// Forget every API key first.
    pub reset: bool,
    /// A new token of the account itself.
    pub token_hash: Option<[u8; 32]>,
    /// API keys that go.
    pub removed: Vec<Sid>,
    /// API keys that come: SID, scopes, keyed hash of the token.
    pub added: Vec<(Sid, Scopes, [u8; 32])>,
}

/// One request to the vault, parsed and normalised.
pub enum Command {
    /// A tenant comes into being; its client made the token.
    CreateTenant {
        /// The account SID its client chose.
        account: Sid,
        /// Keyed hash of its token.
        token_hash: [u8; 32],
        /// A name for people; public to the tenant.
        friendly_name: String,
        /// OpenSSH public key of its own signed requests; empty for none.
        ssh_key: Vec<u8>,
        /// Sequence of the owners' signed request that admits it, if one does. The signature was verified.
        admitted: Option<u64>,
    },
    /// A tenant's signed request changes its keys. The signature was verified.
    ChangeKeys {
        /// The tenant.
        account: Sid,
        /// Sequence of the signed request.
        sequence: u64,
        /// What changes.
        changes: KeyChanges,
    },
    /// What a tenant is and which keys it has.
    FetchTenant {
        /// Who asks.
        caller: Caller,
    },
    /// The owners' signed request changes the settings. The signatures were verified, the text held against the policy.
    ChangeSettings {
        /// Sequence of the signed request.
        sequence: u64,
        /// The settings.
        text: String,
    },
    /// A tenant's signed request makes a service weaker, after a wait. The signature was verified.
    Loosen {
        /// Who asks: an admin key, besides the signature.
        caller: Caller,
        /// The tenant that signed.
        account: Sid,
        /// Sequence of the signed request.
        sequence: u64,
        /// The service.
        service: Sid,
        /// Code length from then on.
        code_length: Option<u8>,
        /// Whether callers may supply codes from then on.
        custom_code: bool,
    },
    /// An admin takes a loosening that still waits back.
    WithdrawLoosening {
        /// Who asks.
        caller: Caller,
        /// The service.
        service: Sid,
    },
    /// A verification service of the caller's account.
    CreateService {
        /// Who asks.
        caller: Caller,
        /// What it is like.
        settings: ServiceSettings,
    },
    /// Change a service; what is `None` stays.
    UpdateService {
        /// Who asks.
        caller: Caller,
        /// The service.
        service: Sid,
        /// What changes.
        update: ServiceUpdate,
    },
    /// Delete a service and end its verifications.
    DeleteService {
        /// Who asks.
        caller: Caller,
        /// The service.
        service: Sid,
    },
    /// Look at a service.
    FetchService {
        /// Who asks.
        caller: Caller,
        /// The service.
        service: Sid,
    },
    /// The caller's services, newest first.
    ListServices {
        /// Who asks.
        caller: Caller,
        /// Go on after this one.
        after: Option<(Seconds, Sid)>,
        /// How many at most.
        most: usize,
    },
    /// Send a code; resends if one is live for this destination.
    Start(Caller, Start),
    /// Compare a code.
    Check {
        /// Who asks.
        caller: Caller,
        /// The service.
        service: Sid,
        /// Which verification.
        target: Target,
        /// What the person typed.
        code: Code,
    },
    /// Look at a live verification.
    FetchVerification {
        /// Who asks.
        caller: Caller,
        /// The service.
        service: Sid,
        /// Which verification.
        target: Target,
    },
    /// End a live verification.
    Cancel {
        /// Who asks.
        caller: Caller,
        /// The service.
        service: Sid,
        /// Which verification.
        target: Target,
    },
    /// Call a verification with a supplied code approved, as the policy may let a service do.
    Approve {
        /// Who asks.
        caller: Caller,
        /// The service.
        service: Sid,
        /// Which verification.
        target: Target,
    },
    /// Support looks at one verification.
    Support {
        /// Who asks.
        caller: Caller,
        /// The verification whose SID a person read out.
        verification: Sid,
    },
    /// How an attempt to send ended.
    ReportDelivery {
        /// The verification.
        verification: Sid,
        /// The attempt.
        attempt: Sid,
        /// How it ended.
        outcome: Outcome,
        /// The last route that was tried, by its place in the policy.
        route: Option<u8>,
    },
    /// An attempt may have left without an answer, and its carrier deduplicates: it is to be handed over once more, which
    /// counts as a message.
    CountRepeat {
        /// The verification.
        verification: Sid,
        /// The attempt.
        attempt: Sid,
        /// What it counts for.
        subjects: Subjects,
        /// What it costs.
        cost: u64,
    },
    /// Time passed: erase what has expired.
    Tick,
}

/// Changes to a service; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceUpdate {
    /// A name for people.
    pub friendly_name: Option<String>,
    /// Digits of its codes.
    pub code_length: Option<u8>,
    /// Whether callers may supply codes.
    pub custom_code: Option<bool>,
    /// Whether messages ask not to share the code.
    pub do_not_share: Option<bool>,
    /// Domain that codes are bound to; empty for none.
    pub web_otp_domain: Option<String>,
    /// Android apps that a message may be handed to.
    pub app_hashes: Option<Vec<AppHash>>,
}

impl Target {
    /// The same name again.
    pub fn duplicate(&self) -> Self {
        match self {
            Self::Sid(sid) => Self::Sid(*sid),
            Self::Subject(subject) => Self::Subject(*subject),
        }
    }
}

/// How a request names its verification.
pub enum Target {
    /// By its SID.
    Sid(Sid),
    /// By `To`: its keyed hash in the service.
    Subject([u8; 16]),
}
