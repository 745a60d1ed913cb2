//! `adyton emulator`: the parts of the emulated Nitro machine, built from pinned sources (`e2e/nitro`).

use std::path::PathBuf;
use std::process::ExitCode;

use adyton_pinned::{Console, emulator, find_source};
use serde_json::json;

use crate::consent;

/// What it may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Moves the pins of what Debian drops to the newest versions in their ranges first
    #[arg(long)]
    repin: bool,
    /// Adyton's source tree [default: this folder, or one above it]
    #[arg(long, value_name = "DIR")]
    source: Option<PathBuf>,
    /// One line of JSON instead of sentences
    #[arg(long)]
    json: bool,
    /// Installs the packages that are missing without asking
    #[arg(long)]
    yes: bool,
}

/// Builds what is not there yet, and says where it is.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let tree = find_source(options.source.as_deref())?;
    if options.repin {
        emulator::repin(&tree)?;
    }
    let emulator = emulator::prepare(
        &tree,
        &Console { tell: &|what| eprintln!("adyton: {what}"), may_install: &|line| consent::to_run(line, options.yes) },
    )?;
    if options.json {
        println!("{}", json!({ "qemu": emulator.qemu, "bridge": emulator.bridge, "firmware": emulator.firmware }));
    } else {
        println!("QEMU {}\nvsock bridge {}", emulator.qemu.display(), emulator.bridge.display());
    }
    Ok(ExitCode::SUCCESS)
}
