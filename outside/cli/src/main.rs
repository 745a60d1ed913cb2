//! The `adyton` command.

// First: its macros stand in for those of the standard library.
#[macro_use]
mod output;

mod announced;
mod announcement;
mod answers;
mod certificate;
mod client;
mod consent;
mod drill;
mod emulated;
mod emulator;
mod enclave;
mod enrolment;
mod environment;
mod folders;
mod governance;
mod image;
mod keys;
mod kms_admin;
mod laptop;
mod log_check;
mod log_key;
mod machine;
mod outputs;
mod patience;
mod policy;
#[cfg(test)]
mod printed;
mod processes;
mod quote;
mod requests;
mod seal;
mod settings;
mod ssh;
mod stop;
mod store;
mod supervision;
mod tenant;
mod tenant_file;
mod trust;
mod up;
mod vault;
mod verify;
mod wiring;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Blind verification: codes are made, sent and checked where nobody can look.
#[derive(Parser)]
#[command(name = "adyton", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a whole vault on this machine: enclave, host, and a pretend carrier and phone.
    Up(up::Options),
    /// Asks a vault for evidence, and says what it shows and what it does not.
    #[command(after_help = verify::EXIT_CODES)]
    Verify(verify::Options),
    /// Builds the emulated Nitro machine from pinned sources, and says where it is.
    Emulator(emulator::Options),
    /// Plays the insider against a vault of its own, and says of each attempt whether it is closed.
    Drill(drill::Options),
    /// Leaks everything, so that the drill can see that it is caught.
    #[command(hide = true)]
    DrillControl(drill::control::Options),
    /// Looks at a vault's log.
    #[command(subcommand)]
    Log(Log),
    /// Checks, compares and approves policies.
    #[command(subcommand)]
    Policy(policy::Command),
    /// Builds, measures, signs and compares enclave images.
    #[command(subcommand)]
    Image(image::Command),
    /// Seals a route's credential to a vault; reads it from stdin.
    Seal(seal::Options),
    /// Shows and changes settings.
    #[command(subcommand)]
    Settings(settings::Command),
    /// Asks a vault for what a public CA is to sign, and hands it what the CA answered.
    #[command(subcommand)]
    Certificate(certificate::Command),
    /// Makes, admits, shows and resets tenants; weakens a service, with notice.
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Makes, lists and forgets a tenant's API keys.
    #[command(subcommand)]
    Key(keys::Command),
    /// What the administrator of a cloud's KMS needs for a vault of profile kms.
    #[command(subcommand)]
    Kms(kms_admin::Command),
}

#[derive(Subcommand)]
enum Log {
    /// Recomputes tree, heads and consistency from the host's store, and names the first fault.
    Check {
        /// The vault's folder.
        #[arg(long)]
        data: PathBuf,
        /// One line of JSON instead of sentences.
        #[arg(long)]
        json: bool,
    },
    /// Prints the verifier's key of each log (C2SP signed-note), by which tools check its heads.
    Key {
        /// The vault's folder.
        #[arg(long)]
        data: PathBuf,
        /// One line of JSON instead of a line for each key.
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            if let Some(variable) = environment::named_by(&error) {
                eprintln!("\nIt was read from the environment: {variable}.");
            }
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(u8::MAX));
        }
    };
    let result = match arguments.command {
        Command::Up(options) => up::run(&options),
        Command::Verify(options) => verify::run(&options),
        Command::Emulator(options) => emulator::run(&options),
        Command::Drill(options) => drill::run(&options),
        Command::DrillControl(options) => drill::control::run(&options),
        Command::Log(Log::Check { data, json }) => log_check::run(&data, json),
        Command::Log(Log::Key { data, json }) => log_key::run(&data, json),
        Command::Policy(command) => policy::run(&command),
        Command::Image(command) => image::run(&command),
        Command::Seal(options) => seal::run(&options),
        Command::Settings(command) => settings::run(&command),
        Command::Certificate(command) => certificate::run(&command),
        Command::Tenant(command) => tenant::run(&command),
        Command::Key(command) => keys::run(&command),
        Command::Kms(command) => kms_admin::run(&command),
    };
    let code = result.unwrap_or_else(|error| {
        eprintln!("adyton: {error}");
        ExitCode::FAILURE
    });
    output::failure().unwrap_or(code)
}
