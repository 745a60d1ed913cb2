//! `adyton image`: building, measuring, signing and comparing enclave images.

mod diff;
mod measure;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use adyton_image::build::{Build, find_source};
use adyton_image::{Eif, sign};
use clap::Subcommand;
use zeroize::Zeroizing;

type Error = Box<dyn std::error::Error>;

/// What can be done with an image.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Builds a vault's image from sources: the same bytes on every machine with the same tools.
    Build {
        /// The policy, which becomes part of the image
        #[arg(long, value_name = "FILE")]
        policy: PathBuf,
        /// The kernel, as a bzImage
        #[arg(long, value_name = "BZIMAGE")]
        kernel: PathBuf,
        /// The source tree [default: the folder above this one that has it]
        #[arg(long, value_name = "DIR")]
        source: Option<PathBuf>,
        /// Where the image is written
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// One line of JSON instead of sentences
        #[arg(long)]
        json: bool,
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
        Command::Build { policy, kernel, source, out, json } => build(policy, kernel, source.as_deref(), out, *json),
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

fn build(policy: &Path, kernel: &Path, source: Option<&Path>, out: &Path, json: bool) -> Result<ExitCode, Error> {
    let source = match source {
        Some(source) => source.to_path_buf(),
        None => find_source(&std::env::current_dir()?)
            .ok_or("neither this folder nor one above it is Adyton's source tree; give it with --source DIR")?,
    };
    let target = std::env::var_os("CARGO_TARGET_DIR").map(std::path::absolute).transpose()?;
    eprintln!("building the enclave of {}: some minutes if nothing is built yet", source.display());
    let image = Build { source, kernel: kernel.into(), policy: policy.into(), target }.run()?;
    write(out, &image)?;
    measure::run(out, &image, json)
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
