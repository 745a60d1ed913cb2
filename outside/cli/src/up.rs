//! `adyton up`: a whole vault on one machine, nothing to configure.
//!
//! 1. the folders, and a lock on the vault's;
//! 2. pretend: NSM, KMS, carrier, phone;
//! 3. the policy, written once into a new folder, with an owner's key that is made in the client folder; in profile `kms`
//!    also a key of the pretend KMS and its key policy, because `up` plays the KMS's administrator (`kms_admin`);
//! 4. host and enclave; genesis happens inside, if the folder is new;
//! 5. the owner signs first settings (`laptop`); the tenant: its secrets are made here, because `up` plays the tenant, and
//!    stay in the client folder;
//! 6. until a signal: a host or enclave that dies is started again (`supervision`). Killing the host voids nothing; a new enclave
//!    voids live codes. Without pretend there is no platform, so its end ends all.
//!
//! A signal ends it cleanly in every step (`stop`). A new vault that is not finished leaves no folder behind.

use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use adyton_policy::{Policy, ProfileName};
use rustix::fs::{FlockOperation, flock};
use tokio::time::{Duration, sleep};

use crate::announcement::{announcement, instructions};
use crate::emulated::{self, EnclaveKind, Parts};
use crate::folders::{Folders, MadeFolders};
use crate::kms_admin::{Caller, measure};
use crate::output;
use crate::processes::{Process, Surroundings, sibling};
use crate::quote::sh;
use crate::stop::Stop;
use crate::vault::{RuntimeDir, Vault, Wiring, start_platform, write_policy};

type Error = Box<dyn std::error::Error>;

/// What `up` may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The vault's folder [default: ~/.local/share/adyton/vault]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The tenant's folder [default: DIR.client]
    #[arg(long, value_name = "DIR")]
    client_dir: Option<PathBuf>,
    /// The folder of what plays the platform [default: DIR.pretend]
    #[arg(long, value_name = "DIR")]
    pretend_dir: Option<PathBuf>,
    /// Who keeps the root key of a new vault
    #[arg(long, value_enum, default_value_t)]
    profile: Profile,
    /// What the inside is; nitro-qemu implies --profile kms, needs the source tree, and builds what it needs the first time
    #[arg(long, value_enum, default_value_t)]
    enclave: EnclaveKind,
    /// Adyton's source tree, for --enclave nitro-qemu [default: this folder, or one above it]
    #[arg(long, value_name = "DIR")]
    source: Option<PathBuf>,
    /// Where the API listens; port 0 takes a free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// A key of a new vault's policy and its value in TOML, such as limits.failed_checks=5; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// A name of the policy and where it is on this machine, such as acme.example.com:443=127.0.0.1:14000; may be repeated
    #[arg(long = "route", value_name = "NAME:PORT=IP:PORT")]
    route: Vec<String>,
    /// One line of JSON when ready, instead of instructions
    #[arg(long)]
    json: bool,
    /// Installs the packages that --enclave nitro-qemu needs without asking
    #[arg(long)]
    yes: bool,
}

/// Custody profiles that a laptop can play.
#[derive(Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Profile {
    /// A KMS that gives it to whatever runs here
    #[default]
    Dev,
    /// One that plays AWS's, and gives it to the code and the policy that its key policy names
    Kms,
}

/// Runs until a signal.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Error> {
    // One thread: the children are told to die with the thread that started them.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut stop = Stop::on_signals()?;
        match up(options, &mut stop).await {
            Ok(()) => Ok(ExitCode::SUCCESS),
            // A signal that was sent to the children too fails whatever is being done with them.
            Err(_) if stop.settles().await => Ok(ExitCode::SUCCESS),
            Err(error) => Err(error),
        }
    })
}

/// 1. Refuses what cannot be done before anything is made, and takes the folders: they, their lock, and what is removed if the
///    vault is not finished.
fn prepare(options: &Options) -> Result<(Folders, fs::File, MadeFolders), Error> {
    if !options.listen.ip().is_loopback() {
        return Err(
            "--listen: a laptop's vault protects nothing from this machine, so it listens on loopback only".into()
        );
    }
    if let Some(wrong) = options.set.iter().find(|setting| !setting.contains('=')) {
        return Err(format!("--set {wrong}: expected KEY=VALUE").into());
    }
    let named = Folders::named(options.data.as_deref(), options.client_dir.as_deref(), options.pretend_dir.as_deref())?;
    let is_new = named.are_new();
    if !is_new && !options.set.is_empty() {
        return Err(format!(
            "--set is for a new vault, and this one has its policy: change {} and have its owners approve it (`adyton policy \
             approve --data {} --key {}`), or name another folder with --data",
            named.data.join("adyton.toml").display(),
            sh(named.data.display()),
            sh(named.client.join("owner").display())
        )
        .into());
    }
    let mut made = named.made_by_a_new_vault();
    if is_new {
        check_listen(options.listen)?;
    }
    let folders = named.made()?;
    let lock = folders.data.join("lock");
    let lock = fs::File::create(&lock).map_err(|error| format!("{}: {error}", lock.display()))?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        made.keep();
        let folder = folders.data.display();
        return Err(
            format!("{folder} is in use by another `adyton up`: stop it, or name another folder with --data").into()
        );
    }
    if !is_new {
        check_listen(options.listen)?;
    }
    Ok((folders, lock, made))
}

/// Whether the host will be able to listen there.
fn check_listen(listen: SocketAddr) -> Result<(), Error> {
    std::net::TcpListener::bind(listen).map(drop).map_err(|error| {
        let remedy = match error.kind() {
            ErrorKind::AddrInUse => "stop what listens there, or name another address",
            ErrorKind::PermissionDenied => "this port needs a privilege: name another one",
            _ => "name another address",
        };
        format!("--listen {listen}: {error}: {remedy}, such as --listen 127.0.0.1:0").into()
    })
}

async fn up(options: &Options, stop: &mut Stop) -> Result<(), Error> {
    // 1. What is declared first is dropped last: folders go when no child writes there any more, and before another `up` can
    // take them.
    let (folders, _lock, mut made) = prepare(options)?;
    let runtime = RuntimeDir::new()?;
    let parts = match options.enclave {
        EnclaveKind::Process => None,
        EnclaveKind::NitroQemu => Some(Arc::new(Parts::prepare(options.source.as_deref(), options.yes)?)),
    };
    let is_kms = options.profile == Profile::Kms || parts.is_some();
    // 2.
    let (mut pretend, ready) =
        start_platform(&folders, &runtime.0, &sibling("adyton-enclave")?, &Surroundings::default())?;
    // 3.
    let administrator = Caller::administrator(&ready)?;
    let mut set = options.set.clone();
    if is_kms && !folders.data.join("adyton.toml").exists() {
        set.extend(administrator.new_key().await?);
    }
    let policy = Policy::parse(&fs::read(write_policy(&folders, &ready, options.listen, &set)?)?)?;
    if is_kms && policy.profile != ProfileName::Kms {
        return Err(
            "--profile: this vault has another profile, which is fixed at genesis: name another folder with --data"
                .into(),
        );
    }
    let mut wiring = Wiring::direct(&runtime.0, &ready, options.listen)?;
    let measured = if let Some(parts) = &parts {
        emulated::wire(&mut wiring, emulated::plan(parts, &runtime.0, &ready)?);
        parts.measure(&folders.data)?
    } else {
        let nsm = ready["nsm"].as_str().ok_or("adyton-pretend says too little")?;
        measure(nsm.as_ref()).await?
    };
    administrator.approve_first(&folders, measured).await?;
    // 4. and 5.
    wiring.routes.extend(options.route.iter().cloned());
    let mut vault = Vault::start(&folders.data, wiring)?;
    let api = vault.listen;
    let serving = tokio::select! {
        serving = vault.serve(&folders, &ready, api) => Some(serving),
        () = stop.asked() => None,
    };
    let ended = match serving {
        None => Ok(()),
        Some(Err(error)) => Err(error),
        Some(Ok(serving)) => {
            made.keep();
            let announcement = announcement(&vault, &serving, &folders, (&ready, &policy, &measured.0));
            if options.json {
                println!("{announcement}")
            } else {
                instructions(&announcement, &folders)
            }
            supervise(&mut vault, &mut pretend, stop).await
        }
    };
    vault.stop();
    pretend.stop();
    ended
}

/// 6.
async fn supervise(vault: &mut Vault, pretend: &mut Process, stop: &mut Stop) -> Result<(), Error> {
    // Nobody has read how to use it: its reader is gone.
    while !output::is_closed() {
        tokio::select! {
            biased;
            () = stop.asked() => return Ok(()),
            () = sleep(Duration::from_millis(50)) => {}
        }
        // Its sockets, its phone's address and its messages went with it.
        if pretend.ended() {
            return Err("adyton-pretend has ended, and with it the phone: start again".into());
        }
        vault.restart_what_ended();
    }
    Ok(())
}
