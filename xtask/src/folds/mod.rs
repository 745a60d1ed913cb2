//! `cargo xtask folds`: writes the table of what carriers may put in the place of characters (`inside/workflows/services/src/message/fold`).
//!
//! Why a table: a library that knows all of Unicode's decompositions would be trusted code. A table is data that a reviewer can read
//! as a diff.
//!
//! Limits: it is as new as the Unicode of the Python that made it. Under another one `--check` is not run: later versions of
//! Unicode add characters and change none.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::ci::Outcome;
use crate::{Error, root};

/// Writes the table.
pub(crate) fn run() -> Result<(), Error> {
    fs::write(path(), made()?)?;
    println!("folds: {} is written", path().display());
    Ok(())
}

/// Compares the committed table with what the rules give.
pub(crate) fn check() -> Outcome {
    match (fs::read_to_string(path()).map_err(Error::from), made()) {
        (Ok(committed), Ok(made)) => compare(&committed, &made),
        (Err(error), _) | (_, Err(error)) => Outcome::Fail(error.to_string()),
    }
}

fn compare(committed: &str, made: &str) -> Outcome {
    match (unicode(committed), unicode(made)) {
        (Some(theirs), Some(ours)) if theirs != ours => {
            Outcome::NotRun(format!("the table is of Unicode {theirs}, and this Python has {ours}"))
        }
        _ if committed == made => Outcome::Pass,
        _ => Outcome::Fail("the table is not what the rules give: run `cargo xtask folds`".into()),
    }
}

/// The version that a table says it was made from.
fn unicode(table: &str) -> Option<&str> {
    table.split_once("Unicode ")?.1.split_whitespace().next()
}

fn path() -> PathBuf {
    root().join("inside/workflows/services/src/message/fold/table.rs")
}

fn made() -> Result<String, Error> {
    let mut python = Command::new("python3");
    python.arg(root().join("xtask/src/folds/table.py")).env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUTF8", "1");
    let output = python.output().map_err(|error| format!("python3: {error}"))?;
    if !output.status.success() {
        return Err(format!("table.py: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_another_unicode_is_not_compared() {
        let (table, newer) = ("//! from Unicode 14.0.0 (x)\n", "//! from Unicode 16.0.0 (x)\n'a'");
        assert!(matches!(compare(table, table), Outcome::Pass));
        assert!(matches!(compare(table, "//! from Unicode 14.0.0 (x)\n'a'"), Outcome::Fail(_)));
        let Outcome::NotRun(why) = compare(table, newer) else { unreachable!() };
        assert_eq!(why, "the table is of Unicode 14.0.0, and this Python has 16.0.0");
        assert!(matches!(compare("", "x"), Outcome::Fail(_)));
    }
}
