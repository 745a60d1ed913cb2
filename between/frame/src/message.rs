//! The messages, and which channel carries which.

use alloc::string::String;
use alloc::vec::Vec;

use crate::Event;

/// Version of the protocol.
pub const VERSION: u16 = 1;

/// One frame: a message and the request it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The requester's number; a reply repeats it.
    pub id: u64,
    /// What is said.
    pub message: Message,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// One `Append` in flight at a time.
    Append,
    /// Reads, chunks, retirement.
    Store,
    /// SOCKS5 and then one outbound connection.
    Dial,
    /// Operational events, one way.
    Events,
    /// Reading only, for tools on the host's side.
    Inspect,
}

impl Channel {
    /// The requests that this channel carries after it was opened. Replies are not in this table.
    pub fn allows(self, request: &Message) -> bool {
        let reads = matches!(
            request,
            Message::Status { .. } | Message::Read { .. } | Message::Heads { .. } | Message::Tile { .. }
        );
        match self {
            Self::Append => matches!(request, Message::Append(_)),
            Self::Store => {
                reads
                    || matches!(
                        request,
                        Message::PutChunk { .. }
                            | Message::GetChunk { .. }
                            | Message::Retire { .. }
                            | Message::Approval { .. }
                    )
            }
            Self::Inspect => reads,
            Self::Events => matches!(request, Message::Event(_)),
            Self::Dial => false,
        }
    }
}

/// Why the store could not do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFailure {
    /// No room.
    Full,
    /// Anything else.
    Io,
}

/// An entry and its bodies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordBytes {
    /// The entry.
    pub entry: [u8; 176],
    /// Its hot body, unless it has none or it was retired.
    pub hot: Option<Vec<u8>>,
    /// Its kept body, unless it has none or it was retired.
    pub kept: Option<Vec<u8>>,
}

/// A batch for one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// Which log.
    pub log: u16,
    /// The size that the log must have.
    pub expected_size: u64,
    /// What to append.
    pub record: RecordBytes,
    /// The signed head after it.
    pub head: String,
}

/// Every message of the protocol; numbers and layouts are the spec page's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Opens a channel.
    Hello {
        /// The opener's version.
        version: u16,
        /// What for.
        channel: Channel,
    },
    /// The channel is open.
    Welcome {
        /// The host's version.
        version: u16,
    },
    /// Append a batch.
    Append(Append),
    /// The batch is durable.
    Appended {
        /// Size of the log.
        size: u64,
    },
    /// Another writer was there.
    Conflict {
        /// Size of the log.
        size: u64,
    },
    /// The store could not do it; nothing changed.
    StoreFailed {
        /// Why.
        reason: StoreFailure,
    },
    /// Ask for a log's status.
    Status {
        /// Which log.
        log: u16,
    },
    /// A log's status.
    StatusIs {
        /// Number of entries.
        size: u64,
        /// Index of the newest snapshot entry.
        latest_snapshot: Option<u64>,
        /// The newest signed head; empty for an empty log.
        head: String,
    },
    /// Ask for records.
    Read {
        /// Which log.
        log: u16,
        /// First index.
        from: u64,
        /// How many at most.
        max: u32,
    },
    /// Records.
    Records(Vec<RecordBytes>),
    /// Keep a chunk of a snapshot.
    PutChunk {
        /// Which log.
        log: u16,
        /// Which snapshot.
        snapshot: [u8; 16],
        /// Which chunk.
        number: u32,
        /// Its sealed bytes.
        bytes: Vec<u8>,
    },
    /// It is done.
    Done,
    /// Ask for a chunk.
    GetChunk {
        /// Which log.
        log: u16,
        /// Which snapshot.
        snapshot: [u8; 16],
        /// Which chunk.
        number: u32,
    },
    /// A chunk.
    Chunk(Vec<u8>),
    /// Drop what is no longer needed.
    Retire {
        /// Which log.
        log: u16,
        /// Bodies at or above this index stay; below it hot ones go.
        below: u64,
        /// Kept bodies below go too when their bucket is lower.
        bucket: u64,
        /// The snapshot whose chunks stay.
        snapshot: [u8; 16],
        /// The boot that asks; nothing goes if another has written since.
        boot_id: [u8; 16],
    },
    /// Ask for kept heads.
    Heads {
        /// Which log.
        log: u16,
        /// Smallest size.
        from: u64,
        /// How many at most.
        max: u32,
    },
    /// Kept heads, ascending by size.
    HeadList(Vec<String>),
    /// Ask for a full tile.
    Tile {
        /// Which log.
        log: u16,
        /// Its level.
        level: u8,
        /// Its number.
        number: u64,
    },
    /// A tile's bytes.
    TileIs(Vec<u8>),
    /// No such chunk, tile or approval.
    Missing,
    /// Ask for the approval of a policy.
    Approval {
        /// The release that it makes.
        release: u64,
    },
    /// An approval, as the owners' tool wrote it.
    ApprovalIs(Vec<u8>),
    /// An operational event.
    Event(Event),
}
