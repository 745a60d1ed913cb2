//! The children of `adyton up` and `adyton drill`: started from beside this binary, told to die with it, and ended when their
//! [`Process`] is dropped.
//!
//! Each has a process group of its own: a terminal's Ctrl-C reaches this process alone, which then stops them in order.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::stop;

type Error = Box<dyn std::error::Error>;

/// Longest wait for a child's first line.
const READY: Duration = Duration::from_secs(60);
/// Longest line of a child that is read as one.
const LONGEST_LINE: u64 = 64 * 1024;

/// Bytes that are collected while others still write them.
pub(crate) type Collected = Arc<Mutex<Vec<u8>>>;

/// Gets each line that a child prints on stdout after it is ready.
pub(crate) type LineSink = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// What a child gets besides its arguments; by default nothing but what this process has.
#[derive(Clone, Default)]
pub(crate) struct Surroundings {
    /// Further variables of its environment.
    pub(crate) environment: Vec<(String, String)>,
    /// The program that runs in place of the one that stands beside this one.
    pub(crate) program: Option<PathBuf>,
    /// Its working folder.
    pub(crate) folder: Option<PathBuf>,
    /// Where all that it prints is collected; without it stderr is this process's.
    pub(crate) output: Option<Collected>,
    /// Who looks at its lines.
    pub(crate) lines: Option<LineSink>,
    /// Whether it is somebody else's program, which the kernel is asked to end with this one.
    pub(crate) foreign: bool,
    /// Whether its memory is opened before it can close itself to others ([`Process::memory`]).
    pub(crate) memory: bool,
}

/// A process's memory, opened as soon as the process was there.
pub(crate) struct Memory {
    /// Its mappings.
    pub(crate) maps: File,
    /// Its bytes.
    pub(crate) bytes: File,
}

/// A child of ours.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    memory: Option<std::io::Result<Memory>>,
}

/// A binary that stands beside this one.
pub(crate) fn sibling(name: &str) -> Result<PathBuf, Error> {
    let path = std::env::current_exe()?.with_file_name(name);
    if path.is_file() {
        return Ok(path);
    }
    let folder = path.parent().unwrap_or(&path).display();
    Err(format!("{name} is missing in {folder}: build all binaries with `cargo build --release`, or copy it there")
        .into())
}

impl Process {
    /// Starts a child whose output nobody waits for.
    pub(crate) fn start(name: &'static str, arguments: &[String], surroundings: &Surroundings) -> Result<Self, Error> {
        let (process, stdout) = Self::spawn(name, arguments, surroundings)?;
        read_on(stdout, surroundings.output.clone());
        Ok(process)
    }

    /// Starts a child that says it is ready by one line of JSON. What follows is passed over, collected, or looked at. It is ended again
    /// if it does not say so in time, or if this process is asked to stop.
    pub(crate) fn start_ready(
        name: &'static str,
        arguments: &[String],
        surroundings: &Surroundings,
    ) -> Result<(Self, Value), Error> {
        let (process, stdout) = Self::spawn(name, arguments, surroundings)?;
        let line = first_line(name, &read_lines(stdout, surroundings))?;
        if line.is_empty() {
            // It said why on stderr.
            return Err(format!("{name} did not start").into());
        }
        Ok((process, serde_json::from_slice(&line)?))
    }

    /// Starts a child whose output the caller reads.
    pub(crate) fn spawn(
        name: &'static str,
        arguments: &[String],
        surroundings: &Surroundings,
    ) -> Result<(Self, BufReader<impl Read + Send + use<>>), Error> {
        let program = surroundings.program.clone().map_or_else(|| sibling(name), Ok)?;
        let mut command;
        if surroundings.foreign {
            command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL", "--"]).arg(program).args(arguments);
        } else {
            command = Command::new(program);
            command.args(arguments).arg("--die-with-parent");
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
        command.envs(surroundings.environment.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &surroundings.folder {
            command.current_dir(folder);
        }
        if surroundings.output.is_some() {
            command.stderr(Stdio::piped());
        }
        let mut child = command.spawn().map_err(|error| format!("{name} does not start: {error}"))?;
        let memory = surroundings.memory.then(|| Memory::open(child.id()));
        let stdout = child.stdout.take().ok_or("no output")?;
        if let Some(stderr) = child.stderr.take() {
            read_on(BufReader::new(stderr), surroundings.output.clone());
        }
        Ok((Self { name, child, memory }, BufReader::new(stdout)))
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its memory, if that was asked for; an error says that it could not be opened.
    pub(crate) fn memory(&self) -> Option<&std::io::Result<Memory>> {
        self.memory.as_ref()
    }

    /// Whether it has ended.
    pub(crate) fn ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Its exit code, if it has ended by itself and not by a signal.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.child.try_wait().ok().flatten()?.code()
    }

    /// Sends it a signal and waits for its end, three seconds at most. Says whether it came.
    pub(crate) fn end(&mut self, signal: Signal) -> bool {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, signal);
        }
        let began = Instant::now();
        while !self.ended() && began.elapsed() < Duration::from_secs(3) {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.ended()
    }

    /// Asks it to stop, and makes it after three seconds.
    pub(crate) fn stop(mut self) {
        if !self.end(Signal::TERM) {
            eprintln!("adyton: {} did not stop when asked: killed", self.name);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing is sent to a child that was waited for already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Memory {
    /// Opens the memory of a process, as root or as whoever started it.
    pub(crate) fn open(pid: u32) -> std::io::Result<Self> {
        Ok(Self { maps: File::open(format!("/proc/{pid}/maps"))?, bytes: File::open(format!("/proc/{pid}/mem"))? })
    }
}

/// Waits for a child's first line; empty if the child ended without one.
fn first_line(name: &str, lines: &Receiver<Vec<u8>>) -> Result<Vec<u8>, Error> {
    let began = Instant::now();
    loop {
        match lines.recv_timeout(Duration::from_millis(20)) {
            Ok(line) => return Ok(line),
            Err(RecvTimeoutError::Disconnected) => return Ok(Vec::new()),
            Err(RecvTimeoutError::Timeout) if stop::is_asked() => return Err(format!("{name}: stopped").into()),
            Err(RecvTimeoutError::Timeout) if began.elapsed() > READY => {
                return Err(format!("{name} was not ready after {} s", READY.as_secs()).into());
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Reads a child's lines to the end in the background, and sends on the first.
fn read_lines(mut from: BufReader<impl Read + Send + 'static>, surroundings: &Surroundings) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    let (output, lines) = (surroundings.output.clone(), surroundings.lines.clone());
    std::thread::spawn(move || {
        let (mut line, mut is_first) = (Vec::new(), true);
        while let Ok(1..) = from.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
            if let Some(output) = &output {
                output.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&line);
            }
            if is_first {
                let _ = sender.send(line.clone());
            } else if let Some(lines) = &lines {
                lines(&line);
            }
            (is_first, line) = (false, Vec::new());
        }
    });
    receiver
}

/// Reads to the end in the background, so that the child never waits for a reader.
fn read_on(mut from: impl Read + Send + 'static, into: Option<Collected>) {
    std::thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if let Some(into) = &into {
                into.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..count]);
            }
        }
    });
}
