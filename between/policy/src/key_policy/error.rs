//! Why a key policy is refused. Everything here is public.

use core::fmt;

use super::{IMAGE, POLICY, RELEASES};

/// Why a key policy is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPolicyError {
    /// It is longer than AWS allows.
    Length,
    /// It is not JSON, a name stands twice, or it has no list of statements.
    Form,
    /// Another version of the language.
    Version,
    /// A member that no key policy has.
    Member(String),
    /// A statement that could release to others.
    Statement {
        /// Its `Sid`, or its number.
        statement: String,
        /// What is wrong with it.
        fault: StatementFault,
    },
    /// No statement releases anything.
    ReleasesNothing,
}

/// What is wrong with a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatementFault {
    /// Its effect is neither `Allow` nor `Deny`.
    Effect,
    /// It has a member that is not understood; names it.
    Member(String),
    /// It has no list of actions.
    NoAction,
    /// It allows an action that is not of the closed lists; names it.
    Action(String),
    /// It allows an administrative action and one that releases.
    Mixed,
    /// It lets everybody put another policy.
    Everybody,
    /// Its condition has another form.
    Condition,
    /// An operator or a key stands in its condition in two spellings.
    TwoSpellings(String),
    /// It releases without pinning a register.
    NoPin {
        /// Which.
        register: u8,
        /// What it has to hold.
        expected: String,
    },
    /// It pins a register to something else.
    OtherPin {
        /// Which.
        register: u8,
        /// What it has to hold.
        expected: String,
        /// What stands there.
        got: String,
    },
}

impl fmt::Display for KeyPolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key's policy: ")?;
        match self {
            Self::Length => f.write_str("longer than 32 KiB"),
            Self::Form => f.write_str("not JSON with a list of statements, in which no name stands twice"),
            Self::Version => f.write_str("expected Version 2012-10-17"),
            Self::Member(name) => write!(f, "it has a member {name:?}, which is not understood: take it out"),
            Self::Statement { statement, fault } => write!(f, "statement {statement}: {fault}"),
            Self::ReleasesNothing => {
                write!(f, "no statement allows {} and {} under this enclave's registers", RELEASES[0], RELEASES[1])
            }
        }
    }
}

impl core::error::Error for KeyPolicyError {}

impl fmt::Display for StatementFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Effect => f.write_str("expected an effect Allow or Deny"),
            Self::Member(name) => write!(f, "it has a member {name:?}, which is not understood: take it out"),
            Self::NoAction => f.write_str("expected Action, with names that are spelt out"),
            Self::Action(name) => write!(
                f,
                "it allows {name:?}: expected only {} and {} with a condition, or administrative actions that are spelt out",
                RELEASES[0], RELEASES[1]
            ),
            Self::Mixed => f.write_str("it allows what administers and what releases: make two statements of it"),
            Self::Everybody => f.write_str("it lets everybody change the key: name who may"),
            Self::Condition => f.write_str("its condition has another form than operators, keys and values"),
            Self::TwoSpellings(name) => write!(f, "{name:?} stands in its condition in two spellings"),
            Self::NoPin { register, expected } => write!(
                f,
                "it releases without a condition StringEqualsIgnoreCase on {}: expected the one value {expected}",
                key_of(*register)
            ),
            Self::OtherPin { register, expected, got } => write!(
                f,
                "{}: expected {expected}, got {got}: if this enclave is the one that you approve, put a key policy with \
                 the expected value",
                key_of(*register)
            ),
        }
    }
}

fn key_of(register: u8) -> &'static str {
    if register == 0 { IMAGE[0] } else { POLICY[0] }
}
