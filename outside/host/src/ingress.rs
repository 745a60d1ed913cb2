//! The ingress pipe: one client's TLS connection to one stream into the enclave, byte for byte.
//!
//! The enclave ends a connection that idles, after two minutes. Where the host has fewer places
//! than it has clients, it ends connections itself, those that are quiet longest first: the enclave
//! spoke last, at least [`IDLE_TIMEOUT_WHEN_FULL`] ago.

use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};

use adyton_transport::{Address, Places, Stream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{Duration, sleep, timeout};

/// A TLS record and a bit: small requests take one read.
const BUFFER: usize = 16 * 1024 + 512;
/// Shortest time without a byte after which a connection may be ended to make room for another.
const IDLE_TIMEOUT_WHEN_FULL: Duration = Duration::from_secs(10);
/// Longest wait for a side to take what one read brought, and for anything to move once one direction has ended. Until
/// then it is for the enclave to end a connection that is silent.
const STALL_TIMEOUT: Duration = Duration::from_secs(20);
/// The same once the second side has ended its direction: nothing that is still said to it will be answered.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Times that a full queue of the enclave is tried again, and the wait between.
const TRIES: (u32, Duration) = (1000, Duration::from_millis(10));

/// Accepts clients for ever, at most `limit` at a time; over it, new ones wait in the listener's queue.
pub async fn serve_ingress(listener: TcpListener, enclave: Address, limit: usize) {
    let places = Places::new(limit, IDLE_TIMEOUT_WHEN_FULL);
    loop {
        let place = places.take().await;
        let Ok((client, _)) = listener.accept().await else {
            // Out of descriptors, most likely: let some go before trying again.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let enclave = enclave.clone();
        tokio::spawn(async move {
            let _ = client.set_nodelay(true);
            // Without an enclave the client is let go at once.
            let Ok(inside) = connect(&enclave).await else { return };
            let moved = |side| match side {
                Side::Asks => place.busy(),
                Side::Answers => place.idle(),
            };
            tokio::select! {
                _ = watched(client, inside, moved) => {}
                () = place.must_end() => {}
            }
        });
    }
}

/// Connects to the enclave. In a rush of clients a Unix socket's queue is full for a moment, which is an error and no wait.
async fn connect(enclave: &Address) -> io::Result<Stream> {
    let (mut tries, wait) = TRIES;
    loop {
        match enclave.connect().await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && tries > 0 => tries -= 1,
            connected => return connected,
        }
        sleep(wait).await;
    }
}

/// Copies both ways between one that asks and one that answers, until both are closed; one side's
/// end is passed on to the other. A side that takes no more bytes ends that direction only, so that
/// what it said before is still passed on. It may be lost all the same: TCP resets a connection
/// that is closed with an upload unread.
///
/// Once a direction has ended, the other goes on as long as it moves: a peer that received the end
/// and never sends its own would hold its place for ever.
///
/// # Errors
/// Those of a stream that cannot be read, and [`io::ErrorKind::TimedOut`] if a side does not take
/// what it is sent; they end both directions.
pub async fn pipe<A, B>(a: A, b: B) -> io::Result<()>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    watched(a, b, |_| ()).await
}

/// A side of a pipe.
#[derive(Clone, Copy)]
enum Side {
    Asks,
    Answers,
}

/// [`pipe`], which tells `spoke` which side bytes were read from.
async fn watched<A, B>(a: A, b: B, spoke: impl Fn(Side)) -> io::Result<()>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (mut a_read, mut a_write) = tokio::io::split(a);
    let (mut b_read, mut b_write) = tokio::io::split(b);
    let moved = AtomicU64::new(0);
    let mut there = pin!(copy(&mut a_read, &mut b_write, &moved, || spoke(Side::Asks)));
    let mut back = pin!(copy(&mut b_read, &mut a_write, &moved, || spoke(Side::Answers)));
    tokio::select! {
        ended = &mut there => { ended?; while_it_moves(back, &moved, STALL_TIMEOUT).await }
        ended = &mut back => { ended?; while_it_moves(there, &moved, DRAIN_TIMEOUT).await }
    }
}

async fn while_it_moves(
    mut direction: impl Future<Output = io::Result<()>> + Unpin,
    moved: &AtomicU64,
    limit: Duration,
) -> io::Result<()> {
    loop {
        let before = moved.load(Ordering::Relaxed);
        match timeout(limit, &mut direction).await {
            Ok(ended) => return ended,
            Err(_) if moved.load(Ordering::Relaxed) == before => return Err(io::ErrorKind::TimedOut.into()),
            Err(_) => {}
        }
    }
}

async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    moved: &AtomicU64,
    spoke: impl Fn(),
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            // It may be gone already, which is no fault.
            let _ = to.shutdown().await;
            return Ok(());
        }
        spoke();
        if timeout(STALL_TIMEOUT, to.write_all(&buffer[..count])).await?.is_err() {
            return Ok(());
        }
        moved.fetch_add(1, Ordering::Relaxed);
    }
}
