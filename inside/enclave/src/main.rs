//! `adyton-enclave`: the inside, as one process. On a laptop it shows the wall; it is not a TEE there.

#![allow(clippy::print_stderr, reason = "a boot that is refused says why, with public facts only")]

use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

use adyton_enclave::boot::{self, Config};
use lexopt::prelude::{Long, ValueExt};
use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};

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
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("adyton-enclave: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let (config, workers) = parse()?;
    // No core dumps, no ptrace by others, and no descriptor limit below the hard one.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    let mut files = rustix::process::getrlimit(Resource::Nofile);
    files.current = files.maximum;
    rustix::process::setrlimit(Resource::Nofile, files)?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(workers).enable_all().build()?;
    Ok(runtime.block_on(boot::run(config))?)
}

/// Where things are, and how many threads serve.
fn parse() -> Result<(Config, usize), Box<dyn std::error::Error>> {
    let (mut ingress, mut service, mut nsm, mut policy) = (None, None, None, None);
    let mut workers = std::thread::available_parallelism().map_or(1, NonZero::get);
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
    let config = Config {
        ingress: ingress.ok_or_else(|| missing("ingress"))?,
        service: service.ok_or_else(|| missing("service"))?,
        nsm: nsm.ok_or_else(|| missing("nsm"))?,
        policy: policy.ok_or_else(|| missing("policy"))?,
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
