//! The closed list of operational events: all that the inside ever says about itself.

/// Why a message could not be handed to a carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryFailure {
    /// No connection.
    Connect,
    /// The carrier's certificate is not the one that the policy trusts.
    Tls,
    /// The carrier refused the message.
    Refused,
    /// No answer in time.
    Timeout,
}

/// Why a log's writer stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The store acknowledged an append with a size that is not this writer's: another one is at the log.
    Fenced,
    /// The store refused an append: the log has another size than this writer knows.
    Conflict,
    /// A batch could not be sealed.
    Sealing,
    /// A batch did not fit a frame.
    Frame,
    /// The task that keeps the append channel is gone.
    ChannelGone,
    /// The writer's task panicked.
    Panicked,
}

impl StopReason {
    /// Every reason, in the order of their numbers, which begin with 1.
    pub const ALL: [Self; 6] =
        [Self::Fenced, Self::Conflict, Self::Sealing, Self::Frame, Self::ChannelGone, Self::Panicked];

    /// The number in the event.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    /// The word in metrics.
    pub fn text(self) -> &'static str {
        match self {
            Self::Fenced => "fenced",
            Self::Conflict => "conflict",
            Self::Sealing => "sealing",
            Self::Frame => "frame",
            Self::ChannelGone => "channel_gone",
            Self::Panicked => "panicked",
        }
    }
}

/// A ceiling on what a tenant sends in an hour, or on what its support looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ceiling {
    /// Messages to one destination.
    Destination,
    /// Messages to one block of telephone numbers.
    NumberBlock,
    /// Messages to one mail domain.
    MailDomain,
    /// Messages of one tenant.
    Tenant,
    /// Cost of one tenant's messages.
    Spend,
    /// Looks of one tenant's support.
    Support,
}

impl Ceiling {
    /// Every ceiling, in the order of their numbers, which begin with 1.
    pub const ALL: [Self; 6] =
        [Self::Destination, Self::NumberBlock, Self::MailDomain, Self::Tenant, Self::Spend, Self::Support];

    /// The number in the event.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    /// The word in metrics.
    pub fn text(self) -> &'static str {
        match self {
            Self::Destination => "destination",
            Self::NumberBlock => "number_block",
            Self::MailDomain => "mail_domain",
            Self::Tenant => "tenant",
            Self::Spend => "spend",
            Self::Support => "support",
        }
    }
}

/// An operational event: numbers only, none of which depends on a secret, a destination or a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A step of the boot begins.
    BootPhase {
        /// Its number in `boot.rs`.
        phase: u8,
    },
    /// The API answers.
    Ready {
        /// Events replayed.
        replayed: u64,
        /// Microseconds since the process began.
        micros: u64,
    },
    /// The store does not take appends; new work is answered with 503.
    StoreLost {
        /// Which log.
        log: u16,
    },
    /// The store takes appends again.
    StoreBack {
        /// Which log.
        log: u16,
    },
    /// Another writer was there: this enclave stops writing for ever.
    Fenced {
        /// Which log.
        log: u16,
        /// Size that the store has.
        size: u64,
    },
    /// A message could not be handed over.
    DeliveryFailed {
        /// Why.
        class: DeliveryFailure,
    },
    /// A snapshot is durable.
    SnapshotTaken {
        /// Of which log.
        log: u16,
        /// Entries below this index are covered.
        index: u64,
    },
    /// The boot was refused.
    BootRefused {
        /// The reason's number in `boot/error.rs`.
        reason: u8,
    },
    /// The vault booted often in the last hour: this boot waits before it goes on.
    BootDelayed {
        /// Boots in the last hour.
        boots: u64,
        /// How long it waits.
        seconds: u64,
    },
    /// The platform gives no document for clients' nonces.
    PlatformLost,
    /// It gives them again.
    PlatformBack,
    /// A carrier refused the vault's own account or sender at it; at most once a minute for each route.
    SenderRefused {
        /// The route, by its place in the policy.
        route: u8,
    },
    /// What the host shows of a log is not what its signed head says; no snapshot is taken of it.
    LogFaulty {
        /// Which log.
        log: u16,
        /// Entries that could be read before.
        index: u64,
    },
    /// A log's writer stopped for ever; the process ends.
    WriterStopped {
        /// Which log.
        log: u16,
        /// Why.
        reason: StopReason,
    },
    /// Some tenant has used 80 % of a ceiling; at most once for each ceiling in an hour.
    CeilingNear {
        /// Which ceiling.
        ceiling: Ceiling,
    },
    /// How much was done since the boot, at times that do not depend on it.
    Counters(Counters),
}

/// Sums over all tenants since the boot. A flood of requests that are malformed or without a right shows nowhere here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Codes asked for, resends included.
    pub starts: u64,
    /// Checks, whatever came of them: the sum of right codes would tell the result of a check that is alone in its minute.
    pub checks: u64,
    /// Messages that a carrier took.
    pub accepted: u64,
    /// Messages that a carrier refused for good.
    pub refused: u64,
    /// Messages that no carrier took in time.
    pub gave_up: u64,
    /// Messages for which no carrier could be reached.
    pub unreachable: u64,
    /// Messages that left and that no carrier confirmed.
    pub unconfirmed: u64,
    /// Messages that were withdrawn before a carrier had them.
    pub withdrawn: u64,
    /// Live verifications, in hundreds, rounded down.
    pub live_hundreds: u64,
    /// Requests refused by each ceiling, in the order of [`Ceiling::ALL`].
    pub refused_by_ceiling: [u64; Ceiling::ALL.len()],
}
