//! A text that holds a code, and the same text without it.

use alloc::string::String;
use alloc::vec::Vec;

use adyton_seal::{Code, SecretText};

/// A piece of a text.
#[derive(Clone, Copy)]
pub enum Part<'a> {
    /// What does not depend on the code.
    Literal(&'a str),
    /// The code.
    Code,
}

impl<'a> Part<'a> {
    /// Its text, in a message for this code.
    pub(super) fn text(self, code: &'a Code) -> &'a str {
        match self {
            Self::Literal(text) => text,
            Self::Code => code.expose(),
        }
    }
}

/// A text that holds a code: zeroized on drop, never printed.
///
/// It is made of its parts, and what is without the code is made of the same parts: digits that
/// merely equal the code, such as those of a name or an app hash, are never taken for it.
pub struct Text {
    whole: SecretText,
    around_code: Vec<String>,
}

impl Text {
    /// The text that these parts make for a code.
    pub fn new(parts: &[Part<'_>], code: &Code) -> Self {
        let whole = SecretText::join(&texts(parts, code));
        let around_code = parts.split(|part| matches!(part, Part::Code));
        Self { whole, around_code: around_code.map(|literals| texts(literals, code).concat()).collect() }
    }

    /// The text, code included.
    pub fn expose(&self) -> &str {
        self.whole.expose()
    }

    /// The text without its code, which stands between each two neighbours. No piece depends on the
    /// code.
    pub fn around_code(&self) -> &[String] {
        &self.around_code
    }
}

fn texts<'a>(parts: &[Part<'a>], code: &'a Code) -> Vec<&'a str> {
    parts.iter().map(|part| part.text(code)).collect()
}
