//! All statements of a policy, evaluated together as AWS evaluates them: a denial that applies wins, else one allowance is enough,
//! else the request is refused.
//!
//! A statement applies to a request if its principal, its action and its whole condition do, each in three values
//! ([`Truth`]). To be allowed for certain, an action needs one allowance that applies for certain and no denial that may apply.
//!
//! 1. what a request of the enclave has in its context ([`enclave_fact`]), for each action that a boot needs;
//! 2. the principals to try: the role that was given, or every role that an allowance names, and "anybody": the enclave has its
//!    credentials from an instance's role;
//! 3. if every principal lacks something, the one that comes nearest is reported;
//! 4. who may put another policy: every principal that may be allowed to and is not denied for certain. A service of AWS puts no
//!    key policies. A unique id is nobody in a policy that KMS shows ([`Pins::for_policy_in_force`]), else it may be anybody.

use super::allow::RELEASES;
use super::condition::{Fact, Truth, holds, like};
use super::statement::{Effect, Principal, Statement};
use super::{Changer, Pins, Unmet, Withheld, quoted};

/// Actions that a boot needs (`docs/spec/12-custody-kms.md`, "Requests"): genesis the fourth, every later boot the fifth.
const NEEDED: [&str; 5] =
    ["kms:DescribeKey", "kms:ListGrants", "kms:GetKeyPolicy", "kms:GenerateDataKey", "kms:Decrypt"];
/// The action that puts another policy.
const CHANGES: &str = "kms:PutKeyPolicy";
/// The encryption context's only member.
const GENESIS: &str = "adyton-genesis";

/// Whose request is evaluated.
#[derive(Clone, Copy)]
enum Asker<'a> {
    /// The enclave, with the credentials of a principal; `None` is anybody.
    Enclave(Option<&'a Principal>, &'a Pins),
    /// Somebody, from anywhere, as this principal.
    Person(&'a Principal, &'a Pins),
}

impl Asker<'_> {
    fn principal(&self) -> Option<&Principal> {
        match self {
            Self::Enclave(principal, _) => *principal,
            Self::Person(principal, _) => Some(principal),
        }
    }

    fn pins(&self) -> &Pins {
        match self {
            Self::Enclave(_, pins) | Self::Person(_, pins) => pins,
        }
    }

    fn fact(&self, key: &str, action: &str) -> Fact {
        let key = key.to_ascii_lowercase();
        match (&key[..], self.principal()) {
            ("aws:principalarn", Some(Principal::Named { arn, .. })) => return Fact::is(arn),
            ("aws:principalaccount" | "kms:calleraccount", Some(Principal::Named { account, .. })) => {
                return Fact::is(account);
            }
            _ => {}
        }
        match self {
            Self::Enclave(_, pins) => enclave_fact(&key, action, pins),
            // KMS takes no other connections.
            Self::Person(..) if key == "aws:securetransport" => Fact::is("true"),
            Self::Person(..) => Fact::Unknown,
        }
    }

    /// Whether a name of a statement means this asker.
    fn is_meant(&self, name: &Principal) -> Truth {
        if matches!(name, Principal::UniqueId(_)) && self.pins().in_force {
            return Truth::No;
        }
        let Some(asker) = self.principal() else {
            return if *name == Principal::Everybody { Truth::Yes } else { Truth::Maybe };
        };
        match (name, asker) {
            (Principal::Everybody, _) => Truth::Yes,
            (name, asker) if name == asker => Truth::Yes,
            (Principal::UniqueId(_), Principal::UniqueId(_)) => Truth::No,
            // Which principals of an account are meant is in its IAM policies.
            (Principal::Account(account), Principal::Named { account: own, .. }) if account != own => Truth::No,
            (Principal::Named { .. }, Principal::Named { .. }) => Truth::No,
            (Principal::Service(_), Principal::Named { .. } | Principal::Account(_)) => Truth::No,
            _ => Truth::Maybe,
        }
    }
}

/// 1.
fn enclave_fact(key: &str, action: &str, pins: &Pins) -> Fact {
    let releases = RELEASES.contains(&action);
    if let Some(register) = key.strip_prefix("kms:recipientattestation:") {
        if !releases {
            return Fact::absent();
        }
        let plain = |digits: &&str| *digits == "0" || !digits.starts_with(['0', '+']);
        let number: Option<u8> = match register {
            "imagesha384" => Some(0),
            register => register.strip_prefix("pcr").filter(plain).and_then(|digits| digits.parse().ok()),
        };
        return match number.and_then(|number| pins.registers.get(&number)) {
            Some(value) => Fact::is(value),
            None => Fact::Unknown,
        };
    }
    if let Some(member) = key.strip_prefix("kms:encryptioncontext:") {
        return match (&pins.genesis, releases && member == GENESIS) {
            (_, false) => Fact::absent(),
            (Some(genesis), true) => Fact::is(genesis),
            (None, true) => Fact::Present,
        };
    }
    match key {
        "kms:encryptioncontextkeys" if releases => Fact::is(GENESIS),
        "kms:encryptioncontextkeys" | "kms:viaservice" | "aws:multifactorauthage" => Fact::absent(),
        "kms:encryptionalgorithm" => {
            if releases {
                Fact::is("SYMMETRIC_DEFAULT")
            } else {
                Fact::absent()
            }
        }
        // An instance's role signs in without a second factor: AWS shows `false`, or nothing.
        "aws:multifactorauthpresent" => Fact::OneOf(vec![None, Some(vec!["false".into()])]),
        "aws:securetransport" => Fact::is("true"),
        _ => Fact::Unknown,
    }
}

/// How a statement applies to a request, and the key of its condition that decided if it is not certain that it does.
fn applies<'a>(statement: &'a Statement<'_>, asker: Asker<'_>, action: &str) -> (Truth, Option<&'a str>) {
    let is_action = |pattern: &&str| match statement.effect {
        Effect::Allow => *pattern == action,
        // Actions are compared without case.
        Effect::Deny => like(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase()),
    };
    if !statement.actions.iter().any(is_action) {
        return (Truth::No, None);
    }
    let meant = statement.principals.iter().map(|name| asker.is_meant(name)).max().unwrap_or(Truth::No);
    let entries = statement.condition.iter().map(|entry| (holds(entry, &asker.fact(entry.key, action)), entry.key));
    match entries.min_by_key(|(truth, _)| *truth) {
        Some((truth, key)) if truth < Truth::Yes => (meant.min(truth), Some(key)),
        _ => (meant, None),
    }
}

/// Why an action is not allowed for certain; `None` if it is.
fn withheld(statements: &[Statement<'_>], asker: Asker<'_>, action: &'static str) -> Option<Withheld> {
    let because = |why| Some(Withheld { action, why });
    let of = |effect| statements.iter().filter(move |statement| statement.effect == effect);
    let named = |statement: &Statement<'_>, key: Option<&str>| (statement.name.clone(), key.map(quoted));
    let denied = of(Effect::Deny).map(|statement| (applies(statement, asker, action), statement));
    if let Some(((truth, key), statement)) = denied.max_by_key(|((truth, _), _)| *truth)
        && truth > Truth::No
    {
        let (statement, key) = named(statement, key);
        return because(if truth == Truth::Yes {
            Unmet::Denied { statement }
        } else {
            Unmet::MayBeDenied { statement, key }
        });
    }
    let speaks = |statement: &&Statement<'_>| statement.actions.contains(&action);
    let allowed = of(Effect::Allow).filter(speaks).map(|statement| (applies(statement, asker, action), statement));
    match allowed.max_by_key(|((truth, _), _)| *truth) {
        Some(((Truth::Yes, _), _)) => None,
        Some(((Truth::Maybe, key), statement)) => {
            let (statement, key) = named(statement, key);
            because(Unmet::Uncertain { statement, key })
        }
        Some(((Truth::No, Some(key)), statement)) => {
            because(Unmet::Contradicted { statement: statement.name.clone(), key: quoted(key) })
        }
        _ => because(Unmet::NotAllowed),
    }
}

/// The principals with whose credentials a vault boots, or what the best of them lacks.
pub(super) fn boots(statements: &[Statement<'_>], pins: &Pins) -> Result<Vec<String>, Vec<Withheld>> {
    // 2.
    let allow = statements.iter().filter(|statement| statement.effect == Effect::Allow);
    let mut askers: Vec<&Principal> = allow.flat_map(|statement| &statement.principals).collect();
    askers.retain(|principal| principal.is_role());
    askers.sort_unstable();
    askers.dedup();
    let askers: Vec<Option<&Principal>> = match &pins.role {
        Some(role) => vec![Some(role)],
        None => [None].into_iter().chain(askers.into_iter().map(Some)).collect(),
    };
    let (mut releases_to, mut least) = (Vec::new(), None::<Vec<Withheld>>);
    for asker in askers {
        let lacks = NEEDED.iter().filter_map(|action| withheld(statements, Asker::Enclave(asker, pins), action));
        let lacks: Vec<Withheld> = lacks.collect();
        match (lacks.is_empty(), asker) {
            (true, None) => return Ok(vec!["*".into()]),
            (true, Some(asker)) => releases_to.push(asker.text()),
            // 3. Of two that lack as much, the named one is reported.
            (false, _) if least.as_ref().is_none_or(|least| distance(&lacks) <= distance(least)) => least = Some(lacks),
            (false, _) => {}
        }
    }
    if releases_to.is_empty() { Err(least.unwrap_or_default()) } else { Ok(releases_to) }
}

/// How far a principal is from booting a vault: one to which nothing is released, such as an administrator, is further.
fn distance(lacks: &[Withheld]) -> (usize, usize) {
    let never = |lack: &&Withheld| RELEASES.contains(&lack.action) && lack.why == Unmet::NotAllowed;
    (lacks.iter().filter(never).count(), lacks.len())
}

/// 4.
pub(super) fn changers(statements: &[Statement<'_>], pins: &Pins) -> Vec<Changer> {
    let allow = statements.iter().filter(|statement| statement.effect == Effect::Allow);
    let allow = allow.filter(|statement| statement.actions.contains(&CHANGES));
    let mut principals: Vec<&Principal> = allow.flat_map(|statement| &statement.principals).collect();
    principals.retain(|principal| match principal {
        Principal::UniqueId(_) => !pins.in_force,
        Principal::Service(_) => false,
        _ => true,
    });
    principals.sort_unstable();
    principals.dedup();
    let mut changers = Vec::new();
    for principal in principals {
        let asker = Asker::Person(principal, pins);
        let most = |effect| {
            let of = statements.iter().filter(|statement| statement.effect == effect);
            of.map(|statement| applies(statement, asker, CHANGES).0).max().unwrap_or(Truth::No)
        };
        let (allowed, denied) = (most(Effect::Allow), most(Effect::Deny));
        if allowed > Truth::No && denied < Truth::Yes {
            let conditional = allowed < Truth::Yes || denied > Truth::No;
            changers.push(Changer { principal: principal.text(), conditional });
        }
    }
    changers
}
