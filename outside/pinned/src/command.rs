//! Commands of this machine, each with a time limit and in a process group of its own, which ends with it.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::PinnedError;

/// Set by [`stop_builds`].
static STOPPED: AtomicBool = AtomicBool::new(false);

/// Ends the command that is running, and refuses every later one: this process is asked to stop.
pub fn stop_builds() {
    STOPPED.store(true, Ordering::SeqCst);
}

/// Lines of a failed command that are shown.
const SHOWN: usize = 25;

/// Runs a command, and gives what it printed.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<String, PinnedError> {
    let name = format!("{command:?}");
    let (mut output, mut errors) = (scratch()?, scratch()?);
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(errors.try_clone()?).process_group(0);
    let mut child = command.spawn().map_err(|error| PinnedError::new(format!("{name} does not start: {error}")))?;
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if began.elapsed() > limit || STOPPED.load(Ordering::SeqCst) {
            break None;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    if let (None, Some(group)) = (status, group) {
        let _ = kill_process_group(group, Signal::KILL);
        let _ = child.wait();
    }
    let (printed, complained) = (read(&mut output)?, read(&mut errors)?);
    match status {
        Some(status) if status.success() => Ok(printed),
        Some(status) => Err(PinnedError::new(format!("{name}: {status}\n{}", last(&format!("{printed}{complained}"))))),
        None if STOPPED.load(Ordering::SeqCst) => Err(PinnedError::new(format!("{name}: stopped"))),
        None => Err(PinnedError::new(format!("{name}: not done after {} s", limit.as_secs()))),
    }
}

fn scratch() -> Result<File, PinnedError> {
    Ok(tempfile::tempfile()?)
}

fn read(file: &mut File) -> Result<String, PinnedError> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn last(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(SHOWN)..].join("\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn what_fails_says_so_and_what_hangs_is_ended() {
        let shell = |script: &str, limit| run(Command::new("sh").args(["-c", script]), Duration::from_millis(limit));
        assert_eq!(shell("echo done", 10_000).unwrap(), "done\n");
        let failed = shell("echo why >&2; exit 3", 10_000).unwrap_err().to_string();
        assert!(failed.ends_with("exit status: 3\nwhy"), "{failed}");
        let hung = shell("sleep 600 & sleep 600", 50).unwrap_err().to_string();
        assert!(hung.ends_with("not done after 0 s"), "{hung}");
    }
}
