//! Digests by what they are of, so that none can stand in another's place.

use core::cmp::Ordering;
use core::fmt;
use core::marker::PhantomData;

use adyton_seal::same;

/// A keyed hash of a token that a client holds (`token hash` of `docs/spec/00-conventions.md`). It
/// is compared in constant time only, so there is no `==` and nothing prints it.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Compared with an unknown user's token, so that unknown and known users cost the same.
    pub const NONE: Self = Self([0; 32]);

    /// Takes what the edge has hashed.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for the encoder.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether both are of the same token, in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        same(&self.0, &other.0)
    }
}

/// A keyed hash of purpose `P` by which state and log know something that is a secret itself, such
/// as an address (`docs/spec/00-conventions.md`, keyed hashes). Hashes of different purposes cannot
/// be compared.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyedHash<P>([u8; 16], PhantomData<P>);

impl<P: Ord> Ord for KeyedHash<P> {
    fn cmp(&self, other: &Self) -> Ordering {
        #[cfg(feature = "steps")]
        crate::steps::step();
        self.0.cmp(&other.0)
    }
}

impl<P: Ord> PartialOrd for KeyedHash<P> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<P> KeyedHash<P> {
    /// The lowest hash, to begin a range with.
    pub const MIN: Self = Self::from_bytes([0; 16]);
    /// The highest hash, to end a range with.
    pub const MAX: Self = Self::from_bytes([0xFF; 16]);

    /// Takes what the edge has hashed.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes, PhantomData)
    }

    /// The bytes, for the encoder.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl<P> fmt::Debug for KeyedHash<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedHash")
    }
}

/// Names one boot; random and public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootId(pub [u8; 16]);
