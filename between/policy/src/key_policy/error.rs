//! Why a key policy is refused. Everything here is public.

use core::fmt;

use super::allow::{IMAGE, POLICY, RELEASES};

/// Why a key policy is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPolicyError {
    /// It is longer than AWS allows.
    Length,
    /// It is not JSON, a member name occurs twice, or it has no list of at most 64 statements.
    Form,
    /// It is not JSON, or a member stands twice in an object.
    Json,
    /// It has another version of the policy language.
    Version,
    /// A member that no key policy has.
    Member(String),
    /// A statement that is not read, or could release to others.
    Statement {
        /// Its `Sid`, or its number.
        statement: String,
        /// What is wrong with it.
        fault: StatementFault,
    },
    /// No vault boots under it: what the principal that comes nearest lacks.
    Withheld(Vec<Withheld>),
    /// The role that was given is not the ARN of one.
    Role(String),
    /// The administrator that was given is neither an account nor the ARN of a role or user.
    Administrator(String),
    /// An output of the AWS command line has other members than `Policy` and `PolicyName`, or is for another policy.
    Output,
}

/// What is wrong with a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatementFault {
    /// Its effect is neither `Allow` nor `Deny`.
    Effect,
    /// It has a member that is not read; names it.
    Member(String),
    /// Its `Sid` is not a text.
    Sid,
    /// It has no principal in the closed form.
    Principal,
    /// It allows something to a principal that AWS does not know; names it.
    UnknownPrincipal(String),
    /// It has no list of actions.
    NoAction,
    /// Its resource is not `*`.
    Resource,
    /// It allows an action that is not of the closed lists; names it.
    Action(String),
    /// It allows an administrative action and one that releases.
    Mixed,
    /// It lets everybody change the key.
    Everybody,
    /// Its condition has another form.
    Condition,
    /// An operator or a key occurs in its condition in two spellings.
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

/// An action that a boot needs and does not get for certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withheld {
    /// The action, such as `kms:Decrypt`.
    pub action: &'static str,
    /// Why.
    pub why: Unmet,
}

/// Why an action is not allowed for certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// No statement allows it to the principal.
    NotAllowed,
    /// The statement that allows it has a condition on a key that does not hold for the enclave.
    Contradicted {
        /// The statement.
        statement: String,
        /// The condition key.
        key: String,
    },
    /// The statement that allows it may not apply: the key of its condition cannot be evaluated, or its principal.
    Uncertain {
        /// The statement.
        statement: String,
        /// The condition key.
        key: Option<String>,
    },
    /// A statement denies it.
    Denied {
        /// The statement.
        statement: String,
    },
    /// A statement may deny it: the key of its condition cannot be evaluated, or its principal.
    MayBeDenied {
        /// The statement.
        statement: String,
        /// The condition key.
        key: Option<String>,
    },
}

impl fmt::Display for KeyPolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key's policy: ")?;
        match self {
            Self::Length => f.write_str("longer than 32 KiB"),
            Self::Form => f.write_str("expected an object with `Version` and a `Statement` of at most 64 statements"),
            Self::Json => f.write_str(
                "this is not JSON in UTF-8 without duplicate member names: expected a key policy, as `aws kms get-key-policy` prints it",
            ),
            Self::Version => f.write_str("expected Version 2012-10-17"),
            Self::Member(name) => write!(f, "unknown member {name:?}: remove it"),
            Self::Statement { statement, fault } => write!(f, "statement {statement}: {fault}"),
            Self::Withheld(withheld) => {
                f.write_str("no vault boots under it")?;
                withheld.iter().try_for_each(|withheld| write!(f, "; {withheld}"))
            }
            Self::Administrator(got) => {
                write!(f, "the administrator: expected an account, or the ARN of an IAM role or user, got {got:?}")
            }
            Self::Role(got) => write!(f, "the role: expected the ARN of an IAM role, got {got:?}"),
            Self::Output => {
                write!(f, "expected Policy and PolicyName \"default\", as `aws kms get-key-policy` prints them")
            }
        }
    }
}

impl core::error::Error for KeyPolicyError {}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.action)?;
        match &self.why {
            Unmet::NotAllowed => f.write_str("no statement allows it"),
            Unmet::Contradicted { statement, key } => {
                write!(f, "statement {statement} allows it only with another value of {key} than this enclave's")
            }
            Unmet::Uncertain { statement, key: Some(key) } => {
                write!(f, "whether statement {statement} allows it depends on {key}, which cannot be evaluated here")
            }
            Unmet::Uncertain { statement, key: None } => write!(
                f,
                "statement {statement} allows it to others than a role (an account, a user, a session, a unique id, a wildcard), \
                 and whether the enclave's role is one of them cannot be seen here: name the role's ARN instead"
            ),
            Unmet::Denied { statement } => write!(f, "statement {statement} denies it"),
            Unmet::MayBeDenied { statement, key: Some(key) } => {
                write!(f, "statement {statement} may deny it, depending on {key}, which cannot be evaluated here")
            }
            Unmet::MayBeDenied { statement, key: None } => write!(
                f,
                "statement {statement} may deny it: its principal may include the enclave's role (a unique id that AWS shows is \
                 one of a deleted principal: remove it)"
            ),
        }
    }
}

impl fmt::Display for StatementFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Effect => f.write_str("expected Effect Allow or Deny"),
            Self::Member(name) => write!(
                f,
                "member {name:?} is not evaluated: expected only Sid, Effect, Principal, Action, Resource and Condition, spelt so"
            ),
            Self::Sid => f.write_str("expected a text as Sid"),
            Self::Principal => f.write_str("expected as Principal \"*\", or an object with names under AWS or Service"),
            Self::UnknownPrincipal(name) => write!(
                f,
                "it allows something to {name:?}, which is no principal: expected an account, or the ARN of a role, a user or a \
                 session, spelt out"
            ),
            Self::NoAction => f.write_str("expected Action, a name or a list of names"),
            Self::Resource => f.write_str("expected Resource \"*\", which in a key policy is the key"),
            Self::Action(name) => write!(
                f,
                "it allows {name:?}: expected only {} and {} with a condition, or administrative actions that are spelt out",
                RELEASES[0], RELEASES[1]
            ),
            Self::Mixed => f.write_str("it allows administrative actions and actions that release: split it in two"),
            Self::Everybody => f.write_str("it lets everybody change the key: name the principals"),
            Self::Condition => f.write_str("expected as Condition an object of operators, keys and values, in ASCII"),
            Self::TwoSpellings(name) => write!(f, "{name:?} occurs in its condition in two spellings"),
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
