//! Canaries: secrets that the drill gives to the vault, or reads off the phone, and that must then be found nowhere; and
//! as many decoys of the same shape that nobody ever had.
//!
//! What is found as often among decoys as among canaries is chance. A ten-digit code as semi-octets is five bytes, which
//! random data of 4 MiB hold with a probability of one in 260,000; the excess over decoys is what counts.
//!
//! No decoy shares a pattern with a canary, in any encoding: two numbers that differ in the last digit alone can leave the
//! same characters in base64, and the decoy would then be found wherever the canary is.

use std::collections::HashSet;
use std::fmt;

use super::Error;
use super::encoding::Encoding;

/// What a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A code of ten digits that the vault made and the phone shows.
    Code,
    /// A wrong code that somebody typed.
    Typed,
    /// A telephone number, without its `+`.
    Number,
    /// The local part of a mail address.
    Address,
    /// The tenant's token.
    Token,
    /// An API key's secret.
    KeySecret,
    /// What a carrier knows the vault by.
    Credential,
    /// A name that stands in messages.
    Name,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Code => "codes",
            Self::Typed => "typed codes",
            Self::Number => "numbers",
            Self::Address => "addresses",
            Self::Token => "tokens",
            Self::KeySecret => "key secrets",
            Self::Credential => "credentials",
            Self::Name => "names",
        })
    }
}

/// A secret that is looked for.
#[derive(Clone, Debug)]
pub(crate) struct Secret {
    pub(crate) kind: Kind,
    pub(crate) value: String,
}

/// Canaries, each with a decoy.
#[derive(Clone, Default)]
pub(crate) struct Planted {
    pub(crate) canaries: Vec<Secret>,
    pub(crate) decoys: Vec<Secret>,
    /// All patterns of the canaries.
    patterns: HashSet<(Encoding, Vec<u8>)>,
}

impl Planted {
    /// Remembers a secret that the vault has, and makes its decoy. An older decoy that shares a pattern with the new secret
    /// is made again.
    pub(crate) fn plant(&mut self, kind: Kind, value: &str) -> Result<(), Error> {
        if self.canaries.iter().any(|known| known.value == value) {
            return Ok(());
        }
        self.patterns.extend(patterns(value));
        self.canaries.push(Secret { kind, value: value.into() });
        for number in 0..self.decoys.len() {
            if self.shares_a_pattern(&self.decoys[number].value) {
                self.decoys[number].value = self.decoy_of(&self.canaries[number].value)?;
            }
        }
        self.decoys.push(Secret { kind, value: self.decoy_of(value)? });
        Ok(())
    }

    fn decoy_of(&self, value: &str) -> Result<String, Error> {
        loop {
            let decoy = like(value)?;
            if !self.shares_a_pattern(&decoy) {
                return Ok(decoy);
            }
        }
    }

    fn shares_a_pattern(&self, decoy: &str) -> bool {
        patterns(decoy).any(|pattern| self.patterns.contains(&pattern))
    }

    /// A new number of Washington, as the vault's numbering plan takes it.
    pub(crate) fn number(&mut self) -> Result<String, Error> {
        let number = format!("1202{}", random_of(b"23456789", 7)?);
        self.plant(Kind::Number, &number)?;
        Ok(format!("+{number}"))
    }

    /// A new mail address.
    pub(crate) fn address(&mut self) -> Result<String, Error> {
        let local = random_of(b"abcdefghkmnpqrstuvwxyz", 14)?;
        self.plant(Kind::Address, &local)?;
        Ok(format!("{local}@example.com"))
    }

    /// A new name for messages.
    pub(crate) fn name(&mut self) -> Result<String, Error> {
        // Eleven in a row could be an app's hash, and would be refused.
        let name = random_of(b"abcdefghkmnpqrstuvwxyz", 10)?;
        self.plant(Kind::Name, &name)?;
        Ok(name)
    }

    /// A code that is wrong.
    pub(crate) fn typed(&mut self, right: &str) -> Result<String, Error> {
        let typed = loop {
            let typed = random_of(b"0123456789", right.len())?;
            if typed != right {
                break typed;
            }
        };
        self.plant(Kind::Typed, &typed)?;
        Ok(typed)
    }
}

/// The patterns of a value in all encodings; a very short value has none in some.
fn patterns(value: &str) -> impl Iterator<Item = (Encoding, Vec<u8>)> {
    let of = move |encoding: Encoding| encoding.patterns(value).into_iter().map(move |pattern| (encoding, pattern));
    Encoding::ALL.into_iter().flat_map(of).filter(|(_, pattern)| !pattern.is_empty())
}

/// A random text of the same shape: digits for digits, letters for letters, hexadecimal for hexadecimal. A number keeps its
/// country and area, as the numbers of real people would.
fn like(value: &str) -> Result<String, Error> {
    let hexadecimal = value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    let other = |byte: u8| {
        Ok::<_, Error>(match byte {
            _ if hexadecimal => random_of(b"0123456789abcdef", 1)?,
            b'0'..=b'9' => random_of(b"23456789", 1)?,
            b'a'..=b'z' => random_of(b"abcdefghkmnpqrstuvwxyz", 1)?,
            b'A'..=b'Z' => random_of(b"ABCDEFGHKMNPQRSTUVWXYZ", 1)?,
            other => char::from(other).to_string(),
        })
    };
    let keep = if value.len() == 11 && value.starts_with("1202") { 4 } else { 0 };
    let rest: String = value.bytes().skip(keep).map(other).collect::<Result<_, _>>()?;
    Ok(format!("{}{rest}", &value[..keep]))
}

/// So many characters of an alphabet.
pub(crate) fn random_of(alphabet: &[u8], length: usize) -> Result<String, Error> {
    let mut text = String::new();
    while text.len() < length {
        for byte in adyton_seal::random::<32>()? {
            // Without the remainder, which would prefer the first of the alphabet.
            let fair = 256 / alphabet.len() * alphabet.len();
            if text.len() < length && usize::from(byte) < fair {
                text.push(char::from(alphabet[usize::from(byte) % alphabet.len()]));
            }
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn a_decoy_has_the_shape_of_its_canary_and_is_none() {
        let mut planted = Planted::default();
        let number = planted.number().unwrap();
        assert!(number.starts_with("+1202") && number.len() == 12);
        planted.plant(Kind::Credential, "pretend:Mail-1").unwrap();
        planted.plant(Kind::Credential, "pretend:Mail-1").unwrap();
        planted.plant(Kind::Token, "0123456789abcdef0123456789abcdef").unwrap();
        let shape = |text: &str| -> String {
            let class = |byte: u8| match byte {
                b'0'..=b'9' => '0',
                b'a'..=b'z' => 'a',
                b'A'..=b'Z' => 'A',
                other => char::from(other),
            };
            text.bytes().map(class).collect()
        };
        assert_eq!((planted.canaries.len(), planted.decoys.len()), (3, 3));
        for (canary, decoy) in planted.canaries.iter().zip(&planted.decoys).take(2) {
            assert_eq!((canary.kind, shape(&canary.value)), (decoy.kind, shape(&decoy.value)));
            assert_ne!(canary.value, decoy.value);
        }
        assert!(planted.decoys[0].value.starts_with("1202"));
        assert!(planted.decoys[2].value.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }

    #[test]
    fn the_shortest_decoy_is_never_its_canary() {
        for _ in 0..200 {
            let mut planted = Planted::default();
            planted.plant(Kind::Code, "2").unwrap();
            assert_ne!(planted.decoys[0].value, "2");
        }
    }

    /// Values of two digits, of which many share patterns: the last digit of some is not in base64 at all.
    #[test]
    fn no_decoy_shares_a_pattern_with_any_canary() {
        assert!(patterns("25").any(|pattern| patterns("26").any(|other| other == pattern)), "the test's own premise");
        for _ in 0..50 {
            let mut planted = Planted::default();
            for _ in 0..4 {
                planted.plant(Kind::Code, &random_of(b"23456789", 2).unwrap()).unwrap();
            }
            for decoy in &planted.decoys {
                for canary in &planted.canaries {
                    let shared =
                        patterns(&decoy.value).find(|pattern| patterns(&canary.value).any(|other| other == *pattern));
                    assert_eq!(shared, None, "{} and {}", decoy.value, canary.value);
                }
            }
        }
    }
}
