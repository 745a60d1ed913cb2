//! `adyton-host`: carries bytes between the network, the enclave and the disk.

#![allow(clippy::print_stderr, reason = "its output is what `adyton up` reads")]

use std::io::Write;
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use adyton_frame::{DeliveryFailure, Event};
use adyton_host::{
    Approvals, Metrics, Pages, Published, RedbStore, Routes, Writer, serve_channels, serve_ingress, serve_pages,
    serve_tiles,
};
use adyton_transport::{Address, Listener};
use lexopt::prelude::{Long, ValueExt};
use rustix::process::{Resource, Signal};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "adyton-host --data DIR --listen IP:PORT --ingress ADDRESS --service ADDRESS
    [--route NAME:PORT=IP:PORT]... [--metrics IP:PORT] [--health IP:PORT] [--tiles IP:PORT] [--tiles-ops IP:PORT]
    [--max-connections N] [--workers N] [--die-with-parent]
ADDRESS is unix:PATH or vsock:CID:PORT. It is normally started by `adyton up`.";

/// Clients at once, unless `--max-connections` says otherwise: as many as an enclave has places for.
const MAX_CONNECTIONS: usize = 8192;
/// Longest wait for reads and look-ups that are under way when the process is to end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

struct Arguments {
    data: PathBuf,
    listen: SocketAddr,
    ingress: Address,
    service: Address,
    routes: Routes,
    /// Where Prometheus asks; loopback only.
    metrics: Option<SocketAddr>,
    /// Where load balancers ask whether the vault serves.
    health: Option<SocketAddr>,
    /// Where anybody reads the public log.
    tiles: Option<SocketAddr>,
    /// Where auditors read the operations logs; loopback only.
    tiles_ops: Option<SocketAddr>,
    max_connections: usize,
    /// Threads that serve.
    workers: usize,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("adyton-host: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = parse()?;
    let descriptors = raise_descriptor_limit();
    arguments.max_connections = arguments.max_connections.min(places(descriptors));
    let (store, thread) = Writer::start(RedbStore::open(&arguments.data)?)?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(arguments.workers).enable_all().build()?;
    let ended = runtime.block_on(serve(arguments, store));
    // The runtime's tasks hold the store; when they are gone its thread closes the file. A name that is being looked up,
    // or a line that nobody reads, is not waited for.
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    thread.join().map_err(|_| "the store's thread failed")?;
    ended
}

async fn serve(arguments: Arguments, store: Writer) -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { data, listen, ingress, service, routes, .. } = arguments;
    let clients = bind(listen).map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let channels = Listener::bind(&service).map_err(|error| format!("cannot listen on {service}: {error}"))?;
    let (scraped, probed) = (listen_on(arguments.metrics).await?, listen_on(arguments.health).await?);
    let (gov, operations) = (listen_on(arguments.tiles).await?, listen_on(arguments.tiles_ops).await?);
    // Tools find a running host by this file.
    let address_file = data.join("host.addr");
    std::fs::write(&address_file, service.to_string())?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // If nobody reads this, the parent process is gone.
    let address = |listener: &Option<TcpListener>| {
        let address = listener.as_ref().map(TcpListener::local_addr).transpose();
        address.map(|address| address.map(|address| address.to_string()))
    };
    let ready = json!({
        "listen": clients.local_addr()?.to_string(), "service": service.to_string(), "metrics": address(&scraped)?,
        "health": address(&probed)?, "tiles": address(&gov)?, "tiles_ops": address(&operations)?,
    });
    print_line(&ready).inspect_err(|_| drop(std::fs::remove_file(&address_file)))?;

    let metrics = Arc::new(Metrics::default());
    let observed = Arc::clone(&metrics);
    let sink = Arc::new(move |event| {
        observed.observe(&event);
        if let Some(line) = describe(event) {
            drop(print_line(&line));
        }
    });
    let answered = async |listener, pages| match listener {
        Some(listener) => serve_pages(listener, pages).await,
        None => std::future::pending().await,
    };
    let published = async |listener, published| match listener {
        Some(listener) => serve_tiles(listener, store.reader().clone(), published).await,
        None => std::future::pending().await,
    };
    let (all, health) = (Pages::all(Arc::clone(&metrics), ingress.clone()), Pages::health(metrics, ingress.clone()));
    tokio::select! {
        () = answered(scraped, all) => {}
        () = answered(probed, health) => {}
        () = published(gov, Published::Gov) => {}
        () = published(operations, Published::Operations) => {}
        () = serve_ingress(clients, ingress, arguments.max_connections) => {}
        () = serve_channels(channels, store.clone(), Approvals::new(&data), routes, sink) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    let _ = std::fs::remove_file(address_file);
    Ok(())
}

/// Clients that may wait to be accepted, as far as the kernel lets them (`net.core.somaxconn`).
const BACKLOG: u32 = 4096;

fn bind(listen: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    socket.listen(BACKLOG)
}

async fn listen_on(address: Option<SocketAddr>) -> Result<Option<TcpListener>, String> {
    let Some(address) = address else { return Ok(None) };
    TcpListener::bind(address).await.map(Some).map_err(|error| format!("cannot listen on {address}: {error}"))
}

/// One line on stdout. Not `println!`, which panics when the reader is gone.
fn print_line(line: &Value) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

fn parse() -> Result<Arguments, Box<dyn std::error::Error>> {
    let (mut data, mut listen, mut ingress, mut service) = (None, None, None, None);
    let (mut routes, mut metrics, mut health, mut max_connections) = (Routes::default(), None, None, MAX_CONNECTIONS);
    let (mut tiles, mut tiles_ops) = (None, None);
    let mut workers = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("data") => data = Some(PathBuf::from(parser.value()?)),
            Long("listen") => listen = Some(parser.value()?.parse()?),
            Long("ingress") => ingress = Some(parser.value()?.parse()?),
            Long("service") => service = Some(parser.value()?.parse()?),
            Long("route") => routes.add(parser.value()?.parse()?),
            Long("metrics") => metrics = Some(loopback(&mut parser, "--metrics")?),
            Long("tiles") => tiles = Some(parser.value()?.parse()?),
            Long("tiles-ops") => tiles_ops = Some(loopback(&mut parser, "--tiles-ops")?),
            Long("health") => health = Some(parser.value()?.parse()?),
            Long("max-connections") => max_connections = positive(&mut parser, "--max-connections")?,
            Long("workers") => workers = positive(&mut parser, "--workers")?,
            Long("die-with-parent") => die_with_parent()?,
            other => return Err(format!("{}\n{USAGE}", other.unexpected()).into()),
        }
    }
    let missing = |name: &str| format!("--{name} is missing\n{USAGE}");
    Ok(Arguments {
        data: data.ok_or_else(|| missing("data"))?,
        listen: listen.ok_or_else(|| missing("listen"))?,
        ingress: ingress.ok_or_else(|| missing("ingress"))?,
        service: service.ok_or_else(|| missing("service"))?,
        routes,
        metrics,
        health,
        tiles,
        tiles_ops,
        max_connections,
        workers,
    })
}

/// An address of this machine only.
fn loopback(parser: &mut lexopt::Parser, option: &str) -> Result<SocketAddr, Box<dyn std::error::Error>> {
    let address: SocketAddr = parser.value()?.parse()?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err(format!("{option} {address}: expected a loopback address").into())
    }
}

/// One at least, or nobody would ever be served.
fn positive(parser: &mut lexopt::Parser, option: &str) -> Result<usize, Box<dyn std::error::Error>> {
    let refused = |_| format!("{option}: expected a number from 1 to 4294967295");
    let number: NonZero<u32> = parser.value()?.parse().map_err(refused)?;
    Ok(usize::try_from(number.get())?)
}

/// Asks the kernel to end this process with the one that started it.
fn die_with_parent() -> Result<(), Box<dyn std::error::Error>> {
    let parent = rustix::process::getppid();
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have gone before the kernel was asked. It may also be process 1, in a container. If it went even
    // before the first question, nobody reads the line that says we are ready, and that ends us.
    if rustix::process::getppid() == parent { Ok(()) } else { Err("the process that started this one is gone".into()) }
}

/// Descriptors that clients leave to store, channels, dialled connections and log lines.
const RESERVED: u64 = 512;

/// Clients that have descriptors. One more would take those by which codes are sent and batches are stored.
fn places(descriptors: u64) -> usize {
    usize::try_from(descriptors.saturating_sub(RESERVED) / 2).unwrap_or(usize::MAX).max(1)
}

/// Every client takes two descriptors; the usual soft limit of 1024 is far too low. Returns the limit from now on.
fn raise_descriptor_limit() -> u64 {
    let mut limit = rustix::process::getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = rustix::process::setrlimit(Resource::Nofile, limit) {
        eprintln!("adyton-host: cannot raise the limit of open files: {error}");
    }
    rustix::process::getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// The line of an event, if it has one.
fn describe(event: Event) -> Option<Value> {
    Some(match event {
        Event::BootPhase { phase } => json!({ "event": "boot-phase", "phase": phase }),
        Event::Ready { replayed, micros } => json!({ "event": "ready", "replayed": replayed, "micros": micros }),
        Event::StoreLost { log } => json!({ "event": "store-lost", "log": log }),
        Event::StoreBack { log } => json!({ "event": "store-back", "log": log }),
        Event::Fenced { log, size } => json!({ "event": "fenced", "log": log, "size": size }),
        Event::DeliveryFailed { class } => {
            let class = match class {
                DeliveryFailure::Connect => "connect",
                DeliveryFailure::Tls => "tls",
                DeliveryFailure::Refused => "refused",
                DeliveryFailure::Timeout => "timeout",
            };
            json!({ "event": "delivery-failed", "class": class })
        }
        Event::SnapshotTaken { log, index } => json!({ "event": "snapshot-taken", "log": log, "index": index }),
        Event::BootRefused { reason } => json!({ "event": "boot-refused", "reason": reason }),
        Event::BootDelayed { boots, seconds } => json!({ "event": "boot-delayed", "boots": boots, "seconds": seconds }),
        Event::PlatformLost => json!({ "event": "platform-lost" }),
        Event::PlatformBack => json!({ "event": "platform-back" }),
        Event::SenderRefused { route } => json!({ "event": "sender-refused", "route": route }),
        Event::LogFaulty { log, index } => json!({ "event": "log-faulty", "log": log, "index": index }),
        Event::WriterStopped { log, reason } => {
            json!({ "event": "writer-stopped", "log": log, "reason": reason.text() })
        }
        Event::CeilingNear { ceiling } => json!({ "event": "ceiling-near", "ceiling": ceiling.text() }),
        // They are what `/metrics` shows; a line each minute would tell nobody anything.
        Event::Counters(_) => return None,
    })
}
