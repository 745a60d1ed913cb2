//! What changes from one text of settings to another, in words.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::SettingsError;
use crate::quoted::quoted_key;

/// Sections whose values are sealed or long: that they change is said, and not what they are.
const OPAQUE: [&str; 2] = ["credentials.", "public_certificate."];

/// One line for each value that changes, sorted by key; empty if both texts say the same. An empty text stands for no settings.
///
/// # Errors
/// [`SettingsError::Toml`] if a text is not TOML.
pub fn settings_diff(old: &str, new: &str) -> Result<Vec<String>, SettingsError> {
    let (old, new) = (values(old)?, values(new)?);
    let mut keys: Vec<_> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    let line = |key: &String| {
        let opaque = OPAQUE.iter().any(|section| key.starts_with(section));
        match (old.get(key), new.get(key)) {
            (Some(old), Some(new)) if old == new => None,
            (Some(_), Some(_)) if opaque => Some(format!("{key}: another value")),
            (Some(old), Some(new)) => Some(format!("{key}: {} becomes {}", text(old), text(new))),
            (Some(_), None) if opaque => Some(format!("{key}: removed")),
            (Some(old), None) => Some(format!("{key}: {} is removed", text(old))),
            (None, Some(_)) if opaque => Some(format!("{key}: added")),
            (None, Some(new)) => Some(format!("{key}: {} is added", text(new))),
            (None, None) => None,
        }
    };
    Ok(keys.into_iter().filter_map(line).collect())
}

/// Values by their dotted keys, quoted where TOML needs it. The version is the format's, not a setting.
fn values(text: &str) -> Result<BTreeMap<String, Value>, SettingsError> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| SettingsError::Toml(error.to_string()))?;
    let mut found = BTreeMap::new();
    for (section, value) in table {
        match value {
            Value::Table(table) => {
                let section = quoted_key(&section);
                found
                    .extend(table.into_iter().map(|(name, value)| (format!("{section}.{}", quoted_key(&name)), value)));
            }
            _ if section == "version" => {}
            value => {
                found.insert(quoted_key(&section).into_owned(), value);
            }
        }
    }
    Ok(found)
}

/// A value as TOML writes it inline.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text:?}"),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Datetime(moment) => moment.to_string(),
        Value::Array(values) => format!("[{}]", values.iter().map(text).collect::<Vec<_>>().join(", ")),
        Value::Table(table) => {
            let members = table.iter().map(|(name, value)| format!("{} = {}", quoted_key(name), text(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn each_value_that_changes_has_its_line_and_sealed_ones_are_not_shown() {
        let old = "version = 1\n[limits]\nfailed_checks = 5\n[credentials]\nmail = \"AAAA\"\nsms = \"BBBB\"\n";
        let new = "# a comment\nversion = 1\n[credentials]\nsms = \"CCCC\"\nwebhook = \"DDDD\"\n[limits]\nfailed_checks = 6\n\
                   live_verifications = 9\n[[routes.sms]]\nprefix = \"\"\nuse = [\"a\"]\n";
        assert_eq!(
            settings_diff(old, new).unwrap(),
            [
                "credentials.mail: removed",
                "credentials.sms: another value",
                "credentials.webhook: added",
                "limits.failed_checks: 5 becomes 6",
                "limits.live_verifications: 9 is added",
                "routes.sms: [{ prefix = \"\", use = [\"a\"] }] is added",
            ]
        );
        assert_eq!(settings_diff(new, new).unwrap(), Vec::<String>::new());
        assert_eq!(settings_diff("", "version = 1\n").unwrap(), Vec::<String>::new());
        assert!(matches!(settings_diff("", "[limits"), Err(SettingsError::Toml(_))));
    }

    #[test]
    fn keys_are_quoted_as_values_are() {
        let new = r#"
            "top\nkey" = 1
            "credentials.mail" = "AAAA"
            ["sect\u001bion"]
            key = 1
            [credentials]
            mail = "BBBB"
            "\u001b[1A\u001b[2Kx" = "CCCC"
            "mail: removed\ncredentials.sms" = "DDDD"
            "\u202Eliam" = "EEEE"
            [limits]
            failed_checks = { "in\nside" = "va\nlue" }
        "#;
        let lines = settings_diff("", new).unwrap();
        assert_eq!(
            lines,
            [
                r#""credentials.mail": "AAAA" is added"#,
                r#""sect\u{1b}ion".key: 1 is added"#,
                r#""top\nkey": 1 is added"#,
                r#"credentials."\u{1b}[1A\u{1b}[2Kx": added"#,
                r#"credentials."\u{202e}liam": added"#,
                r#"credentials."mail: removed\ncredentials.sms": added"#,
                "credentials.mail: added",
                r#"limits.failed_checks: { "in\nside" = "va\nlue" } is added"#,
            ]
        );
    }
}
