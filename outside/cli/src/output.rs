//! What the command prints. The macros of this module stand in for the standard ones in the whole crate: those panic when the
//! reader of a pipe is gone (`adyton … | head`).
//!
//! A failed write is remembered, and everything goes on, so that children are stopped and folders removed as always. What runs
//! until it is stopped asks [`is_closed`]; `main` asks [`failure`] for the exit code.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::OnceLock;

/// Exit code of a program that ends because its reader has gone, as shells give it: 128 and the number of SIGPIPE.
const SIGPIPE: u8 = 141;

static FAILED: OnceLock<io::Error> = OnceLock::new();

/// Writes to stdout.
pub(crate) fn out(text: fmt::Arguments<'_>) {
    let mut stdout = io::stdout().lock();
    if let Err(error) = stdout.write_fmt(text).and_then(|()| stdout.flush()) {
        let _ = FAILED.set(error);
    }
}

/// Writes to stderr; there is nowhere to report a failure.
pub(crate) fn err(text: fmt::Arguments<'_>) {
    let _ = io::stderr().lock().write_fmt(text);
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
