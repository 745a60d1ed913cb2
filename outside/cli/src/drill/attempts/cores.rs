//! Core dumps: the insider raises the limits and makes the processes crash.
//!
//! 1. a core of the control was written and its canaries found in it (`control`), so that no core means something;
//! 2. the host's limit is raised and it is ended by SIGABRT: what its core holds is searched;
//! 3. the enclave's limit is raised as far as this user may, and it is ended by SIGILL, started again and ended by SIGABRT:
//!    the kernel writes nothing, because the process has itself marked as not to be dumped, whatever its limit. (SIGSEGV
//!    would be taken for an overflow of the stack by the language's handler, which waits for a second one.)

use std::path::Path;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};

use super::Attempt;
use crate::drill::detector::Hits;
use crate::drill::report::{ClosedBy, Expected, Finding, Outcome};
use crate::drill::{Drill, Error, haystack};
use crate::processes::Process;

/// The attempt.
pub(super) const ATTEMPTS: [Attempt; 1] = [Attempt {
    id: "core-dumps",
    what: "Raises the limit of cores, crashes host and enclave, and searches what the kernel writes",
    expected: Expected::Closed,
    run: |drill| Box::pin(cores(drill)),
}];

async fn cores(drill: &mut Drill) -> Result<Finding, Error> {
    // 1.
    let control = match &drill.cores {
        Ok(said) => said.clone(),
        Err(why) => return Ok(Finding::not_run(why.clone())),
    };
    // 2.
    let detector = drill.detector(&["carrier.adyton.test"])?;
    let working = drill.stack.working.clone();
    let mut hits = Hits::default();
    let found = crash(&mut drill.stack.vault.host, Signal::ABORT, &working)?;
    let Dump { files, raised: true } = found else { return Err("the host's limit could not be raised".into()) };
    if files.is_empty() {
        return Err("the kernel wrote a core of the control and none of the host".into());
    }
    for file in files {
        detector.search_reader(std::fs::File::open(&file)?, &mut hits)?;
        std::fs::remove_file(file)?;
    }
    let host = drill.judge(&detector.verdict(&hits)?, ClosedBy::Tls)?;
    drill.stack.restart().await?;
    // 3.
    let mut raised = true;
    for signal in [Signal::ILL, Signal::ABORT] {
        let found = crash(drill.stack.vault.enclave.process(), signal, &working)?;
        if let Some(core) = found.files.first() {
            return Ok(Finding::leak(format!("the kernel wrote the enclave's memory to {}", core.display())));
        }
        raised &= found.raised;
        drill.stack.restart().await?;
    }
    let raised = if raised { "with its limit raised" } else { "whose limit of 0 this user cannot raise" };
    let detail =
        format!("{control}; the host's core: {}; the enclave, {raised}, left none by SIGILL and SIGABRT", host.detail);
    Ok(if host.outcome == Outcome::Leak { Finding::leak(detail) } else { Finding::closed(ClosedBy::NoCore, detail) })
}

/// What a crash left.
pub(crate) struct Dump {
    /// New files.
    pub(crate) files: Vec<std::path::PathBuf>,
    /// Whether the limit is what was asked for.
    pub(crate) raised: bool,
}

/// Raises a process's limit, ends it by a signal, and looks for a core. An error says why this machine shows none.
pub(crate) fn crash(process: &mut Process, signal: Signal, working: &Path) -> Result<Dump, Error> {
    let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
    let raise = |most| prlimit(pid, Resource::Core, Rlimit { current: most, maximum: most }).is_ok();
    // Without a privilege one cannot raise it over what one has oneself.
    let ours = getrlimit(Resource::Core).maximum;
    let raised = raise(None) || ours != Some(0) && raise(ours);
    let folder = place()?.unwrap_or_else(|| working.to_path_buf());
    let before = haystack::here(&folder)?;
    if !process.end(signal) {
        return Err("the process did not end by the signal".into());
    }
    let files = haystack::here(&folder)?.into_iter().filter(|file| !before.contains(file)).collect();
    Ok(Dump { files, raised })
}

/// The folder where the kernel writes cores; none if it is the process's working folder.
fn place() -> Result<Option<std::path::PathBuf>, Error> {
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern")?;
    let pattern = pattern.trim_end();
    if let Some(program) = pattern.strip_prefix('|') {
        return Err(
            format!("this machine gives cores to a program ({program}), which the drill does not change").into()
        );
    }
    Ok(if pattern.starts_with('/') { Path::new(pattern).parent().map(Path::to_path_buf) } else { None })
}
