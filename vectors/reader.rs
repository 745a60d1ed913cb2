//! Reads the test vectors of this folder. Tests include it by path; it is part of no crate.

#![allow(dead_code, reason = "each test uses the part it needs")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a vector that is not of its form should stop the test")]

// Crates without std have unit tests that read vectors, too.
extern crate std;

use std::fmt::Debug;
use std::vec::Vec;
use std::{assert, format, panic};

use data_encoding::HEXLOWER;
use serde_json::Value;

/// One case of a file.
pub(crate) struct Vector(pub(crate) Value);

/// The cases of a file.
pub(crate) fn read(json: &str) -> Vec<Vector> {
    let vectors: Vec<Value> = serde_json::from_str(json).unwrap();
    assert!(!vectors.is_empty());
    let vectors: Vec<Vector> = vectors.into_iter().map(Vector).collect();
    assert!(vectors.iter().all(|v| v.name().starts_with("fail_") == v.is_refused()));
    vectors
}

impl Vector {
    pub(crate) fn name(&self) -> &str {
        self.text("name")
    }

    /// Which kind of case it is, in files that have several.
    pub(crate) fn what(&self) -> &str {
        self.text("what")
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.has("refusal")
    }

    pub(crate) fn has(&self, field: &str) -> bool {
        self.0.get(field).is_some_and(|value| !value.is_null())
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap_or_else(|| panic!("{field} of {}", self.0))
    }

    pub(crate) fn flag(&self, field: &str) -> bool {
        self.0[field].as_bool().unwrap_or_else(|| panic!("{field} of {}", self.name()))
    }

    pub(crate) fn number(&self, field: &str) -> u64 {
        self.0[field].as_u64().unwrap_or_else(|| panic!("{field} of {}", self.0))
    }

    /// A number that fits a smaller type.
    pub(crate) fn small<T: TryFrom<u64>>(&self, field: &str) -> T {
        T::try_from(self.number(field)).unwrap_or_else(|_| panic!("{field} of {}", self.0))
    }

    pub(crate) fn hex(&self, field: &str) -> Vec<u8> {
        decode(self.text(field))
    }

    pub(crate) fn fixed<const N: usize>(&self, field: &str) -> [u8; N] {
        self.hex(field).try_into().unwrap_or_else(|_| panic!("{field} of {}", self.0))
    }

    /// A list of bytes.
    pub(crate) fn hexes(&self, field: &str) -> Vec<Vec<u8>> {
        self.array(field).iter().map(|value| decode(value.as_str().unwrap())).collect()
    }

    /// A list of objects.
    pub(crate) fn list(&self, field: &str) -> Vec<Vector> {
        self.array(field).iter().cloned().map(Vector).collect()
    }

    pub(crate) fn object(&self, field: &str) -> Vector {
        Vector(self.0[field].clone())
    }

    fn array(&self, field: &str) -> &[Value] {
        self.0[field].as_array().unwrap_or_else(|| panic!("{field} of {}", self.0))
    }

    /// A good case gives its value. A `fail_` case is refused with the refusal it names, and gives nothing; a refusal
    /// may be named without the facts that it carries.
    pub(crate) fn settle<T: Debug, E: Debug>(&self, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) if !self.is_refused() => Some(value),
            Err(error) if self.is_refused() => {
                let (said, named) = (format!("{error:?}"), self.text("refusal"));
                assert!(said == named || said.starts_with(&format!("{named} {{")), "{}: {said}", self.name());
                None
            }
            result => panic!("{}: {result:?}", self.name()),
        }
    }
}

fn decode(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}
