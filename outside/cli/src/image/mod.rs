//! `adyton image`: building, measuring, signing and comparing enclave images.

mod diff;
mod measure;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use adyton_image::build::Build;
use adyton_image::{Eif, sign};
use adyton_pinned::{Console, find_source, kernel};
use adyton_policy::{Policy, ProfileName};
use clap::Subcommand;
use serde_json::json;
use zeroize::Zeroizing;

use crate::consent;

type Error = Box<dyn std::error::Error>;

/// What can be done with an image.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Builds a vault's image from sources: the same bytes on every machine with the same tools.
    Build {
        /// The policy, which becomes part of the image
        #[arg(long, value_name = "FILE")]
        policy: PathBuf,
        /// The kernel, as a bzImage [default: the pinned one, which is built the first time]
        #[arg(long, value_name = "BZIMAGE")]
        kernel: Option<PathBuf>,
        /// The source tree [default: the folder above this one that has it]
        #[arg(long, value_name = "DIR")]
        source: Option<PathBuf>,
        /// Where the image is written
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// One line of JSON instead of sentences
        #[arg(long)]
        json: bool,
        /// Installs the packages that the build needs without asking
        #[arg(long)]
        yes: bool,
    },
    /// Builds the pinned kernel, and says where it is.
    Kernel {
        /// Moves the pin to the newest version in its range first
        #[arg(long)]
        repin: bool,
        /// The source tree [default: this folder, or one above it]
        #[arg(long, value_name = "DIR")]
        source: Option<PathBuf>,
        /// One line of JSON instead of sentences
        #[arg(long)]
        json: bool,
        /// Installs the packages that the build needs without asking
        #[arg(long)]
        yes: bool,
    },
    /// Says what a platform measures of an image, and what is in it.
    Measure {
        /// The image.
        file: PathBuf,
        /// One line of JSON instead of sentences
        #[arg(long)]
        json: bool,
    },
    /// Signs an image: register 8 is then the certificate's.
    Sign {
        /// The image.
        file: PathBuf,
        /// The P-384 key, in PEM
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Its certificate, in PEM
        #[arg(long, value_name = "FILE")]
        certificate: PathBuf,
        /// Where the signed image is written
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Says in which parts two images differ. Exit code 0 if the same is measured of both, 1 if not.
    Diff {
        /// One image.
        a: PathBuf,
        /// The other.
        b: PathBuf,
        /// One line of JSON instead of sentences
        #[arg(long)]
        json: bool,
    },
}

/// Carries out a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Error> {
    match command {
        Command::Build { policy, kernel, source, out, json, yes } => {
            check(policy, out)?;
            let image = build(policy, kernel.as_deref(), source.as_deref(), *yes)?;
            write(out, &image)?;
            measure::run(out, &image, *json)
        }
        Command::Kernel { repin, source, json, yes } => pinned_kernel(source.as_deref(), *repin, *json, *yes),
        Command::Measure { file, json } => measure::run(file, &image(file)?, *json),
        Command::Sign { file, key, certificate, out } => {
            let (key, certificate) = (Zeroizing::new(read(key)?), read(certificate)?);
            let signed = sign(&image(file)?, &key, &certificate)?;
            write(out, &signed)?;
            measure::run(out, &signed, false)
        }
        Command::Diff { a, b, json } => diff::run(&image(a)?, &image(b)?, *json),
    }
}

/// What would fail after minutes of building, before anything is built.
fn check(policy: &Path, out: &Path) -> Result<(), Error> {
    let parsed = Policy::parse(&read(policy)?).map_err(|error| format!("{}: {error}", policy.display()))?;
    if parsed.profile == ProfileName::Dev {
        return Err(format!(
            "{}: profile dev is a laptop's, and an image refuses to boot under it: name another one, such as kms",
            policy.display()
        )
        .into());
    }
    let wrong = |error: &dyn std::fmt::Display| format!("--out {}: {error}", out.display());
    if out.is_dir() {
        return Err(wrong(&"a folder; name a file in it").into());
    }
    // What is there stays until the image is written.
    let existed = out.exists();
    let file = fs::OpenOptions::new().append(true).create(true).open(out);
    drop(file.map_err(|error| wrong(&error))?);
    if !existed {
        fs::remove_file(out)?;
    }
    Ok(())
}

fn build(policy: &Path, kernel: Option<&Path>, source: Option<&Path>, yes: bool) -> Result<Eif, Error> {
    let source = find_source(source)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map(std::path::absolute).transpose()?;
    let kernel = match kernel {
        Some(kernel) => {
            // It is checked again when it is packed.
            adyton_image::kernel_version(&read(kernel)?)
                .ok_or_else(|| format!("{}: not a Linux kernel as a bzImage", kernel.display()))?;
            kernel.into()
        }
        None => {
            let may_install = |line: &str| consent::to_run(line, yes);
            kernel::prepare(&source, &Console { tell: &|what| eprintln!("{what}"), may_install: &may_install })?.path
        }
    };
    eprintln!("building the enclave of {}: some minutes if nothing is built yet", source.display());
    Ok(Build { source, kernel, policy: policy.into(), target }.run()?)
}

fn pinned_kernel(source: Option<&Path>, repin: bool, json: bool, yes: bool) -> Result<ExitCode, Error> {
    let source = find_source(source)?;
    let console =
        Console { tell: &|what: &str| eprintln!("{what}"), may_install: &|line: &str| consent::to_run(line, yes) };
    let kernel = if repin { kernel::repin(&source, &console)? } else { kernel::prepare(&source, &console)? };
    if json {
        let kernel = json!({
            "path": kernel.path, "version": kernel.version, "sha256": kernel.sha256, "gcc": kernel.gcc, "ld": kernel.ld,
            "is_pinned": kernel.is_pinned,
        });
        println!("{kernel}");
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "{}\nSHA-256 {}\nof Debian's Linux {}, by {} and {}",
        kernel.path.display(),
        kernel.sha256,
        kernel.version,
        kernel.gcc,
        kernel.ld
    );
    println!(
        "{}",
        if kernel.is_pinned {
            "These are the bytes that inside/kernel/pin.toml names."
        } else {
            "Another toolchain than that of inside/kernel/pin.toml: its bytes, and so registers 0 and 1, are others."
        }
    );
    Ok(ExitCode::SUCCESS)
}

fn image(file: &Path) -> Result<Eif, Error> {
    Ok(Eif::parse(&read(file)?).map_err(|error| format!("{}: {error}", file.display()))?)
}

fn read(file: &Path) -> Result<Vec<u8>, Error> {
    Ok(fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?)
}

fn write(file: &Path, image: &Eif) -> Result<(), Error> {
    Ok(fs::write(file, image.write()?).map_err(|error| format!("{}: {error}", file.display()))?)
}
