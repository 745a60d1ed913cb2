//! Whether a key policy releases to this enclave under this policy, and to nobody else (`docs/spec/12-custody-kms.md`).
//!
//! 1. the text is JSON without duplicate names: `Version` 2012-10-17, an `Id` perhaps, and a list of statements;
//! 2. every statement, `Allow` or `Deny`, has the one closed form (`statement`);
//! 3. what a statement allows cannot give the key to others (`allow`): actions are spelt out and from a closed list; those that
//!    release have a condition that pins register 0 to this enclave's and register 16 to its policy's; nobody lets everybody
//!    change the key;
//! 4. all statements together let one principal do everything that a boot of this enclave needs (`evaluate`). A denial wins over
//!    every allowance. What cannot be evaluated counts as denied, or as not allowed.
//!
//! The result names the principals that a vault boots with, and who may put another policy.
//!
//! Principals are not checked in 3: what is released is sealed to the attested key, so only the enclave can open it. IAM policies are not seen here.
//! They cannot give more than a statement allows to the account, and what they deny stops a boot at the KMS.
//!
//! Why here: a vault checks its key by this rule, and people's tools apply the same rule before a policy is put.
//!
//! Limits: the policy is checked before a release, not after it. A principal with `PutKeyPolicy` can release to itself later. That
//! is what profile `kms` leaves open.

mod allow;
mod condition;
mod error;
mod evaluate;
mod json;
mod statement;

use std::borrow::Cow;
use std::collections::BTreeMap;

pub use error::{KeyPolicyError, StatementFault, Unmet, Withheld};
use json::Json;
use statement::{Principal, Statement};

/// Longest policy (AWS's own limit is 32 KiB).
const MAX_POLICY: usize = 32 * 1024;
/// Longest output of the AWS command line with a policy in it: each byte of the policy may be six of the output.
const MAX_OUTPUT: usize = 6 * MAX_POLICY + 1024;
/// Most statements.
const MAX_STATEMENTS: usize = 64;
/// The policy that a key has; there is no other name.
const POLICY_NAME: &str = "default";

/// A principal that a key policy may name, as it is spelt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IamPrincipal {
    text: String,
    principal: Principal,
}

impl IamPrincipal {
    /// The ARN of a role.
    ///
    /// # Errors
    /// [`KeyPolicyError::Role`].
    pub fn role(text: &str) -> Result<Self, KeyPolicyError> {
        Self::of_kind(text, Principal::is_role).ok_or_else(|| KeyPolicyError::Role(quoted(text)))
    }

    /// Who may administer a key: an account's number or root, or the ARN of a role or user.
    ///
    /// # Errors
    /// [`KeyPolicyError::Administrator`].
    pub fn administrator(text: &str) -> Result<Self, KeyPolicyError> {
        Self::of_kind(text, Principal::is_administrator).ok_or_else(|| KeyPolicyError::Administrator(quoted(text)))
    }

    fn of_kind(text: &str, is_kind: impl Fn(&Principal) -> bool) -> Option<Self> {
        let principal = Principal::aws(text);
        is_kind(&principal).then(|| Self { text: text.into(), principal })
    }

    /// As it is spelt.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// The enclave and its request, as far as a key policy can name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pins {
    registers: BTreeMap<u8, String>,
    genesis: Option<String>,
    role: Option<Principal>,
    in_force: bool,
}

impl Pins {
    /// Of registers 0 and 16.
    pub fn new(image: &[u8; 48], policy: &[u8; 48]) -> Self {
        let registers = BTreeMap::from([(0, hex(image)), (16, hex(policy))]);
        Self { registers, genesis: None, role: None, in_force: false }
    }

    /// With another register. A condition on a register that is not given cannot be evaluated.
    #[must_use]
    pub fn with_register(mut self, number: u8, value: &[u8; 48]) -> Self {
        self.registers.entry(number).or_insert_with(|| hex(value));
        self
    }

    /// With the vault's genesis nonce, which its requests have in their encryption context.
    #[must_use]
    pub fn with_genesis(mut self, nonce: &[u8; 32]) -> Self {
        self.genesis = Some(hex(nonce));
        self
    }

    /// For a policy that KMS shows as the one in force. There a unique id stands for a principal that was deleted, so it is
    /// nobody. Anywhere else a unique id may be anybody's: AWS takes a policy with the id of a living role or user.
    #[must_use]
    pub fn for_policy_in_force(mut self) -> Self {
        self.in_force = true;
        self
    }

    /// With the ARN of the role that asks. Without it, one principal that the policy names must get everything.
    ///
    /// # Errors
    /// [`KeyPolicyError::Role`] if it is not the ARN of a role.
    pub fn with_role(mut self, arn: &str) -> Result<Self, KeyPolicyError> {
        self.role = Some(IamPrincipal::role(arn)?.principal);
        Ok(self)
    }

    fn register(&self, number: u8) -> &str {
        self.registers.get(&number).map_or("", String::as_str)
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// A part of a policy, shortened and without control characters, so that it can be printed.
fn quoted(text: &str) -> String {
    text.chars().filter(|letter| letter.is_ascii_graphic() || *letter == ' ').take(96).collect()
}

/// A principal that may put another key policy, and so release the key to itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Changer {
    /// As it stands in the policy.
    pub principal: String,
    /// Whether that depends on a condition that is not evaluated here.
    pub conditional: bool,
}

/// A key policy that releases to one enclave under one policy, and to nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPolicy {
    /// Principals with whose credentials a vault boots; `*` if any will do.
    pub releases_to: Vec<String>,
    /// Who may put another policy. If nobody may, this one stays for ever, and no later release of the vault gets the key.
    pub changers: Vec<Changer>,
}

impl KeyPolicy {
    /// Checks the text of a key policy.
    ///
    /// # Errors
    /// [`KeyPolicyError`], the first rule that is broken.
    pub fn check(text: &str, pins: &Pins) -> Result<Self, KeyPolicyError> {
        // 1.
        if text.len() > MAX_POLICY {
            return Err(KeyPolicyError::Length);
        }
        let policy = Json::parse(text).ok_or(KeyPolicyError::Json)?;
        let statements = statements(&policy)?;
        let mut read = Vec::with_capacity(statements.len());
        for (place, statement) in statements.iter().enumerate() {
            let Json::Object(members) = statement else { return Err(KeyPolicyError::Form) };
            let fault = |fault| KeyPolicyError::Statement { statement: statement::name(members, place), fault };
            // 2.
            let statement = Statement::read(members, place).map_err(fault)?;
            // 3.
            allow::check(&statement, pins).map_err(fault)?;
            read.push(statement);
        }
        // 4.
        let releases_to = evaluate::boots(&read, pins).map_err(KeyPolicyError::Withheld)?;
        Ok(Self { releases_to, changers: evaluate::changers(&read, pins) })
    }

    /// The text of a policy in what the AWS command line prints: `aws kms get-key-policy` prints an object with the policy as a
    /// text, with `--query Policy` that text alone in quotation marks, with `--output text` the policy itself, with or without its
    /// name behind it. Any other text is given back as it is.
    ///
    /// # Errors
    /// [`KeyPolicyError::Length`], [`KeyPolicyError::Output`].
    pub fn text_of(output: &str) -> Result<Cow<'_, str>, KeyPolicyError> {
        if output.len() > MAX_OUTPUT {
            return Err(KeyPolicyError::Length);
        }
        if let Some(Json::Object(members)) = Json::parse(output)
            && members.iter().any(|(name, _)| name == "Policy")
        {
            let mut policy = None;
            for (name, value) in members {
                match (&name[..], value) {
                    ("Policy", Json::Text(text)) => policy = Some(text),
                    ("PolicyName", Json::Text(name)) if name == POLICY_NAME => {}
                    _ => return Err(KeyPolicyError::Output),
                }
            }
            return policy.map(Cow::Owned).ok_or(KeyPolicyError::Output);
        }
        if let Some(Json::Text(policy)) = Json::parse(output) {
            return Ok(Cow::Owned(policy));
        }
        let text = output.trim_end();
        Ok(Cow::Borrowed(text.strip_suffix(POLICY_NAME).and_then(|text| text.strip_suffix('\t')).unwrap_or(text)))
    }
}

/// 1.
fn statements(policy: &Json) -> Result<&[Json], KeyPolicyError> {
    let Json::Object(members) = policy else { return Err(KeyPolicyError::Form) };
    let (mut version, mut statements) = (None, None);
    for (name, value) in members {
        match (&name[..], value) {
            ("Version", Json::Text(text)) => version = Some(&text[..]),
            ("Version", _) => return Err(KeyPolicyError::Version),
            ("Id", Json::Text(_)) => {}
            ("Statement", Json::List(list)) if list.len() <= MAX_STATEMENTS => statements = Some(&list[..]),
            ("Statement", one @ Json::Object(_)) => statements = Some(core::slice::from_ref(one)),
            ("Id" | "Statement", _) => return Err(KeyPolicyError::Form),
            _ => return Err(KeyPolicyError::Member(quoted(name))),
        }
    }
    if version != Some("2012-10-17") {
        return Err(KeyPolicyError::Version);
    }
    statements.ok_or(KeyPolicyError::Form)
}

#[cfg(test)]
mod tests;
