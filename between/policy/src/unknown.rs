//! Unknown keys, by name and with their nearest neighbour. The keys of each table are data here; a test holds them
//! against the types.

use toml::{Table, Value};

use crate::audit;
use crate::quoted::quoted_key;

/// (path of the table, its keys). `[]` marks a list of tables.
const KEYS: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "version",
            "profile",
            "retention_days",
            "attestation",
            "owners",
            "tenants",
            "api",
            "acme",
            "custody",
            "verification",
            "limits",
            "audit",
            "routes",
        ],
    ),
    ("attestation", &["root"]),
    ("owners", &["threshold", "keys"]),
    ("tenants", &["admission", "loosening_hours"]),
    ("api", &["names", "addresses", "public_names"]),
    ("acme", &["host", "port", "path", "trust", "contact", "external_account"]),
    ("custody", &["host", "port", "trust", "key", "credentials"]),
    ("verification", &["channels", "countries", "shortest_code", "custom_code_services"]),
    ("limits", LIMITS),
    ("audit", audit::KEYS),
    (
        "routes",
        &[
            "name",
            "kind",
            "channels",
            "host",
            "port",
            "trust",
            "credential",
            "cost",
            "account",
            "from",
            "messaging_service",
            "path",
            "seal_code_to",
            "tls",
            "content_retention",
            "address_retention",
        ],
    ),
];

const LIMITS: &[&str] = &[
    "failed_checks",
    "failed_checks_refill_seconds",
    "failed_checks_consecutive",
    "sends_per_destination_hour",
    "sends_per_number_block_hour",
    "sends_per_mail_domain_hour",
    "sends_per_tenant_hour",
    "spend_per_tenant_hour",
    "live_verifications",
];

/// (path, keys) of the settings.
const SETTINGS: &[(&str, &[&str])] = &[
    ("", &["version", "routes", "limits", "credentials", "public_certificate", "acme"]),
    ("acme", &["retired_account"]),
    ("public_certificate", &["chain", "sealed_key"]),
    ("routes", &["sms", "email"]),
    ("routes.sms", &["prefix", "use"]),
    ("routes.email", &["prefix", "use"]),
    ("limits", LIMITS),
];

/// Keys of earlier formats, and what stands in their place.
const REPLACED: &[(&str, &str)] =
    &[("sends_per_prefix_hour", "sends_per_number_block_hour and sends_per_mail_domain_hour")];

/// The first unknown key of a policy, and its nearest neighbour.
pub(crate) fn in_policy(table: &Table) -> Option<(String, Option<String>)> {
    find(table, "", KEYS)
}

/// The same for settings.
pub(crate) fn in_settings(table: &Table) -> Option<(String, Option<String>)> {
    find(table, "", SETTINGS)
}

fn find(table: &Table, path: &str, schema: &[(&str, &[&str])]) -> Option<(String, Option<String>)> {
    // A table that the schema does not list holds names of the user's own.
    let (_, known) = schema.iter().find(|(at, _)| *at == path)?;
    for (key, value) in table {
        if !known.contains(&key.as_str()) {
            let nearest = nearest(key, known);
            let key = quoted_key(key);
            let here = if path.is_empty() { key.into_owned() } else { format!("{path}.{key}") };
            return Some((here, nearest));
        }
        let here = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let tables: Vec<&Table> = match value {
            Value::Table(table) => vec![table],
            Value::Array(list) => list.iter().filter_map(Value::as_table).collect(),
            _ => Vec::new(),
        };
        if let Some(found) = tables.into_iter().find_map(|table| find(table, &here, schema)) {
            return Some(found);
        }
    }
    None
}

/// What replaced a key; or the known key at the smallest edit distance, if that is small enough to be a slip.
fn nearest(key: &str, known: &[&str]) -> Option<String> {
    if let Some((_, now)) = REPLACED.iter().find(|(old, _)| *old == key) {
        return Some((*now).to_owned());
    }
    let distances = known.iter().map(|name| (distance(key, name), *name));
    let (distance, name) = distances.min()?;
    (distance <= key.len().max(name.len()) / 2).then(|| name.to_owned())
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in
            [("", "", 0), ("abc", "abc", 0), ("kitten", "sitting", 3), ("", "abc", 3), ("ab", "ba", 2)]
        {
            assert_eq!((distance(a, b), distance(b, a)), (expected, expected));
        }
    }

    #[test]
    fn a_slip_has_a_neighbour_and_nonsense_has_none() {
        assert_eq!(nearest("sends_per_mail_domian_hour", LIMITS).as_deref(), Some("sends_per_mail_domain_hour"));
        assert_eq!(nearest("zzz", LIMITS), None);
    }
}
