//! Looking at what is there: memory, files, lines, output.

use super::{Attempt, Running};
use crate::drill::detector::Hits;
use crate::drill::relay::locked;
use crate::drill::report::{ClosedBy, Expected, Finding};
use crate::drill::stack::KEY_LOG;
use crate::drill::{Drill, Error, haystack};
use crate::enclave::Enclave;
use crate::processes::Process;

/// The attempts.
pub(super) const ATTEMPTS: [Attempt; 6] = [
    Attempt {
        id: "host-memory",
        what: "Reads all memory of the host's process while codes are live",
        expected: Expected::Closed,
        run: |drill| Box::pin(host_memory(drill)),
    },
    Attempt {
        id: "enclave-memory",
        what: "Reads all memory of the enclave's process while codes are live",
        expected: Expected::Open { until: "an enclave, whose memory the machine cannot read" },
        run: |drill| Box::pin(enclave_memory(drill)),
    },
    Attempt {
        id: "files",
        what: "Reads every file of the vault, and every file that host or enclave writes",
        expected: Expected::Closed,
        run: |drill| Box::pin(files(drill)),
    },
    Attempt {
        id: "pipes",
        what: "Sits between host and enclave and records every byte",
        expected: Expected::Closed,
        run: |drill| Box::pin(pipes(drill)),
    },
    Attempt {
        id: "network",
        what: "Records every byte between clients, host, carriers and KMS",
        expected: Expected::Closed,
        run: |drill| Box::pin(network(drill)),
    },
    Attempt {
        id: "output",
        what: "Makes host and enclave as talkative as they get and reads all they print",
        expected: Expected::Closed,
        run: output,
    },
];

async fn host_memory(drill: &mut Drill) -> Result<Finding, Error> {
    // It holds its arguments.
    let detector = drill.detector(&["carrier.adyton.test"])?;
    let mut hits = Hits::default();
    haystack::memory(opened(&drill.stack.vault.host)?, &detector, &mut hits)?;
    drill.judge(&detector.verdict(&hits)?, ClosedBy::Tls)
}

/// The handle that is read by was opened as soon as the process was there: the enclave closes itself to others of its
/// user, but whoever starts it comes first, and root comes always.
async fn enclave_memory(drill: &mut Drill) -> Result<Finding, Error> {
    let memory = match drill.stack.vault.enclave.memory() {
        Some(Ok(memory)) => memory,
        Some(Err(error)) => {
            return Ok(Finding::not_run(format!("this machine lets nobody here open a process's memory: {error}")));
        }
        None => return Err("the enclave's memory was not opened".into()),
    };
    let detector = drill.detector(&["carrier.adyton.test"])?;
    let mut hits = Hits::default();
    haystack::memory(memory, &detector, &mut hits)?;
    let verdict = detector.verdict(&hits)?;
    let how = if rustix::process::getuid().is_root() { "as root" } else { "as who started it" };
    let live =
        drill.done.verifications.iter().filter(|started| started.live && hits.has_value(&drill.planted, &started.code));
    let detail = format!("read {how}; {}; {} of the codes still count", verdict.describe(), live.count());
    // Nothing found would be luck, not a wall: the report fails then, since this row must be shown to succeed.
    Ok(if verdict.leaks() { Finding::open(detail) } else { Finding::failed(detail) })
}

fn opened(process: &Process) -> Result<&crate::processes::Memory, Error> {
    match process.memory() {
        Some(Ok(memory)) => Ok(memory),
        Some(Err(error)) => Err(format!("its memory cannot be opened: {error}").into()),
        None => Err("its memory was not opened".into()),
    }
}

async fn files(drill: &mut Drill) -> Result<Finding, Error> {
    let detector = drill.detector(&["adyton/", "retention_days"])?;
    let mut hits = Hits::default();
    haystack::folder(&drill.stack.folders.data, &detector, &mut hits)?;
    haystack::folder(&drill.stack.working, &detector, &mut hits)?;
    let mut written = 0;
    // What an emulator has open is its machine's memory.
    let enclave = Some(&drill.stack.vault.enclave).filter(|_| drill.site.parts.is_none()).map(Enclave::id);
    for process in [drill.stack.vault.host.id()].into_iter().chain(enclave) {
        for path in haystack::written_by(process) {
            if let Ok(file) = std::fs::File::open(path) {
                detector.search_reader(file, &mut hits)?;
                written += 1;
            }
        }
    }
    let mut finding = drill.judge(&detector.verdict(&hits)?, ClosedBy::Sealing)?;
    finding.detail += &format!("; files open for writing: {written}");
    Ok(finding)
}

async fn pipes(drill: &mut Drill) -> Result<Finding, Error> {
    // The head of the log.
    let detector = drill.detector(&["adyton/"])?;
    let mut hits = Hits::default();
    drill.stack.pipes.search(&detector, &mut hits);
    let mut finding = drill.judge(&detector.verdict(&hits)?, ClosedBy::Tls)?;
    finding.detail += &format!("; {} connections", drill.stack.pipes.connections());
    Ok(finding)
}

async fn network(drill: &mut Drill) -> Result<Finding, Error> {
    // The names that TLS asks for.
    let detector = drill.detector(&["carrier.adyton.test", "mail.adyton.test"])?;
    let mut hits = Hits::default();
    drill.stack.network.search(&detector, &mut hits);
    let mut finding = drill.judge(&detector.verdict(&hits)?, ClosedBy::Tls)?;
    finding.detail += &format!("; {} connections", drill.stack.network.connections());
    Ok(finding)
}

fn output(drill: &mut Drill) -> Running<'_> {
    Box::pin(async {
        let detector = drill.detector(&["boot-phase"])?;
        let mut hits = Hits::default();
        detector.search(&locked(&drill.stack.output), &mut hits);
        // With TLS's own keys whoever recorded the lines could read them later.
        if drill.stack.working.join(KEY_LOG).exists() {
            return Ok(Finding::leak("a process wrote the keys of its TLS connections, as SSLKEYLOGFILE asks for"));
        }
        drill.judge(&detector.verdict(&hits)?, ClosedBy::ClosedOutputs)
    })
}
