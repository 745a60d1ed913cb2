//! Lines for a shell: what is printed to be pasted works whatever a path holds.

use std::fmt::Display;

/// A word as `sh` reads it back: as it is if nothing in it means anything to a shell, else between single quotes.
pub(crate) fn sh(word: impl Display) -> String {
    let word = word.to_string();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use std::process::Command;

    use super::sh;

    #[test]
    fn a_shell_reads_every_word_back() {
        assert_eq!(sh("/plain/path-1.json"), "/plain/path-1.json");
        assert_eq!(sh("0=ab"), "0=ab");
        for word in ["", "my vault", "it's", "$HOME", "~", "a;b", "`ls`", "\"x\"", "a\\b", "*", "é", "#", "a\nb"] {
            let said = Command::new("sh").args(["-c", &format!("printf %s {}", sh(word))]).output().unwrap();
            assert_eq!(String::from_utf8(said.stdout).unwrap(), word);
        }
    }
}
