//! `adyton-enclave`: the inside, as one process. On a laptop it shows the wall; it is not a TEE there. As process 1 it is an
//! image: it sets its machine up first, takes no argument, and ends the machine when it ends.

#![allow(clippy::print_stderr, reason = "a boot that is refused says why, with public facts only")]

use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

use adyton_enclave::boot::{self, Config};
use adyton_enclave::engine::WriterStopped;
use adyton_enclave::platform::NsmAddress;
use adyton_enclave::{guest, process};
use lexopt::prelude::{Long, ValueExt};
use rustix::process::{Resource, Signal};

/// Exit status when a log's writer has stopped (`docs/spec/01-frames.md`): sysexits' "internal software error", told apart
/// from a boot that was refused (1).
const WRITER_STOPPED: u8 = 70;

const USAGE: &str = "adyton-enclave --ingress ADDRESS --service ADDRESS --nsm SOCKET --policy FILE
    [--workers N] [--die-with-parent]
ADDRESS is unix:PATH or vsock:CID:PORT. It is normally started by `adyton up`.";

fn main() -> ExitCode {
    // A panic says where, never what.
    std::panic::set_hook(Box::new(|info| {
        if let Some(location) = info.location() {
            eprintln!("adyton-enclave: panic at {}:{}", location.file(), location.line());
        }
    }));
    let ended = if guest::is_one() { run_image() } else { run_process() };
    match ended {
        Ok(stopped) => {
            eprintln!("adyton-enclave: {stopped}");
            ExitCode::from(WRITER_STOPPED)
        }
        Err(error) => {
            eprintln!("adyton-enclave: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run_image() -> Result<WriterStopped, Box<dyn std::error::Error>> {
    // Not after it is confined: the library would look for limits in files.
    let workers = processors();
    let ended = match guest::set_up(|step| eprintln!("adyton-enclave: {step}")) {
        Ok(config) => serve(config, workers).map_or_else(|error| error.to_string(), |stopped| stopped.to_string()),
        Err((step, error)) => format!("{step}: {error}"),
    };
    eprintln!("adyton-enclave: {ended}");
    Err(guest::end().into())
}

fn run_process() -> Result<WriterStopped, Box<dyn std::error::Error>> {
    let (config, workers) = parse()?;
    process::harden()?;
    // No descriptor limit below the hard one.
    let mut files = rustix::process::getrlimit(Resource::Nofile);
    files.current = files.maximum;
    rustix::process::setrlimit(Resource::Nofile, files)?;
    serve(config, workers)
}

fn serve(config: Config, workers: usize) -> Result<WriterStopped, Box<dyn std::error::Error>> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(workers).enable_all().build()?;
    let ended = runtime.block_on(boot::run(config));
    // Running tasks are not waited for: they may be blocked.
    runtime.shutdown_background();
    Ok(ended?)
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// Where things are, and how many threads serve.
fn parse() -> Result<(Config, usize), Box<dyn std::error::Error>> {
    let (mut ingress, mut service, mut nsm, mut policy) = (None, None, None, None);
    let mut workers = processors();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("ingress") => ingress = Some(address(&mut parser)?),
            Long("service") => service = Some(address(&mut parser)?),
            Long("nsm") => nsm = Some(PathBuf::from(parser.value()?)),
            Long("policy") => policy = Some(PathBuf::from(parser.value()?)),
            Long("workers") => {
                let number = parser.value()?.parse::<NonZero<u16>>();
                workers = number.map_err(|_| "--workers: expected a number from 1 to 65535")?.get().into();
            }
            Long("die-with-parent") => die_with_parent()?,
            other => return Err(format!("{}\n{USAGE}", other.unexpected()).into()),
        }
    }
    let missing = |name: &str| format!("--{name} is missing\n{USAGE}");
    let policy = std::fs::read(policy.ok_or_else(|| missing("policy"))?);
    let config = Config {
        ingress: ingress.ok_or_else(|| missing("ingress"))?,
        service: service.ok_or_else(|| missing("service"))?,
        nsm: NsmAddress::Socket(nsm.ok_or_else(|| missing("nsm"))?),
        policy: policy.map_err(|error| format!("the policy cannot be read: {error}"))?,
        in_image: false,
    };
    Ok((config, workers))
}

fn address(parser: &mut lexopt::Parser) -> Result<adyton_transport::Address, Box<dyn std::error::Error>> {
    let text = parser.value()?.into_string().map_err(|_| "an address is UTF-8")?;
    Ok(text.parse()?)
}

/// Asks the kernel to end this process with the one that started it.
fn die_with_parent() -> Result<(), Box<dyn std::error::Error>> {
    let parent = rustix::process::getppid();
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have gone before the kernel was asked. It may also be process 1, in a container.
    if rustix::process::getppid() == parent { Ok(()) } else { Err("the process that started this one is gone".into()) }
}
