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
//! Whom a statement allows is not looked at: what is released is sealed to the attested key, whoever asks. But nobody lets
//! everybody put another policy.
//!
//! Why so strict: what cannot be read for certain is refused. `kms:*`, `NotAction`, `CreateGrant`, `ReEncrypt*`, which would
//! carry a ciphertext to a key without conditions, and IAM policies by way of the account's root (which need an action here
//! first) all fall to the closed list.
//!
//! Why here: a vault holds its key to this rule, and people's tools should say the same before a policy is put.
//!
//! Limits: the policy is looked at before a release, not after it. Whoever may `PutKeyPolicy` can release to himself later: that
//! is what profile `small` leaves open.

mod error;
mod json;

pub use error::{KeyPolicyError, StatementFault};
use json::Json;

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
/// What puts another policy.
const CHANGES: &str = "kms:PutKeyPolicy";
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
        Self { image: hex(image), policy: hex(policy) }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// What came, short and without control characters: whoever writes the policy chose it.
fn quoted(text: &str) -> String {
    text.chars().filter(|letter| letter.is_ascii_graphic() || *letter == ' ').take(96).collect()
}

/// A key policy that releases to what some registers name, and to nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPolicy {
    /// Whether somebody may put another one, and so release to himself. If not, this one stays for ever, and no later release of
    /// the vault gets the key.
    pub changeable: bool,
}

impl KeyPolicy {
    /// Holds a text to the rule.
    ///
    /// # Errors
    /// [`KeyPolicyError`], the first rule that is broken.
    pub fn check(text: &str, pins: &Pins) -> Result<Self, KeyPolicyError> {
        check(text, pins)
    }
}

fn check(text: &str, pins: &Pins) -> Result<KeyPolicy, KeyPolicyError> {
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
    let (mut released, mut changeable) = ([false; RELEASES.len()], false);
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
        changeable |= actions.contains(&CHANGES);
    }
    if released.contains(&false) { Err(KeyPolicyError::ReleasesNothing) } else { Ok(KeyPolicy { changeable }) }
}

fn member<'a>(members: &'a [(String, Json)], name: &str) -> Option<&'a Json> {
    members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// The actions that a statement allows.
fn one<'a>(members: &'a [(String, Json)], pins: &Pins) -> Result<Vec<&'a str>, StatementFault> {
    // 2.
    match member(members, "Effect") {
        Some(Json::Text(effect)) if effect == "Deny" => return Ok(Vec::new()),
        Some(Json::Text(effect)) if effect == "Allow" => {}
        _ => return Err(StatementFault::Effect),
    }
    // 3.
    if let Some((name, _)) = members.iter().find(|(name, _)| !MEMBERS.contains(&&name[..])) {
        return Err(StatementFault::Member(quoted(name)));
    }
    let text = |json: &'a Json| if let Json::Text(text) = json { Some(&text[..]) } else { None };
    let actions: Option<Vec<&str>> = match member(members, "Action") {
        Some(Json::Text(action)) => Some(vec![action]),
        Some(Json::List(list)) => list.iter().map(text).collect(),
        _ => None,
    };
    let actions = actions.filter(|actions| !actions.is_empty()).ok_or(StatementFault::NoAction)?;
    let administers = |action: &&&str| ADMINISTERS.contains(*action);
    if let Some(other) = actions.iter().find(|action| !administers(action) && !RELEASES.contains(action)) {
        return Err(StatementFault::Action(quoted(other)));
    }
    match actions.iter().filter(administers).count() {
        0 => {}
        count if count == actions.len() => {
            let looks =
                |action: &&&str| ["kms:Describe", "kms:Get", "kms:List"].iter().any(|verb| action.starts_with(verb));
            let everybody =
                !actions.iter().all(|action| looks(&action)) && member(members, "Principal").is_none_or(is_anybody);
            return if everybody { Err(StatementFault::Everybody) } else { Ok(actions) };
        }
        _ => return Err(StatementFault::Mixed),
    }
    // 4.
    let operators = match member(members, "Condition") {
        None => &[][..],
        Some(Json::Object(operators)) => operators,
        Some(_) => return Err(StatementFault::Condition),
    };
    let mut entries = Vec::new();
    spelt_once(operators)?;
    for (operator, keys) in operators {
        let Json::Object(keys) = keys else { return Err(StatementFault::Condition) };
        spelt_once(keys)?;
        entries.extend(keys.iter().map(|(key, value)| (&operator[..], &key[..], value)));
    }
    pinned(&entries, &IMAGE, 0, &pins.image)?;
    pinned(&entries, &POLICY, 16, &pins.policy)?;
    Ok(actions)
}

/// Whether principals, in whatever form, are not spelt out.
fn is_anybody(principal: &Json) -> bool {
    match principal {
        Json::Text(name) => name.contains('*'),
        Json::List(list) => list.iter().any(is_anybody),
        Json::Object(members) => members.iter().any(|(_, names)| is_anybody(names)),
        Json::Null | Json::Bool | Json::Number => true,
    }
}

/// AWS does not heed the case of a condition key's name; how it would fold letters beyond ASCII is not known, so there are none.
fn spelt_once(members: &[(String, Json)]) -> Result<(), StatementFault> {
    for (place, (name, _)) in members.iter().enumerate() {
        if !name.is_ascii() {
            return Err(StatementFault::Condition);
        }
        if members[..place].iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            return Err(StatementFault::TwoSpellings(quoted(name)));
        }
    }
    Ok(())
}

fn pinned(entries: &[(&str, &str, &Json)], keys: &[&str], register: u8, expected: &str) -> Result<(), StatementFault> {
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
        Some(got) => StatementFault::OtherPin { register, expected, got },
        None => StatementFault::NoPin { register, expected },
    })
}

#[cfg(test)]
mod tests;
