//! `adyton-pretend`: started by `adyton up` only. It protects nothing from this machine's root.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is what `adyton up` reads")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use adyton_pretend::carriers::Carriers;
use adyton_pretend::certificates::Ca;
use adyton_pretend::credentials;
use adyton_pretend::faults::Faults;
use adyton_pretend::folder::Folder;
use adyton_pretend::inbox::Inbox;
use adyton_pretend::kms::{aws, dev};
use adyton_pretend::mail::MailServer;
use adyton_pretend::nsm::{self, Measured, Nsm};
use adyton_pretend::{peers, phone, serve};
use data_encoding::HEXLOWER;
use lexopt::prelude::Long;
use rustix::process::Signal;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;

const USAGE: &str = "adyton-pretend --dir DIR --runtime DIR --enclave PROGRAM --policy FILE [--die-with-parent]
It is started by `adyton up`.";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("adyton-pretend: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let (mut dir, mut runtime, mut enclave, mut policy) = (None, None, None, None);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("dir") => dir = Some(PathBuf::from(parser.value()?)),
            Long("runtime") => runtime = Some(PathBuf::from(parser.value()?)),
            Long("enclave") => enclave = Some(PathBuf::from(parser.value()?)),
            Long("policy") => policy = Some(PathBuf::from(parser.value()?)),
            Long("die-with-parent") => die_with_parent()?,
            other => return Err(format!("{}\n{USAGE}", other.unexpected()).into()),
        }
    }
    let dir = dir.ok_or("--dir is missing")?;
    let runtime = runtime.ok_or("--runtime is missing")?;
    let enclave = enclave.ok_or("--enclave is missing")?;
    let measured = Measured { enclave, policy: policy.ok_or("--policy is missing")? };
    // One thread: it plays a whole carrier, and should take no more of this machine than it must.
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(run_until_signal(dir, runtime, measured))
}

async fn run_until_signal(
    dir: PathBuf,
    runtime: PathBuf,
    measured: Measured,
) -> Result<(), Box<dyn std::error::Error>> {
    let folder = Folder::open(&dir)?;
    let root = Ca::attestation_root(&folder)?;
    let tls = Ca::tls(&folder)?;
    let nsm = Arc::new(Nsm::new(&root)?);
    let nsm_socket = runtime.join("nsm.sock");
    nsm::serve(&nsm_socket, Arc::clone(&nsm), measured)?;
    let signer = runtime.join("nsm-signer");
    nsm.write_signer(&signer)?;

    let (inbox, faults) = (Arc::new(Inbox::default()), Arc::new(Faults::default()));
    let gateway = credentials::gateway_key()?;
    let gateway_key = HEXLOWER.encode(&gateway.public_key().0);
    let carriers = Arc::new(Carriers {
        inbox: Arc::clone(&inbox),
        faults: Arc::clone(&faults),
        webhook_key: credentials::webhook_key()?,
        gateway,
    });
    let aws = Arc::new(aws::Kms::open(Folder::open(&dir)?, &root)?);
    let peers = peers::router(Arc::new(dev::Kms::open(&folder, nsm)?), Arc::clone(&aws), carriers);
    let peers_listener = TcpListener::bind("127.0.0.1:0").await?;
    let peers_address = peers_listener.local_addr()?;
    let acceptor = TlsAcceptor::from(tls.server()?);

    let imds_listener = TcpListener::bind("127.0.0.1:0").await?;
    let imds_address = imds_listener.local_addr()?;
    let imds = aws::imds::router(Arc::clone(&aws))?;

    let mail_listener = TcpListener::bind("127.0.0.1:0").await?;
    let mail_address = mail_listener.local_addr()?;
    let mail = Arc::new(MailServer { inbox: Arc::clone(&inbox), faults: Arc::clone(&faults) });

    let phone_listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = phone_listener.local_addr()?.port();
    let token = HEXLOWER.encode(&adyton_seal::random::<16>()?);
    let phone = phone::router(inbox, faults, &token, port);

    println!(
        "{}",
        json!({
            "nsm": nsm_socket, "nsm_signer": signer, "tls": peers_address.to_string(), "tls_ca": folder.path("tls-ca.pem"),
            "root": folder.path("nsm-root.pem"), "phone": format!("http://127.0.0.1:{port}/{token}"),
            "imds": imds_address.to_string(), "kms_administrator": aws.identities().administrator.shown(),
            "kms_role": aws.identities().role.principal.arn(),
            "mail": mail_address.to_string(), "gateway_key": gateway_key, "account": credentials::ACCOUNT,
            "credentials": {
                "pretend-messages": credentials::MESSAGES, "pretend-mail": credentials::MAIL,
                "pretend-webhook": HEXLOWER.encode(credentials::WEBHOOK_KEY),
            },
        })
    );
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        () = serve::https(peers_listener, acceptor.clone(), peers) => {}
        () = serve::mail(mail_listener, acceptor, mail) => {}
        () = serve::http(phone_listener, phone) => {}
        () = serve::http(imds_listener, imds) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Asks the kernel to end this process with the one that started it.
fn die_with_parent() -> Result<(), Box<dyn std::error::Error>> {
    let parent = rustix::process::getppid();
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have gone before the kernel was asked. It may also be process 1, in a container.
    if rustix::process::getppid() == parent { Ok(()) } else { Err("the process that started this one is gone".into()) }
}
