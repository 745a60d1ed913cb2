//! What the command prints. The macros of this module stand in for the standard ones in the whole crate: those panic when the
//! reader of a pipe is gone (`adyton … | head`).
//!
//! On a terminal, and on stderr always, control characters are printed escaped (`\u{1b}`), but for line ends and tabs: a text can
//! quote a server, whose bytes must not reach a terminal as commands. Into a file or a pipe stdout is written as it is.
//!
//! A failed write is remembered, and everything goes on, so that children are stopped and folders removed as always. What runs
//! until it is stopped asks [`is_closed`]; `main` asks [`failure`] for the exit code.

use std::fmt;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::OnceLock;

/// Exit code of a program that ends because its reader has gone, as shells give it: 128 and the number of SIGPIPE.
const SIGPIPE: u8 = 141;

static FAILED: OnceLock<io::Error> = OnceLock::new();

/// A text without control characters.
fn printable(text: fmt::Arguments<'_>) -> String {
    let mut printable = String::new();
    for character in text.to_string().chars() {
        match character {
            '\n' | '\t' => printable.push(character),
            _ if is_command(character) => printable.extend(character.escape_unicode()),
            _ => printable.push(character),
        }
    }
    printable
}

/// Whether a terminal may act on a character: control characters, and those that change the order of what is displayed
/// (Unicode's `Bidi_Control`), which could show a text as another one.
fn is_command(character: char) -> bool {
    let reorders =
        matches!(character, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    character.is_control() || reorders
}

/// Writes to stdout.
pub(crate) fn out(text: fmt::Arguments<'_>) {
    let mut stdout = io::stdout().lock();
    let written = match stdout.is_terminal() {
        true => stdout.write_all(printable(text).as_bytes()),
        false => stdout.write_fmt(text),
    };
    if let Err(error) = written.and_then(|()| stdout.flush()) {
        let _ = FAILED.set(error);
    }
}

/// Writes to stderr; there is nowhere to report a failure.
pub(crate) fn err(text: fmt::Arguments<'_>) {
    let _ = io::stderr().lock().write_all(printable(text).as_bytes());
}

/// Whether nothing more can be printed.
pub(crate) fn is_closed() -> bool {
    FAILED.get().is_some()
}

/// The exit code after a failed write, in place of the command's own.
pub(crate) fn failure() -> Option<ExitCode> {
    let error = FAILED.get()?;
    if error.kind() == ErrorKind::BrokenPipe {
        return Some(ExitCode::from(SIGPIPE));
    }
    err(format_args!("adyton: cannot write what is to be printed: {error}\n"));
    Some(ExitCode::FAILURE)
}

macro_rules! print {
    ($($text:tt)*) => { $crate::output::out(format_args!($($text)*)) };
}

macro_rules! println {
    () => { $crate::output::out(format_args!("\n")) };
    ($($text:tt)*) => { $crate::output::out(format_args!("{}\n", format_args!($($text)*))) };
}

macro_rules! eprintln {
    ($($text:tt)*) => { $crate::output::err(format_args!("{}\n", format_args!($($text)*))) };
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_a_terminal_would_act_on_is_escaped() {
        for (text, expected) in [
            ("two\n\tlines: ×", "two\n\tlines: ×"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("a\r\nb", "a\\u{d}\nb"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}"),
            ("user\u{202e}nimda", "user\\u{202e}nimda"),
        ] {
            assert_eq!(printable(format_args!("{text}")), expected);
        }
    }
}
