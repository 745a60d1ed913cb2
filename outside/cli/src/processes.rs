//! The children of `adyton up`: started from beside this binary, told to die with it.

use std::io::{BufRead, BufReader, Lines};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::Value;

/// What a child prints, line by line.
type Output = Lines<BufReader<ChildStdout>>;

/// A child of ours.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
}

/// A binary that stands beside this one.
pub(crate) fn sibling(name: &str) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let path = std::env::current_exe()?.with_file_name(name);
    if path.is_file() {
        return Ok(path);
    }
    let folder = path.parent().unwrap_or(&path).display();
    Err(format!("{name} is missing in {folder}: build all binaries with `cargo build --release`, or copy it there")
        .into())
}

impl Process {
    /// Starts a child whose stdout is read by the caller.
    pub(crate) fn start(
        name: &'static str,
        arguments: &[String],
    ) -> Result<(Self, Output), Box<dyn std::error::Error>> {
        let mut child = Command::new(sibling(name)?)
            .args(arguments)
            .arg("--die-with-parent")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{name} does not start: {error}"))?;
        let stdout = child.stdout.take().ok_or("no output")?;
        Ok((Self { name, child }, BufReader::new(stdout).lines()))
    }

    /// Starts a child that says it is ready by one line of JSON; what follows is passed over.
    pub(crate) fn start_ready(
        name: &'static str,
        arguments: &[String],
    ) -> Result<(Self, Value), Box<dyn std::error::Error>> {
        let (process, mut lines) = Self::start(name, arguments)?;
        let Some(Ok(line)) = lines.next() else {
            // It said why on stderr.
            return Err(format!("{name} did not start").into());
        };
        let ready = serde_json::from_str(&line)?;
        std::thread::spawn(move || lines.for_each(drop));
        Ok((process, ready))
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub(crate) fn ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Asks it to stop, and makes it after three seconds.
    pub(crate) fn stop(mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, Signal::TERM);
        }
        let began = Instant::now();
        while !self.ended() && began.elapsed() < Duration::from_secs(3) {
            std::thread::sleep(Duration::from_millis(10));
        }
        if !self.ended() {
            eprintln!("adyton: {} did not stop when asked: killed", self.name);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
