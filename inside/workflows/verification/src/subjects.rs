//! Keyed hashes of a destination, by which state and log know it (`docs/spec/00-conventions.md`).

use adyton_decider::KeyedHash;

/// Purpose of a hash: an address in one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InService {}
/// Purpose of a hash: an address in one tenant, over all its services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InTenant {}
/// Purpose of a hash: a block of telephone numbers, in one tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NumberBlock {}
/// Purpose of a hash: a mail domain, in one tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MailDomain {}

/// A destination as its service knows it.
pub type Subject = KeyedHash<InService>;

/// A destination as its tenant knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subjects {
    /// In its service.
    pub in_service: Subject,
    /// In its tenant, over all services.
    pub in_tenant: KeyedHash<InTenant>,
    /// The number block or mail domain, in its tenant.
    pub shared: SharedSubject,
}

/// Keyed hash of a number block or mail domain; each kind has its own ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SharedSubject {
    /// A block of telephone numbers.
    NumberBlock(KeyedHash<NumberBlock>),
    /// A mail domain.
    MailDomain(KeyedHash<MailDomain>),
}
