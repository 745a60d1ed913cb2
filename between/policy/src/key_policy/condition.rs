//! Conditions, evaluated in three values: a condition holds, does not hold, or may hold.
//!
//! The rules are AWS's (IAM user guide, "Condition operators"): operators are ANDed, so are the keys of one operator, and the values
//! of a key are ORed, for a negated operator NORed. A key that the request does not have satisfies only negated operators,
//! `…IfExists`, `ForAllValues:` and `Null: true`. Condition keys are compared without case.
//!
//! Everything that is not certain is "may hold": an operator that is not implemented here, a key whose value is not known, a
//! policy variable (`${…}`), a number, an empty list, and for an operator of ARNs a value of fewer than six parts. In a denial that
//! counts as denied, in an allowance as not allowed.

use super::json::Json;
use super::statement::Entry;

/// Whether something holds. The order is that of certainty: `and` is the least, `or` the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Truth {
    No,
    Maybe,
    Yes,
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// What is known of a condition key in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    /// Nothing.
    Unknown,
    /// The request has the key, with a value that is not known.
    Present,
    /// The key is as in one of these cases: absent, or with these values.
    OneOf(Vec<Option<Vec<String>>>),
}

impl Fact {
    pub(super) fn is(value: &str) -> Self {
        Self::OneOf(vec![Some(vec![value.into()])])
    }

    pub(super) fn absent() -> Self {
        Self::OneOf(vec![None])
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quantifier {
    None,
    Any,
    All,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Same,
    IgnoreCase,
    Like,
    Arn,
    Null,
}

#[derive(Clone, Copy)]
struct Operator {
    quantifier: Quantifier,
    comparison: Comparison,
    negated: bool,
    if_exists: bool,
}

impl Operator {
    /// `None` for an operator that is not implemented here.
    fn parse(text: &str) -> Option<Self> {
        let (quantifier, text) = match text.split_once(':') {
            None => (Quantifier::None, text),
            Some(("ForAnyValue", text)) => (Quantifier::Any, text),
            Some(("ForAllValues", text)) => (Quantifier::All, text),
            Some(_) => return None,
        };
        let (text, if_exists) = text.strip_suffix("IfExists").map_or((text, false), |text| (text, true));
        let (comparison, negated) = match text {
            "StringEquals" => (Comparison::Same, false),
            "StringNotEquals" => (Comparison::Same, true),
            "StringEqualsIgnoreCase" | "Bool" => (Comparison::IgnoreCase, false),
            "StringNotEqualsIgnoreCase" => (Comparison::IgnoreCase, true),
            "StringLike" => (Comparison::Like, false),
            "StringNotLike" => (Comparison::Like, true),
            "ArnEquals" | "ArnLike" => (Comparison::Arn, false),
            "ArnNotEquals" | "ArnNotLike" => (Comparison::Arn, true),
            "Null" => (Comparison::Null, false),
            _ => return None,
        };
        let plain = quantifier == Quantifier::None;
        // A quantifier makes IfExists say something else; `Null` has neither.
        if if_exists && !plain || comparison == Comparison::Null && (if_exists || !plain) {
            return None;
        }
        Some(Self { quantifier, comparison, negated, if_exists })
    }

    /// For a request in which the key is absent or has these values. A value of which AWS does not say what it compares to is
    /// tried both ways.
    fn evaluate(self, fact: Option<&[String]>, values: &[&str]) -> Truth {
        let is_defined =
            |value: &&&str| self.comparison != Comparison::Arn || value.splitn(ARN_PARTS, ':').count() == ARN_PARTS;
        let defined: Vec<&str> = values.iter().filter(is_defined).copied().collect();
        let least = self.compared(fact, &defined, false);
        if defined.len() == values.len() || self.compared(fact, &defined, true) == least { least } else { Truth::Maybe }
    }

    /// `other_fits`: there is a further value, and it fits.
    fn compared(self, fact: Option<&[String]>, values: &[&str], other_fits: bool) -> Truth {
        if self.comparison == Comparison::Null {
            return match values {
                [value] if value.eq_ignore_ascii_case("true") => fact.is_none().into(),
                [value] if value.eq_ignore_ascii_case("false") => fact.is_some().into(),
                _ => Truth::Maybe,
            };
        }
        let fits =
            |fact: &String| (other_fits || values.iter().any(|value| self.compares(value, fact))) != self.negated;
        match (self.quantifier, fact) {
            (Quantifier::None, None) => (self.negated || self.if_exists).into(),
            (Quantifier::None, Some([fact])) => fits(fact).into(),
            (Quantifier::None, Some(_)) => Truth::Maybe,
            (Quantifier::Any, fact) => fact.unwrap_or_default().iter().any(fits).into(),
            (Quantifier::All, fact) => fact.unwrap_or_default().iter().all(fits).into(),
        }
    }

    fn compares(self, value: &str, fact: &str) -> bool {
        match self.comparison {
            Comparison::Same => value == fact,
            Comparison::IgnoreCase => value.eq_ignore_ascii_case(fact),
            Comparison::Like | Comparison::Null => like(value, fact),
            Comparison::Arn => {
                let (value, fact): (Vec<_>, Vec<_>) =
                    (value.splitn(ARN_PARTS, ':').collect(), fact.splitn(ARN_PARTS, ':').collect());
                value.len() == fact.len() && value.iter().zip(fact).all(|(value, fact)| like(value, fact))
            }
        }
    }
}

/// Parts of an ARN, between colons; the last may have colons of its own.
const ARN_PARTS: usize = 6;

/// Whether one entry of a condition holds, given what is known of its key.
pub(super) fn holds(entry: &Entry<'_>, fact: &Fact) -> Truth {
    let values = match entry.values {
        Json::Bool(true) => Some(vec!["true"]),
        Json::Bool(false) => Some(vec!["false"]),
        values => values.texts(),
    };
    let values = values.filter(|values| !values.iter().any(|value| value.contains("${")));
    let (Some(operator), Some(values)) = (Operator::parse(entry.operator), values) else { return Truth::Maybe };
    let cases = match fact {
        Fact::Unknown => return Truth::Maybe,
        // Of a key that is there `Null` knows all it asks for.
        Fact::Present if operator.comparison == Comparison::Null => return operator.evaluate(Some(&[]), &values),
        Fact::Present => return Truth::Maybe,
        Fact::OneOf(cases) => cases,
    };
    let mut truths = cases.iter().map(|case| operator.evaluate(case.as_deref(), &values));
    let Some(first) = truths.next() else { return Truth::Maybe };
    if truths.all(|truth| truth == first) { first } else { Truth::Maybe }
}

/// `*` stands for any characters, `?` for one.
pub(super) fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut read, mut star) = (0, 0, None);
    while read < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(wanted) if *wanted == b'?' || *wanted == text[read] => {
                at += 1;
                read += 1;
            }
            // The last star takes one byte more.
            _ => match star {
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    at = place + 1;
                    read = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(operator: &str, values: &Json, fact: &Fact) -> Truth {
        holds(&Entry { operator, key: "k", values }, fact)
    }

    fn text(text: &str) -> Json {
        Json::Text(text.into())
    }

    fn list(texts: &[&str]) -> Json {
        Json::List(texts.iter().map(|item| text(item)).collect())
    }

    /// IAM user guide, "Condition operators" and "Single-valued vs. multivalued context keys".
    #[test]
    fn operators_evaluate_as_aws_documents_them() {
        let (is, absent) = (Fact::is("a"), Fact::absent());
        let both = Fact::OneOf(vec![None, Some(vec!["a".into()])]);
        let many = Fact::OneOf(vec![Some(vec!["a".into(), "b".into()])]);
        use Truth::{Maybe, No, Yes};
        for (operator, value, fact, expected) in [
            ("StringEquals", "a", &is, Yes),
            ("StringEquals", "A", &is, No),
            ("StringEquals", "a", &absent, No),
            ("StringEqualsIgnoreCase", "A", &is, Yes),
            ("StringEqualsIfExists", "b", &absent, Yes),
            ("StringEqualsIfExists", "b", &is, No),
            ("StringNotEquals", "a", &is, No),
            ("StringNotEquals", "b", &is, Yes),
            ("StringNotEquals", "a", &absent, Yes),
            ("StringNotEqualsIgnoreCase", "A", &is, No),
            ("StringLike", "*", &is, Yes),
            ("StringLike", "*", &absent, No),
            ("StringNotLike", "?", &is, No),
            ("Bool", "a", &is, Yes),
            ("BoolIfExists", "false", &absent, Yes),
            ("Bool", "false", &absent, No),
            ("Null", "true", &absent, Yes),
            ("Null", "true", &is, No),
            ("Null", "false", &is, Yes),
            ("Null", "false", &Fact::Present, Yes),
            ("Null", "x", &is, Maybe),
            ("ForAnyValue:StringEquals", "b", &many, Yes),
            ("ForAnyValue:StringEquals", "b", &absent, No),
            ("ForAnyValue:StringNotEquals", "b", &many, Yes),
            ("ForAllValues:StringEquals", "b", &many, No),
            ("ForAllValues:StringEquals", "b", &absent, Yes),
            // Not certain.
            ("StringEquals", "a", &many, Maybe),
            ("StringEquals", "a", &both, Maybe),
            ("StringEqualsIfExists", "a", &both, Yes),
            ("StringEquals", "a", &Fact::Unknown, Maybe),
            ("StringEquals", "a", &Fact::Present, Maybe),
            ("StringEquals", "${aws:username}", &is, Maybe),
            ("stringequals", "a", &is, Maybe),
            ("NumericEquals", "a", &is, Maybe),
            ("ForAllValues:StringEqualsIfExists", "a", &is, Maybe),
            ("ForSomeValues:StringEquals", "a", &is, Maybe),
            ("NullIfExists", "true", &is, Maybe),
        ] {
            assert_eq!(judged(operator, &text(value), fact), expected, "{operator} {value} {fact:?}");
        }
        assert_eq!(judged("StringEquals", &list(&["x", "a"]), &is), Yes, "values are ORed");
        assert_eq!(judged("StringNotEquals", &list(&["x", "a"]), &is), No, "and NORed under a negated operator");
        assert_eq!(judged("Bool", &Json::Bool(true), &Fact::is("true")), Yes);
        for unread in [Json::Number, Json::Null, Json::List(vec![]), Json::List(vec![Json::Number])] {
            assert_eq!(judged("StringEquals", &unread, &is), Maybe);
        }
    }

    #[test]
    fn arns_are_compared_by_their_parts() {
        let role = Fact::is("arn:aws:iam::111122223333:role/adyton");
        for (value, expected) in [
            ("arn:aws:iam::111122223333:role/adyton", Truth::Yes),
            ("arn:aws:iam::111122223333:role/*", Truth::Yes),
            ("arn:*:iam::*:role/*", Truth::Yes),
            ("arn:aws:iam::111122223333:role/adyton:1", Truth::No),
            // AWS does not say how it compares less than an ARN.
            ("arn:aws:*:role/adyton", Truth::Maybe),
            ("arn:*", Truth::Maybe),
            ("*", Truth::Maybe),
            ("", Truth::Maybe),
        ] {
            assert_eq!(judged("ArnLike", &text(value), &role), expected, "{value}");
        }
        let own = "arn:aws:iam::111122223333:role/adyton";
        for (operator, values, expected) in [
            ("ArnLike", ["x", own], Truth::Yes),
            ("ArnNotLike", ["x", own], Truth::No),
            ("ArnNotLike", ["x", "arn:aws:iam::111122223333:role/other"], Truth::Maybe),
        ] {
            assert_eq!(judged(operator, &list(&values), &role), expected, "{operator} {values:?}");
        }
        assert_eq!(judged("ArnLike", &text("x"), &Fact::absent()), Truth::No);
    }

    #[test]
    fn patterns_match_as_globs() {
        for (pattern, matched, not) in [
            ("kms:*", "kms:Decrypt", "s3:Get"),
            ("*", "", "-"),
            ("a*b*c", "a1b2b3c", "a1b2"),
            ("a?c", "abc", "ac"),
            ("", "", "a"),
            ("**x", "yx", "xy"),
        ] {
            assert!(like(pattern, matched), "{pattern} {matched}");
            assert!(pattern == "*" || !like(pattern, not), "{pattern} {not}");
        }
    }
}
