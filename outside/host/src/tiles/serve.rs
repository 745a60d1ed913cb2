//! The published logs over HTTP (`docs/spec/03-heads.md`, "Publication"): GET and HEAD of what
//! [`TileRequest`] names.
//!
//! Answers are at most a full bundle, some 45 KB. A checkpoint may be cached for
//! [`CHECKPOINT_AGE`], tiles and bundles permanently. A tile that is not there yet may be there
//! soon, so that answer is not cached.
//!
//! Limits: [`MAX_CONNECTIONS`] at once, each for [`LIFETIME`] at most; [`READS`] requests read the
//! store at a time. Put a cache in front of an address that many read. Where few places are left,
//! connections that wait for a whole head make room, the longest first: silence keeps nobody from
//! the log. What does is as many requests at once.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use adyton_ledger::{LogId, LogReader};
use adyton_transport::{Place, Places};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::{Resource, TileLookup, TileRequest};
use crate::RedbReader;

/// Connections at once, at one address.
const MAX_CONNECTIONS: usize = 64;
/// Longest time that a connection is kept; a client that has more to fetch opens another one.
const LIFETIME: Duration = Duration::from_secs(60);
/// Longest time for an answer that is under way then.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// The same where another connection waits for the place.
const SHORT_DRAIN_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest time for a request's head, and between two requests.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Most bytes of a head.
const MAX_HEAD: usize = 8192;
/// Requests that read the store at a time, at one address.
const READS: usize = 4;

/// A checkpoint changes with every append.
const CHECKPOINT_AGE: &str = "max-age=1";
/// Tiles are immutable.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// Which logs an address shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// `gov`, which is public.
    Gov,
    /// The operations logs, which are for tenants and auditors.
    Operations,
}

/// Data that one address serves.
struct PublishedLogs {
    reader: RedbReader,
    published: Published,
    reads: Semaphore,
}

/// Serves logs for ever.
pub async fn serve_tiles(listener: TcpListener, reader: RedbReader, published: Published) {
    let places = Places::new(MAX_CONNECTIONS, Duration::ZERO);
    let site = Arc::new(PublishedLogs { reader, published, reads: Semaphore::new(READS) });
    loop {
        let place = places.take().await;
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        tokio::spawn(serve_connection(stream, Arc::clone(&site), place));
    }
}

/// One connection. It idles while a head is awaited, and makes room then if others wait.
async fn serve_connection(stream: TcpStream, site: Arc<PublishedLogs>, place: Place) {
    place.idle();
    let (place, was_asked) = (Arc::new(place), Arc::new(AtomicBool::new(false)));
    let service = service_fn({
        let (place, was_asked) = (Arc::clone(&place), Arc::clone(&was_asked));
        move |request: Request<Incoming>| {
            place.busy();
            was_asked.store(true, Ordering::Relaxed);
            let (site, place) = (Arc::clone(&site), Arc::clone(&place));
            async move {
                let response = site.answer(request.method(), request.uri().path()).await;
                place.idle();
                Ok::<_, Infallible>(response)
            }
        }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(MAX_HEAD);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let parting = tokio::select! {
        _ = &mut connection => return,
        () = place.must_end() => SHORT_DRAIN_TIMEOUT,
        () = sleep(LIFETIME) => DRAIN_TIMEOUT,
    };
    // Of one that asked, an answer may be under way.
    if was_asked.load(Ordering::Relaxed) {
        connection.as_mut().graceful_shutdown();
        let _ = timeout(parting, connection).await;
    }
}

impl PublishedLogs {
    async fn answer(self: Arc<Self>, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if method != Method::GET && method != Method::HEAD {
            return empty(StatusCode::METHOD_NOT_ALLOWED, (ALLOW, "GET, HEAD"));
        }
        let not_found = || empty(StatusCode::NOT_FOUND, (CACHE_CONTROL, "no-store"));
        let Some(request) = path.parse::<TileRequest>().ok().filter(|request| self.shows(request.log)) else {
            return not_found();
        };
        // Never closed.
        let Ok(_turn) = self.reads.acquire().await else { return not_found() };
        let reader = self.reader.clone();
        let found = tokio::task::spawn_blocking(move || match request.resource {
            Resource::Checkpoint => reader.status(request.log).map(|status| match status.head {
                head if head.is_empty() => TileLookup::Nothing,
                head => TileLookup::Bytes(head.into()),
            }),
            Resource::Tile(path) => reader.published(request.log, &path),
        });
        match found.await {
            Ok(Ok(TileLookup::Bytes(bytes))) => whole(request.resource, bytes),
            Ok(Ok(TileLookup::Nothing)) => not_found(),
            Ok(Ok(TileLookup::NotBuilt) | Err(_)) | Err(_) => {
                empty(StatusCode::SERVICE_UNAVAILABLE, (RETRY_AFTER, "1"))
            }
        }
    }

    fn shows(&self, log: LogId) -> bool {
        (self.published == Published::Gov) == (log == LogId::GOV)
    }
}

fn whole(resource: Resource, bytes: Vec<u8>) -> Response<Full<Bytes>> {
    let (kind, age) = match resource {
        Resource::Checkpoint => ("text/plain; charset=utf-8", CHECKPOINT_AGE),
        Resource::Tile(_) => ("application/octet-stream", IMMUTABLE),
    };
    let mut response = Response::new(Full::from(bytes));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(age));
    response
}

fn empty(status: StatusCode, (name, value): (HeaderName, &'static str)) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response.headers_mut().insert(name, HeaderValue::from_static(value));
    response
}
