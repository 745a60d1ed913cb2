//! The closed form of one statement: the same for `Allow` and `Deny`.
//!
//! 1. the members are `Sid`, `Effect`, `Principal`, `Action`, `Resource` and `Condition`, spelt exactly so, and no others;
//! 2. `Principal` is `"*"` or an object of the kinds `AWS` and `Service` with names;
//! 3. `Action` is a name or a list of names. What names `Allow` may have is decided by [`super::allow`];
//! 4. `Resource` is `"*"`, which in a key policy is the key itself;
//! 5. `Condition` is operators, keys and values. No operator and no key occurs in two spellings: AWS ignores the case of condition
//!    keys and could read two of them as one key with two values.
//!
//! Why closed: an element that is skipped can change who gets the key. `NotAction`, `NotPrincipal` and `NotResource` are refused
//! in both effects, because everything they do can be written without them.

use super::json::Json;
use super::{StatementFault, quoted};

/// Members of a statement.
const MEMBERS: [&str; 6] = ["Sid", "Effect", "Principal", "Action", "Resource", "Condition"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// One name of a `Principal`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Principal {
    /// `*`.
    Everybody,
    /// An account: its number, or the ARN of its root. Its IAM policies decide which of its principals are meant.
    Account(String),
    /// A role or user, by its ARN.
    Named { arn: String, account: String },
    /// A session of a role or of a federated user, by its ARN.
    Session(String),
    /// A service of AWS.
    Service(String),
    /// The unique id of a role or user. A policy that is put may name a living one so; in a policy that KMS shows, an id stands
    /// for one that was deleted, and whose name another may have now.
    UniqueId(String),
    /// Anything else: a group, a bucket, a part of an ARN, a partial wildcard. AWS knows no such principal, so it may change nothing,
    /// and a statement that allows it something is refused.
    Other(String),
}

/// Partitions of AWS.
const PARTITIONS: [&str; 3] = ["aws", "aws-cn", "aws-us-gov"];

/// Whether a text is a name of IAM's.
fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

/// Whether a text is a path of IAM's and a name behind it. A path may hold more than names do; `*`, `?` and `$` would be read as
/// something else than themselves.
fn is_path(text: &str) -> bool {
    let (path, name) = text.rsplit_once('/').unwrap_or(("", text));
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"*?$".contains(&byte);
    is_name(name) && path.len() <= 510 && path.bytes().all(plain)
}

impl Principal {
    /// Reads a name of the kind `AWS`.
    pub(super) fn aws(name: &str) -> Self {
        let digits = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        if name == "*" {
            return Self::Everybody;
        }
        if digits(name) {
            return Self::Account(name.into());
        }
        let parts: Vec<&str> = name.splitn(6, ':').collect();
        if let ["arn", partition, service, "", account, rest] = parts[..]
            && PARTITIONS.contains(&partition)
            && digits(account)
        {
            match (service, rest.split_once('/')) {
                ("iam", None) if rest == "root" => return Self::Account(account.into()),
                ("iam", Some(("role" | "user", path))) if is_path(path) => {
                    return Self::Named { arn: name.into(), account: account.into() };
                }
                ("sts", Some(("assumed-role", path))) if path.split('/').count() == 2 && is_path(path) => {
                    return Self::Session(name.into());
                }
                ("sts", Some(("federated-user", user))) if is_name(user) => return Self::Session(name.into()),
                _ => {}
            }
        }
        // "Unique identifiers" of the IAM User Guide: a prefix of four letters, then letters and digits.
        let is_id = (16..=128).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if is_id && (name.starts_with("AIDA") || name.starts_with("AROA")) {
            return Self::UniqueId(name.into());
        }
        Self::Other(name.into())
    }

    /// Whether it is a role: the only kind of principal whose credentials an instance has.
    pub(super) fn is_role(&self) -> bool {
        matches!(self, Self::Named { arn, .. } if arn.contains(":role/"))
    }

    /// Whether it is none that AWS knows.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(self, Self::Other(_))
    }

    /// Whether it can be named as an administrator: an account, a role or a user.
    pub(super) fn is_administrator(&self) -> bool {
        matches!(self, Self::Account(_) | Self::Named { .. })
    }

    /// Whether the name may stand for principals that are not spelt out.
    pub(super) fn is_anybody(&self) -> bool {
        match self {
            Self::Everybody => true,
            Self::Other(name) => name.contains(['*', '?', '$']),
            _ => false,
        }
    }

    /// As people write it.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Everybody => "*".into(),
            Self::Account(account) => format!("account {account} (its root user, and whom its IAM policies allow)"),
            Self::Named { arn, .. } => quoted(arn),
            Self::UniqueId(id) => {
                format!("{} (a unique id: a role or user; nobody if AWS shows it so, for it was deleted)", quoted(id))
            }
            Self::Service(name) | Self::Session(name) | Self::Other(name) => quoted(name),
        }
    }
}

/// One entry of a condition. All entries must hold.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) operator: &'a str,
    pub(super) key: &'a str,
    pub(super) values: &'a Json,
}

#[derive(Debug)]
pub(super) struct Statement<'a> {
    /// Its `Sid` in quotation marks, or its number.
    pub(super) name: String,
    pub(super) effect: Effect,
    pub(super) principals: Vec<Principal>,
    pub(super) actions: Vec<&'a str>,
    pub(super) condition: Vec<Entry<'a>>,
}

fn member<'a>(members: &'a [(String, Json)], name: &str) -> Option<&'a Json> {
    members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// What a statement is called in errors.
pub(super) fn name(members: &[(String, Json)], place: usize) -> String {
    match member(members, "Sid") {
        Some(Json::Text(sid)) if !sid.is_empty() => format!("{:?}", quoted(sid)),
        _ => (place + 1).to_string(),
    }
}

impl<'a> Statement<'a> {
    /// Reads the statement at a place of the list.
    pub(super) fn read(members: &'a [(String, Json)], place: usize) -> Result<Self, StatementFault> {
        // 1.
        if let Some((name, _)) = members.iter().find(|(name, _)| !MEMBERS.contains(&&name[..])) {
            return Err(StatementFault::Member(quoted(name)));
        }
        let effect = match member(members, "Effect") {
            Some(Json::Text(effect)) if effect == "Allow" => Effect::Allow,
            Some(Json::Text(effect)) if effect == "Deny" => Effect::Deny,
            _ => return Err(StatementFault::Effect),
        };
        if !matches!(member(members, "Sid"), None | Some(Json::Text(_))) {
            return Err(StatementFault::Sid);
        }
        Ok(Self {
            name: name(members, place),
            effect,
            // 2.
            principals: member(members, "Principal").and_then(principals).ok_or(StatementFault::Principal)?,
            // 3.
            actions: member(members, "Action").and_then(Json::texts).ok_or(StatementFault::NoAction)?,
            // 4. and 5.
            condition: match member(members, "Resource").map(Json::single) {
                Some(Some("*")) => condition(member(members, "Condition"))?,
                _ => return Err(StatementFault::Resource),
            },
        })
    }
}

/// 2.
fn principals(json: &Json) -> Option<Vec<Principal>> {
    let kinds = match json {
        Json::Text(all) => return (all == "*").then(|| vec![Principal::Everybody]),
        Json::Object(kinds) if !kinds.is_empty() => kinds,
        _ => return None,
    };
    let mut principals = Vec::new();
    for (kind, names) in kinds {
        let read: fn(&str) -> Principal = match &kind[..] {
            "AWS" => Principal::aws,
            "Service" => |name| Principal::Service(name.into()),
            _ => return None,
        };
        principals.extend(names.texts()?.into_iter().map(read));
    }
    Some(principals)
}

/// 5.
fn condition(json: Option<&Json>) -> Result<Vec<Entry<'_>>, StatementFault> {
    let operators = match json {
        None => &[][..],
        Some(Json::Object(operators)) => operators,
        Some(_) => return Err(StatementFault::Condition),
    };
    let mut entries = Vec::new();
    spelt_once(operators)?;
    for (operator, keys) in operators {
        let Json::Object(keys) = keys else { return Err(StatementFault::Condition) };
        spelt_once(keys)?;
        entries.extend(keys.iter().map(|(key, values)| Entry { operator, key, values }));
    }
    Ok(entries)
}

/// How AWS folds the case of letters beyond ASCII is unknown, so such names are refused.
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
