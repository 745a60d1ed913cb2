//! Scopes of keys, and the rules for becoming a tenant.

/// Scope of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Start, check, fetch and cancel verifications.
    Verify,
    /// Make, change and delete services.
    Admin,
    /// Look at one verification, whose SID a person reads out.
    Support,
}

/// A set of [`Scope`]s; one byte on disk: 1 verify, 2 admin, 4 support.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Scopes of an account's own token.
    pub const AUTH_TOKEN: Self = Self(Scope::Verify.bit() | Scope::Admin.bit());

    /// The set of some scopes.
    pub fn from_slice(scopes: &[Scope]) -> Self {
        Self(scopes.iter().fold(0, |bits, scope| bits | scope.bit()))
    }

    /// The scopes in it.
    pub fn list(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }

    /// Whether a scope is in it.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// The byte.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The set of a byte; `None` for an empty one or a bit that no scope has.
    pub fn from_bits(bits: u8) -> Option<Self> {
        (1..=7).contains(&bits).then_some(Self(bits))
    }
}

impl Scope {
    const ALL: [Self; 3] = [Self::Verify, Self::Admin, Self::Support];

    const fn bit(self) -> u8 {
        match self {
            Self::Verify => 1,
            Self::Admin => 2,
            Self::Support => 4,
        }
    }

    /// The word in requests.
    pub fn text(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Admin => "admin",
            Self::Support => "support",
        }
    }

    /// Parses the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.text() == text)
    }
}

/// Who may create a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Only tenants that the owners' signature names.
    Owners,
    /// Anybody.
    Open,
}

/// Rules of policy and settings for tenants.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Who may create a tenant.
    pub admission: Admission,
}

impl Default for Rules {
    /// A policy that says nothing: owners admit tenants.
    fn default() -> Self {
        Self { admission: Admission::Owners }
    }
}
