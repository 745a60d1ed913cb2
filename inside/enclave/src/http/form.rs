//! `application/x-www-form-urlencoded` bodies, strictly.

use std::borrow::Cow;
use std::fmt;

/// Most fields of a form. The largest request of the API has fewer than half as many, and each new name is compared
/// with all before it.
const MAX_FIELDS: usize = 64;

/// A parsed form; by default one without fields. A field given twice is refused: which one counts must not be a matter of taste.
#[derive(Default)]
pub struct Form<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// Why a field, or the form, cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field; `body` for the form.
    pub name: String,
    /// What is accepted.
    pub rule: FormRule,
}

/// A rule of forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormRule {
    /// Names and values are UTF-8.
    Utf8,
    /// A field is given once.
    Once,
    /// There are 64 fields at the most.
    Count,
}

impl fmt::Display for FormRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utf8 => f.write_str("expected UTF-8, percent-encoded"),
            Self::Once => f.write_str("it is given twice; expected once"),
            Self::Count => write!(f, "expected at most {MAX_FIELDS} fields"),
        }
    }
}

impl<'a> Form<'a> {
    /// Parses a body.
    ///
    /// # Errors
    /// [`FieldError`] if it is not UTF-8, a field is given twice, or there are more than 64.
    pub fn parse(body: &'a [u8]) -> Result<Self, FieldError> {
        let refused = |name: &str, rule| FieldError { name: name.into(), rule };
        let text = std::str::from_utf8(body).map_err(|_| refused("body", FormRule::Utf8))?;
        let mut fields: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            // What percent-decoding could not read as UTF-8 came out as U+FFFD.
            if name.contains('\u{FFFD}') || value.contains('\u{FFFD}') {
                return Err(refused(if name.is_ascii() { &name } else { "body" }, FormRule::Utf8));
            }
            if fields.iter().any(|(known, _)| *known == name) {
                return Err(refused(&name, FormRule::Once));
            }
            if fields.len() == MAX_FIELDS {
                return Err(refused("body", FormRule::Count));
            }
            fields.push((name, value));
        }
        Ok(Self(fields))
    }

    /// Every field's name and value, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// A field's value, if it was given.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn fields_are_decoded_once() {
        let form = Form::parse(b"To=%2B15550100&Channel=sms&Empty=").unwrap();
        assert_eq!(form.get("To"), Some("+15550100"));
        assert_eq!(form.get("Empty"), Some(""));
        assert_eq!(form.get("Code"), None);
    }

    #[test]
    fn a_form_has_at_most_64_fields() {
        let body = |count: usize| (0..count).map(|number| format!("F{number}=&")).collect::<String>();
        assert!(Form::parse(body(64).as_bytes()).is_ok());
        assert_eq!(
            Form::parse(body(65).as_bytes()).err(),
            Some(FieldError { name: "body".into(), rule: FormRule::Count })
        );
    }

    #[test]
    fn doubtful_forms_are_refused() {
        for (body, name, rule) in [
            (&b"To=1&To=2"[..], "To", FormRule::Once),
            (b"To=%FF", "To", FormRule::Utf8),
            (b"\xFF=1", "body", FormRule::Utf8),
            (b"%FF=1", "body", FormRule::Utf8),
            (b"To=1&T%6F=2", "To", FormRule::Once),
        ] {
            assert_eq!(Form::parse(body).err(), Some(FieldError { name: name.into(), rule }));
        }
    }
}
