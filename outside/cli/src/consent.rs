//! Questions to the person at the terminal.

use std::io::{self, BufRead, IsTerminal, Read};

/// Longest answer that is read.
const LONGEST: u64 = 64;

/// Whether the person says yes; `None` without a terminal to ask on.
pub(crate) fn ask(question: &str) -> Option<bool> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return None;
    }
    crate::output::err(format_args!("{question} [y/N] "));
    let mut answer = String::new();
    let read = stdin.lock().take(LONGEST).read_line(&mut answer);
    Some(read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Whether a command that installs packages may be run: `--yes` was given, or the person says so.
pub(crate) fn to_run(line: &str, yes: bool) -> bool {
    yes || ask(&format!("Packages are missing. Run `{line}`?")).unwrap_or(false)
}
