//! Key policies, evaluated as AWS does: a denial counts most, then an allowance, else nothing is allowed.
//!
//! 1. a statement speaks of a request if principal, action and every condition fit;
//! 2. the account's root stands for everybody in the account, whose identity policies allow everything here;
//! 3. operators are ANDed, so are the keys of one, and the values of a key are ORed. A key that a request does not have fits no
//!    operator but a negated one and `…IfExists`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::identity::Principal;
use super::{ACCOUNT, Refusal};

/// Facts of a request by their condition keys, in lower case.
pub(super) type Facts = BTreeMap<String, String>;

/// What a policy says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allowed,
    Denied,
    Nothing,
}

const OPERATORS: [&str; 8] = [
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "Bool",
    "Null",
];

fn malformed(why: &str) -> Refusal {
    Refusal::new("MalformedPolicyDocumentException", why)
}

/// Reads a policy and says whether it is one.
pub(super) fn parse(text: &str) -> Result<Value, Refusal> {
    let policy: Value = serde_json::from_str(text).map_err(|_| malformed("Policy contains invalid JSON"))?;
    for statement in statements(&policy) {
        if !matches!(statement["Effect"].as_str(), Some("Allow" | "Deny")) {
            return Err(malformed("Policy contains a statement with an invalid effect"));
        }
        for operator in statement["Condition"].as_object().into_iter().flat_map(serde_json::Map::keys) {
            let name = operator.rsplit(':').next().unwrap_or_default();
            if !OPERATORS.contains(&name.strip_suffix("IfExists").unwrap_or(name)) {
                return Err(malformed(&format!("Policy contains an invalid condition operator: {operator}")));
            }
        }
    }
    if statements(&policy).is_empty() { Err(malformed("Policy has no statement")) } else { Ok(policy) }
}

fn statements(policy: &Value) -> Vec<&Value> {
    many(&policy["Statement"])
}

fn many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(list) => list.iter().collect(),
        one => vec![one],
    }
}

/// What a policy says of a request.
pub(super) fn evaluate(policy: &Value, caller: Principal, action: &str, facts: &Facts) -> Verdict {
    let mut verdict = Verdict::Nothing;
    for statement in statements(policy) {
        // 1.
        if !speaks_of(statement, caller, action) || !holds(&statement["Condition"], facts) {
            continue;
        }
        if statement["Effect"] == "Deny" {
            return Verdict::Denied;
        }
        verdict = Verdict::Allowed;
    }
    verdict
}

fn speaks_of(statement: &Value, caller: Principal, action: &str) -> bool {
    let named = |value: &Value| many(value).into_iter().any(|name| is_principal(name, caller));
    let principal = match &statement["Principal"] {
        Value::Null => !named(&statement["NotPrincipal"]["AWS"]),
        Value::Object(kinds) => kinds.get("AWS").is_some_and(named),
        other => named(other),
    };
    let fits = |value: &Value| {
        let patterns = many(value).into_iter().filter_map(Value::as_str);
        patterns.map(str::to_lowercase).any(|pattern| like(&pattern, &action.to_lowercase()))
    };
    principal
        && match &statement["Action"] {
            Value::Null => !fits(&statement["NotAction"]),
            actions => fits(actions),
        }
}

/// 2.
fn is_principal(name: &Value, caller: Principal) -> bool {
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    name.as_str().is_some_and(|name| name == "*" || name == ACCOUNT || name == root || name == caller.arn())
}

/// 3.
fn holds(condition: &Value, facts: &Facts) -> bool {
    let operators = condition.as_object().into_iter().flatten();
    operators.into_iter().all(|(operator, keys)| {
        let name = operator.rsplit(':').next().unwrap_or_default();
        let (name, if_exists) = name.strip_suffix("IfExists").map_or((name, false), |name| (name, true));
        let keys = keys.as_object().into_iter().flatten();
        keys.into_iter().all(|(key, values)| {
            let fact = facts.get(&key.to_lowercase());
            let values: Vec<String> = many(values).into_iter().map(text).collect();
            fits(name, fact.map(String::as_str), &values).unwrap_or(if_exists)
        })
    })
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `None` if the request has no such fact and the operator needs one.
fn fits(operator: &str, fact: Option<&str>, values: &[String]) -> Option<bool> {
    if operator == "Null" {
        return Some(values.iter().any(|value| (value == "true") == fact.is_none()));
    }
    if let Some(rest) = operator.strip_prefix("StringNot") {
        let positive = format!("String{rest}");
        return Some(fact.is_none() || !fits(&positive, fact, values).unwrap_or_default());
    }
    let fact = fact?;
    Some(values.iter().any(|value| match operator {
        "StringEquals" => value == fact,
        "StringLike" => like(value, fact),
        _ => value.eq_ignore_ascii_case(fact),
    }))
}

/// `*` and `?`.
fn like(pattern: &str, text: &str) -> bool {
    fn bytes(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], rest) => rest.is_empty(),
            ([b'*', pattern @ ..], rest) => (0..=rest.len()).any(|skip| bytes(pattern, &rest[skip..])),
            ([wanted, pattern @ ..], [found, text @ ..]) => {
                (*wanted == b'?' || wanted == found) && bytes(pattern, text)
            }
            _ => false,
        }
    }
    bytes(pattern.as_bytes(), text.as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use serde_json::json;

    use super::*;

    fn verdict(statement: Value, caller: Principal) -> Verdict {
        let facts = Facts::from([("kms:recipientattestation:pcr0".into(), "ab".into())]);
        let policy = json!({ "Version": "2012-10-17", "Statement": statement }).to_string();
        evaluate(&parse(&policy).unwrap(), caller, "kms:Decrypt", &facts)
    }

    #[test]
    fn allowances_and_denials() {
        use Verdict::{Allowed, Denied, Nothing};
        let allow = |condition: Value| json!({ "Effect": "Allow", "Principal": { "AWS": Principal::Role.arn() }, "Action": "kms:Decr*", "Condition": condition });
        let pcr = "kms:RecipientAttestation:PCR0";
        for (condition, expected) in [
            (json!({}), Allowed),
            (json!({ "StringEquals": { pcr: "ab" } }), Allowed),
            (json!({ "StringEquals": { pcr: ["x", "ab"] } }), Allowed),
            (json!({ "StringEquals": { pcr: "AB" } }), Nothing),
            (json!({ "StringEqualsIgnoreCase": { pcr: "AB" } }), Allowed),
            (json!({ "StringEquals": { pcr: "ab", "kms:RecipientAttestation:PCR16": "ab" } }), Nothing),
            (json!({ "StringEqualsIfExists": { "kms:RecipientAttestation:PCR16": "ab" } }), Allowed),
            (json!({ "StringNotEquals": { "kms:RecipientAttestation:PCR16": "ab" } }), Allowed),
            (json!({ "StringNotEquals": { pcr: "ab" } }), Nothing),
            (json!({ "StringLike": { pcr: "a*" } }), Allowed),
            (json!({ "Null": { pcr: "false" } }), Allowed),
            (json!({ "Null": { pcr: "true" } }), Nothing),
        ] {
            assert_eq!(verdict(allow(condition.clone()), Principal::Role), expected, "{condition}");
            assert_eq!(verdict(allow(condition), Principal::Administrator), Nothing);
        }
        let root = json!({ "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:root") }, "Action": "kms:*" });
        assert_eq!(verdict(root.clone(), Principal::Administrator), Allowed);
        let deny = json!({ "Effect": "Deny", "Principal": "*", "NotAction": "kms:DescribeKey" });
        assert_eq!(verdict(json!([root, deny]), Principal::Administrator), Denied);
    }

    #[test]
    fn what_is_no_policy() {
        for text in [
            "",
            "{}",
            r#"{"Statement":{"Effect":"allow"}}"#,
            r#"{"Statement":{"Effect":"Allow","Condition":{"X":{}}}}"#,
        ] {
            assert_eq!(
                parse(text).err().map(|refusal| refusal.kind),
                Some("MalformedPolicyDocumentException"),
                "{text}"
            );
        }
    }
}
