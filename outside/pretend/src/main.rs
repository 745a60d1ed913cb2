//! `adyton-pretend`: started by `adyton up` only. It protects nothing from this machine's root.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is what `adyton up` reads")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use adyton_pretend::carriers::{self, Carriers};
use adyton_pretend::certificates::Ca;
use adyton_pretend::credentials;
use adyton_pretend::faults::Faults;
use adyton_pretend::folder::Folder;
use adyton_pretend::inbox::Inbox;
use adyton_pretend::kms::{self, Kms};
use adyton_pretend::mail::MailServer;
use adyton_pretend::nsm::{self, Nsm};
use adyton_pretend::phone;
use axum::Router;
use axum::routing::post;
use data_encoding::HEXLOWER;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use lexopt::prelude::Long;
use rustix::process::Signal;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;

const USAGE: &str = "adyton-pretend --dir DIR --runtime DIR [--die-with-parent]
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
    let (mut dir, mut runtime) = (None, None);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("dir") => dir = Some(PathBuf::from(parser.value()?)),
            Long("runtime") => runtime = Some(PathBuf::from(parser.value()?)),
            Long("die-with-parent") => die_with_parent()?,
            other => return Err(format!("{}\n{USAGE}", other.unexpected()).into()),
        }
    }
    let dir = dir.ok_or("--dir is missing")?;
    let runtime = runtime.ok_or("--runtime is missing")?;
    // One thread: it plays a whole carrier, and should take no more of this machine than it must.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve(dir, runtime))
}

async fn serve(dir: PathBuf, runtime: PathBuf) -> Result<(), Box<dyn std::error::Error>> {
    let folder = Folder::open(&dir)?;
    let root = Ca::attestation_root(&folder)?;
    let tls = Ca::tls(&folder)?;
    let nsm = Arc::new(Nsm::new(&root)?);
    let nsm_socket = runtime.join("nsm.sock");
    nsm::serve(&nsm_socket, Arc::clone(&nsm))?;

    let (inbox, faults) = (Arc::new(Inbox::default()), Arc::new(Faults::default()));
    let gateway = credentials::gateway_key()?;
    let gateway_key = HEXLOWER.encode(&gateway.public_key().0);
    let carriers = Carriers {
        inbox: Arc::clone(&inbox),
        faults: Arc::clone(&faults),
        webhook_key: credentials::webhook_key()?,
        gateway,
    };
    let kms = Arc::new(Kms::open(&folder, nsm)?);
    let router = Router::new()
        .route("/kms/generate-data-key", post(kms::generate))
        .route("/kms/decrypt", post(kms::decrypt))
        .with_state(kms)
        .merge(carriers::router(Arc::new(carriers)));
    let peers = TcpListener::bind("127.0.0.1:0").await?;
    let peers_address = peers.local_addr()?;
    let acceptor = TlsAcceptor::from(tls.server()?);

    let mail = TcpListener::bind("127.0.0.1:0").await?;
    let mail_address = mail.local_addr()?;
    let mail_server = Arc::new(MailServer { inbox: Arc::clone(&inbox), faults: Arc::clone(&faults) });
    let page = TcpListener::bind("127.0.0.1:0").await?;
    let port = page.local_addr()?.port();
    let token = HEXLOWER.encode(&adyton_seal::random::<16>()?);
    let phone = phone::router(inbox, faults, &token, port);

    println!(
        "{}",
        json!({
            "nsm": nsm_socket, "tls": peers_address.to_string(), "tls_ca": folder.path("tls-ca.pem"),
            "root": folder.path("nsm-root.pem"), "phone": format!("http://127.0.0.1:{port}/{token}"),
            "mail": mail_address.to_string(), "gateway_key": gateway_key, "account": credentials::ACCOUNT,
            "credentials": {
                "twilio-messages": credentials::MESSAGES, "smtp": credentials::MAIL,
                "webhook": HEXLOWER.encode(credentials::WEBHOOK_KEY),
            },
        })
    );
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        () = accept(peers, Some(acceptor.clone()), router) => {}
        () = accept_mail(mail, acceptor, mail_server) => {}
        () = accept(page, None, phone) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, router: Router) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let (acceptor, router) = (acceptor.clone(), TowerToHyperService::new(router.clone()));
        tokio::spawn(async move {
            let http = hyper::server::conn::http1::Builder::new();
            match acceptor {
                Some(acceptor) => {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let _ = http.serve_connection(TokioIo::new(stream), router).await;
                }
                None => {
                    let _ = http.serve_connection(TokioIo::new(stream), router).await;
                }
            }
        });
    }
}

async fn accept_mail(listener: TcpListener, acceptor: TlsAcceptor, server: Arc<MailServer>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (acceptor, server) = (acceptor.clone(), Arc::clone(&server));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let _ = server.serve(stream).await;
        });
    }
}

/// Asks the kernel to end this process with the one that started it.
fn die_with_parent() -> Result<(), Box<dyn std::error::Error>> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have gone before the kernel was asked.
    match rustix::process::getppid() {
        Some(parent) if parent != rustix::process::Pid::INIT => Ok(()),
        _ => Err("the process that started this one is gone".into()),
    }
}
