//! One client's connection: its handshake, its requests one by one, its end.
//!
//! 1. the TLS handshake, within [`HEAD_TIME`]; from here on the client must read what it is sent
//!    (`write_deadline`);
//! 2. HTTP/1.1. The first request's head must arrive within [`HEAD_TIME`], a later one within the
//!    same time from its first byte; between two requests a connection may idle for [`IDLE_TIME`];
//! 3. the end: the client gets [`DRAIN_TIMEOUT`] to end its side.
//!
//! Connections are kept longer than SDKs' pools reuse them, so that a reuse never meets a
//! connection that is just being closed. Answers announce [`ANNOUNCED`] seconds (`Keep-Alive`),
//! which is less than what holds, by a margin. Where places are short
//! ([`adyton_transport::Places`]), answers carry `Connection: close` instead, and connections that
//! idle are closed, those that idle longest first.
//!
//! Limits: the first bytes of a pipelined head may already be read when its connection begins to
//! idle. It then has [`IDLE_TIME`] until its next byte.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};

use adyton_transport::{Listener, Place, Places, Stream};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::{ALLOW, CONNECTION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Version};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustix::process::{Resource, getrlimit};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, copy, sink};
use tokio::time::{Duration, Instant, Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower_service::Service as _;

use super::padding;
use super::write_deadline::WriteDeadline;
use crate::acme::CHALLENGE_PROTOCOL;
use crate::evidence::Channel;

/// Longest wait for a handshake, and for a request's head.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Longest wait for the next request. Longer than [`ANNOUNCED`], so that a client that reuses a connection at the last moment
/// still finds it open.
const IDLE_TIME: Duration = Duration::from_secs(120);
/// What answers announce, in seconds. Go's client keeps an idle connection for 90 s whatever is announced.
const ANNOUNCED: u64 = 100;
/// Longest wait for a client to read what it is sent.
const WRITE_TIME: Duration = Duration::from_secs(20);
/// Longest wait for a client to end its side of a connection that has ended.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// Fields of a request's head.
const MAX_HEADERS: usize = 64;
/// Bytes of a request's head; also of an answer that waits in HTTP's buffer before more of it is made.
pub(super) const MAX_HEAD: usize = 16 * 1024;
/// Bytes that the TLS layer holds for a client that does not read.
const TLS_BUFFER: usize = 16 * 1024;
/// Clients at once; further ones wait to be accepted.
pub const MAX_CONNECTIONS: usize = 8192;
/// Descriptors that clients leave to channels, snapshots and connections to carriers.
const RESERVED: u64 = 256;

/// Serves clients for ever.
pub async fn serve(listener: Listener, tls: Arc<ServerConfig>, router: Router) {
    let acceptor = TlsAcceptor::from(tls);
    let places = Places::new(most_connections(), Duration::ZERO);
    loop {
        let place = places.take().await;
        match listener.accept().await {
            Ok(stream) => drop(tokio::spawn(connection(stream, acceptor.clone(), router.clone(), place))),
            // Out of descriptors, most likely: let some go before trying again.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Clients that have descriptors. One more would take those by which batches are stored and codes are sent.
fn most_connections() -> usize {
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(descriptors.saturating_sub(RESERVED)).unwrap_or(usize::MAX).clamp(1, MAX_CONNECTIONS)
}

async fn connection(stream: Stream, acceptor: TlsAcceptor, router: Router, place: Place) {
    // 1.
    let stream = WriteDeadline::new(stream, WRITE_TIME);
    let Ok(Ok(mut stream)) = timeout(HEAD_TIME, acceptor.accept(stream)).await else { return };
    stream.get_mut().1.set_buffer_limit(Some(TLS_BUFFER));
    // A CA that has its answer: the handshake was all of it (RFC 8737 §3).
    if stream.get_ref().1.alpn_protocol() == Some(CHALLENGE_PROTOCOL) {
        let _ = timeout(DRAIN_TIMEOUT, part(stream)).await;
        return;
    }
    // Every connection of TLS 1.3 has one.
    let Some(channel) = Channel::of(&stream) else { return };
    // 2.
    let stream = http(stream, channel, router, Arc::new(place)).await;
    // 3.
    let _ = timeout(DRAIN_TIMEOUT, part(stream)).await;
}

/// 2. Serves requests until the connection ends; returns the stream.
pub(super) async fn http<S>(stream: S, channel: Channel, router: Router, place: Arc<Place>) -> S
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let phase = Arc::new(Phase::new(Arc::clone(&place)));
    let service = service_fn({
        let phase = Arc::clone(&phase);
        move |mut request: Request<Incoming>| {
            phase.set(BUSY);
            request.extensions_mut().insert(channel.clone());
            let kept = wants_to_be_kept(&request);
            // A router is always ready.
            let answered = router.clone().call(request);
            let phase = Arc::clone(&phase);
            Box::pin(async move {
                let mut response = answered.await?;
                let ends = phase.place.is_short() || phase.place.is_told_to_end();
                finish(response.headers_mut(), kept, ends);
                padding::pad(&mut response, kept);
                Ok::<_, Infallible>(response.map(|body| Answer { body, phase }))
            })
        }
    });
    let watched = Watched { stream, phase: Arc::clone(&phase) };
    let mut served = hyper::server::conn::http1::Builder::new()
        // The times are kept here.
        .header_read_timeout(None)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(watched), service);
    let mut clock = Clock::new(&phase);
    let mut told = pin!(place.told_to_end());
    let mut is_told = false;
    // How it ended is the client's affair.
    poll_fn(|cx| {
        if served.poll_without_shutdown(cx).is_ready() || clock.poll(&phase, cx).is_ready() {
            return Poll::Ready(());
        }
        // A connection that is not idle any more ends with its answer: places are short.
        is_told = is_told || told.as_mut().poll(cx).is_ready();
        if is_told && phase.now() == IDLE { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    served.into_parts().io.into_inner().stream
}

/// Whether a client wants to send further requests (RFC 9112 §9.3).
fn wants_to_be_kept<B>(request: &Request<B>) -> bool {
    let has = |option: &str| {
        let values = request.headers().get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|given| given.trim().eq_ignore_ascii_case(option))
    };
    !has("close") && (request.version() >= Version::HTTP_11 || has("keep-alive"))
}

/// What every answer says besides its handler's.
fn finish(headers: &mut HeaderMap, kept: bool, ends: bool) {
    // Every path answers `OPTIONS`.
    if let Some(allowed) = headers.get(ALLOW).and_then(|allowed| allowed.to_str().ok())
        && let Ok(completed) = HeaderValue::try_from(format!("{allowed},OPTIONS"))
    {
        headers.insert(ALLOW, completed);
    }
    // Of a connection that ends, the library says so.
    if !kept || headers.contains_key(CONNECTION) {
        return;
    }
    if ends {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        return;
    }
    headers.insert(CONNECTION, HeaderValue::from_static("keep-alive"));
    let announced = HeaderValue::try_from(format!("timeout={ANNOUNCED}"));
    headers.extend(announced.map(|announced| (HeaderName::from_static("keep-alive"), announced)));
}

/// Ends a connection so that its last answer arrives: one that is closed with an upload unread is reset. What still comes
/// is thrown away.
async fn part(mut stream: TlsStream<WriteDeadline<Stream>>) -> io::Result<()> {
    stream.shutdown().await?;
    let (mut stream, _) = stream.into_inner();
    copy(&mut stream, &mut sink()).await.map(drop)
}

/// A head has begun, or the first one is awaited.
const HEAD: u8 = 0;
/// A request is being answered.
const BUSY: u8 = 1;
/// Its answer was passed on, but for what is being flushed.
const ANSWERED: u8 = 2;
/// The next request is awaited.
const IDLE: u8 = 3;

/// Phase of a connection. Only its own task changes it.
struct Phase {
    at: AtomicU8,
    changes: AtomicU64,
    place: Arc<Place>,
}

impl Phase {
    fn new(place: Arc<Place>) -> Self {
        Self { at: AtomicU8::new(HEAD), changes: AtomicU64::new(0), place }
    }

    fn now(&self) -> u8 {
        self.at.load(Ordering::Relaxed)
    }

    fn set(&self, phase: u8) {
        let before = self.at.swap(phase, Ordering::Relaxed);
        self.changes.fetch_add(1, Ordering::Relaxed);
        match (before, phase) {
            (IDLE, IDLE) => {}
            (_, IDLE) => self.place.idle(),
            (IDLE, _) => self.place.busy(),
            _ => {}
        }
    }
}

/// The time that a phase may take.
struct Clock {
    /// The change of phase that `end` is counted from.
    since: u64,
    end: Pin<Box<Sleep>>,
}

impl Clock {
    fn new(phase: &Phase) -> Self {
        Self { since: phase.changes.load(Ordering::Relaxed), end: Box::pin(sleep(HEAD_TIME)) }
    }

    /// Ready once the time of the present phase is over. Asked after everything that may change the phase.
    fn poll(&mut self, phase: &Phase, cx: &mut Context<'_>) -> Poll<()> {
        let limit = match phase.now() {
            HEAD => HEAD_TIME,
            IDLE => IDLE_TIME,
            // The handlers and the stream have limits of their own.
            _ => return Poll::Pending,
        };
        let changes = phase.changes.load(Ordering::Relaxed);
        if self.since != changes {
            self.since = changes;
            self.end.as_mut().reset(Instant::now() + limit);
        }
        self.end.as_mut().poll(cx)
    }
}

/// A stream that tells the phase when a head begins and when an answer has left.
struct Watched<S> {
    stream: S,
    phase: Arc<Phase>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before && self.phase.now() == IDLE {
            self.phase.set(HEAD);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if flushed.is_ready() && self.phase.now() == ANSWERED {
            self.phase.set(IDLE);
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// An answer's body; once it is gone, HTTP has all of it.
struct Answer {
    body: Body,
    phase: Arc<Phase>,
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.phase.set(ANSWERED);
    }
}

#[cfg(test)]
#[path = "connection/tests.rs"]
mod tests;
