//! Strict JSON: a member name that occurs twice in one object refuses the whole text.
//!
//! Why: readers differ in which of two equal members they use. If this check and AWS read a key policy differently, the key
//! could be released to anybody.

use core::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A value. Numbers have no content here, because no rule reads one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number,
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// The whole text is one value.
    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// A text, or the items of a list of texts. `None` for anything else, an empty list included.
    pub(super) fn texts(&self) -> Option<Vec<&str>> {
        let text = |json: &'_ Self| matches!(json, Self::Text(_));
        match self {
            Self::Text(text) => Some(vec![text]),
            Self::List(list) if !list.is_empty() && list.iter().all(text) => {
                Some(list.iter().filter_map(Self::single).collect())
            }
            _ => None,
        }
    }

    /// The one text that this is, alone or as a list's only item.
    pub(super) fn single(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::List(list) => match &list[..] {
                [Self::Text(text)] => Some(text),
                _ => None,
            },
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Strict)
    }
}

struct Strict;

impl<'de> Visitor<'de> for Strict {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without duplicate member names")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut members: Vec<(String, Json)> = Vec::new();
        while let Some((name, value)) = entries.next_entry::<String, Json>()? {
            if members.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom("duplicate member name"));
            }
            members.push((name, value));
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_member_names_are_refused() {
        assert!(Json::parse(r#"{"a":[{"b":1,"B":-2,"c":null},true,0.5]}"#).is_some());
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"[{"a":{"b":[],"b":[]}}]"#,
            "",
            "{} {}",
            "{\"a\":1,}",
            &"[".repeat(200),
        ] {
            assert_eq!(Json::parse(text), None, "{text}");
        }
    }
}
