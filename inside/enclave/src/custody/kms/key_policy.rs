//! Whether a key policy releases to this enclave under this policy, and to nobody else (`docs/spec/12-custody-kms.md`).
//!
//! 1. the text is JSON in which no name stands twice: `Version` 2012-10-17, an `Id` perhaps, and a list of statements;
//! 2. a statement that denies is passed over, for it only narrows;
//! 3. a statement that allows has nothing but `Sid`, `Effect`, `Principal`, `Action`, `Resource` and `Condition`, and its actions
//!    are spelt out: all administrative ones of a closed list, or all of those that release;
//! 4. one that releases has a condition that pins register 0 to this enclave's and register 16 to its policy's, by
//!    `StringEquals` or `StringEqualsIgnoreCase` with one value each. What else stands in the condition narrows further, since
//!    AWS demands all of it; but no operator and no key stands twice in two spellings, of which AWS might make one with two
//!    values.
//!
//! Whom a statement allows is not looked at: what is released is sealed to the attested key, whoever asks.
//!
//! Why so strict: what cannot be read for certain is refused. `kms:*`, `NotAction`, `CreateGrant`, `ReEncrypt*`, which would
//! carry a ciphertext to a key without conditions, and IAM policies by way of the account's root (which need an action here
//! first) all fall to the closed list.
//!
//! Limits: the policy is looked at before a release, not after it. Whoever may `PutKeyPolicy` can release to himself later: that
//! is what profile `small` leaves open.

use std::fmt;

use data_encoding::HEXLOWER;

use super::json::Json;

/// Longest policy (AWS's own limit is 32 KiB).
const MAX_POLICY: usize = 32 * 1024;
/// Statements at the most.
const MAX_STATEMENTS: usize = 64;
/// What a secret comes by.
const RELEASES: [&str; 2] = ["kms:Decrypt", "kms:GenerateDataKey"];
/// What changes or shows a key, and gives nothing of what it protects.
const ADMINISTERS: [&str; 19] = [
    "kms:CancelKeyDeletion",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RetireGrant",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateKeyDescription",
];
/// Members of a statement that allows.
const MEMBERS: [&str; 6] = ["Sid", "Effect", "Principal", "Action", "Resource", "Condition"];
/// Operators that pin, and whether they heed case.
const OPERATORS: [(&str, bool); 2] = [("StringEquals", true), ("StringEqualsIgnoreCase", false)];
/// Condition keys of register 0. The first is met by enclaves alone.
const IMAGE: [&str; 2] = ["kms:RecipientAttestation:ImageSha384", "kms:RecipientAttestation:PCR0"];
/// Condition key of register 16.
const POLICY: [&str; 1] = ["kms:RecipientAttestation:PCR16"];

/// What a key policy has to name: the registers of this enclave, in lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pins {
    image: String,
    policy: String,
}

impl Pins {
    /// Of registers 0 and 16.
    pub fn new(image: &[u8; 48], policy: &[u8; 48]) -> Self {
        Self { image: HEXLOWER.encode(image), policy: HEXLOWER.encode(policy) }
    }
}

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
        fault: Fault,
    },
    /// No statement releases anything.
    ReleasesNothing,
}

/// What is wrong with a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
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

impl std::error::Error for KeyPolicyError {}

impl fmt::Display for Fault {
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

/// What came, short and without control characters: whoever writes the policy chose it.
fn quoted(text: &str) -> String {
    text.chars().filter(|letter| letter.is_ascii_graphic() || *letter == ' ').take(96).collect()
}

/// Whether the policy releases to what these registers name, and to nothing else.
///
/// # Errors
/// [`KeyPolicyError`], the first rule that is broken.
pub fn check(text: &str, pins: &Pins) -> Result<(), KeyPolicyError> {
    // 1.
    if text.len() > MAX_POLICY {
        return Err(KeyPolicyError::Length);
    }
    let Some(Json::Object(members)) = Json::parse(text) else { return Err(KeyPolicyError::Form) };
    let (mut version, mut statements) = (None, None);
    for (name, value) in members {
        match &name[..] {
            "Version" => version = Some(value),
            "Id" => {}
            "Statement" => statements = Some(value),
            _ => return Err(KeyPolicyError::Member(quoted(&name))),
        }
    }
    if version != Some(Json::Text("2012-10-17".into())) {
        return Err(KeyPolicyError::Version);
    }
    let Some(Json::List(statements)) = statements else { return Err(KeyPolicyError::Form) };
    if statements.len() > MAX_STATEMENTS {
        return Err(KeyPolicyError::Form);
    }
    let mut released = [false; RELEASES.len()];
    for (place, statement) in statements.iter().enumerate() {
        let Json::Object(members) = statement else { return Err(KeyPolicyError::Form) };
        let statement = match member(members, "Sid") {
            Some(Json::Text(sid)) if !sid.is_empty() => format!("{:?}", quoted(sid)),
            _ => (place + 1).to_string(),
        };
        let actions = one(members, pins).map_err(|fault| KeyPolicyError::Statement { statement, fault })?;
        for (released, action) in released.iter_mut().zip(RELEASES) {
            *released |= actions.contains(&action);
        }
    }
    if released.contains(&false) { Err(KeyPolicyError::ReleasesNothing) } else { Ok(()) }
}

fn member<'a>(members: &'a [(String, Json)], name: &str) -> Option<&'a Json> {
    members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// The actions that a statement releases by.
fn one<'a>(members: &'a [(String, Json)], pins: &Pins) -> Result<Vec<&'a str>, Fault> {
    // 2.
    match member(members, "Effect") {
        Some(Json::Text(effect)) if effect == "Deny" => return Ok(Vec::new()),
        Some(Json::Text(effect)) if effect == "Allow" => {}
        _ => return Err(Fault::Effect),
    }
    // 3.
    if let Some((name, _)) = members.iter().find(|(name, _)| !MEMBERS.contains(&&name[..])) {
        return Err(Fault::Member(quoted(name)));
    }
    let text = |json: &'a Json| if let Json::Text(text) = json { Some(&text[..]) } else { None };
    let actions: Option<Vec<&str>> = match member(members, "Action") {
        Some(Json::Text(action)) => Some(vec![action]),
        Some(Json::List(list)) => list.iter().map(text).collect(),
        _ => None,
    };
    let actions = actions.filter(|actions| !actions.is_empty()).ok_or(Fault::NoAction)?;
    let administers = |action: &&&str| ADMINISTERS.contains(*action);
    if let Some(other) = actions.iter().find(|action| !administers(action) && !RELEASES.contains(action)) {
        return Err(Fault::Action(quoted(other)));
    }
    match actions.iter().filter(administers).count() {
        0 => {}
        count if count == actions.len() => return Ok(Vec::new()),
        _ => return Err(Fault::Mixed),
    }
    // 4.
    let operators = match member(members, "Condition") {
        None => &[][..],
        Some(Json::Object(operators)) => operators,
        Some(_) => return Err(Fault::Condition),
    };
    let mut entries = Vec::new();
    spelt_once(operators)?;
    for (operator, keys) in operators {
        let Json::Object(keys) = keys else { return Err(Fault::Condition) };
        spelt_once(keys)?;
        entries.extend(keys.iter().map(|(key, value)| (&operator[..], &key[..], value)));
    }
    pinned(&entries, &IMAGE, 0, &pins.image)?;
    pinned(&entries, &POLICY, 16, &pins.policy)?;
    Ok(actions)
}

/// AWS does not heed the case of a condition key's name.
fn spelt_once(members: &[(String, Json)]) -> Result<(), Fault> {
    for (place, (name, _)) in members.iter().enumerate() {
        if members[..place].iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            return Err(Fault::TwoSpellings(quoted(name)));
        }
    }
    Ok(())
}

fn pinned(entries: &[(&str, &str, &Json)], keys: &[&str], register: u8, expected: &str) -> Result<(), Fault> {
    let mut other = None;
    for (operator, key, value) in entries {
        let operator = OPERATORS.iter().find(|(name, _)| name == operator);
        let (Some((_, heeds_case)), true) = (operator, keys.contains(key)) else { continue };
        match value.single() {
            Some(value) if value == expected || !heeds_case && value.eq_ignore_ascii_case(expected) => return Ok(()),
            Some(value) => other = Some(quoted(value)),
            None => other = Some("more than one value".into()),
        }
    }
    let expected = expected.to_owned();
    Err(match other {
        Some(got) => Fault::OtherPin { register, expected, got },
        None => Fault::NoPin { register, expected },
    })
}

#[cfg(test)]
mod tests;
