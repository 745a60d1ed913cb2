//! An HTTP connection to a carrier that knows whether a request has left.
//!
//! 1. The connection is polled by the task that sends a request, not by one of its own: dropping
//!    the request stops the writing.
//! 2. Once the last byte of a request was handed to TLS the request has left
//!    ([`Progress::leaves`]). Until then a carrier cannot have acted on it: its length was
//!    announced and not reached.
//! 3. The head of the answer is the answer. Its body is read within [`MAX_BODY`] and
//!    [`BODY_TIMEOUT`]; one that is longer, slower or cut off counts as empty. A line of the head
//!    that is no field is ignored, a folded one is joined: where the body ends comes from fields
//!    that can be read, else the connection's end is the body's, and it is not used again. What all
//!    of it may cost is the stream's budget ([`crate::egress::AnswerBudget`]).
//! 4. Whatever fails before 2. is a failure of transport; after it, without a head, nothing is
//!    known of the letter.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Duration, Instant, timeout};

use super::carrier::Failure;
use super::progress::Progress;
use crate::egress::{EgressError, Endpoint, Meter, Wire};

/// Longest wait for the head of an answer.
const HEAD_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest head: fields, and bytes.
const MAX_HEADERS: usize = 64;
const MAX_HEAD: usize = 16 * 1024;
/// Most of a body that is read, and how long.
const MAX_BODY: usize = 16 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// An answer. It may hold credentials, so it is not printed.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Empty if it could not be read within its bounds.
    pub(super) body: Bytes,
}

/// A connection, used again until it breaks.
pub(super) struct Link {
    sender: SendRequest<Full<Bytes>>,
    /// `None` once it has ended.
    connection: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    host: HeaderValue,
    watch: Watch,
    meter: Meter,
    since: Instant,
}

impl Link {
    /// Opens one.
    pub(super) async fn open(endpoint: &Endpoint) -> Result<Self, EgressError> {
        Self::over(endpoint.secure(endpoint.dial().await?).await?, endpoint.host()).await
    }

    async fn over(stream: impl Wire, host: &str) -> Result<Self, EgressError> {
        let (watch, meter) = (Watch::default(), stream.meter().clone());
        let stream = TokioIo::new(Watched { stream, watch: watch.clone() });
        let mut http = Builder::new();
        http.max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD);
        // 3.
        http.ignore_invalid_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true)
            .allow_obsolete_multiline_headers_in_responses(true);
        let handshake = http.handshake(stream);
        let (sender, connection) = handshake.await.map_err(|_| EgressError::Protocol)?;
        let connection = Box::pin(async move { drop(connection.await) });
        let host = HeaderValue::from_str(host).map_err(|_| EgressError::Protocol)?;
        Ok(Self { sender, connection: Some(connection), host, watch, meter, since: Instant::now() })
    }

    /// Whether another request may be sent over it: it is open as far as can be seen, and was used just now.
    pub(super) fn is_usable(&mut self, longest_idle: Duration) -> bool {
        if let Some(connection) = &mut self.connection
            && connection.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
        {
            self.connection = None;
        }
        self.connection.is_some() && self.since.elapsed() < longest_idle
    }

    /// `POST path`; what came back, whatever its status.
    pub(super) async fn post(
        &mut self,
        path: &str,
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
        body: Bytes,
        progress: &Arc<Progress>,
    ) -> Result<Answer, Failure> {
        self.watch.begin(body.len(), progress);
        let request = Request::builder().method(Method::POST).uri(path).body(Full::new(body));
        let mut request = request.map_err(|_| Failure::NotThisRoute)?;
        request.headers_mut().insert(HOST, self.host.clone());
        request.headers_mut().extend(headers);
        let Self { sender, connection, since, meter, .. } = self;
        meter.begin();
        let head = drive(connection, async {
            sender.ready().await?;
            sender.send_request(request).await
        });
        // 4.
        let failed = |error| match meter.exceeded() {
            _ if progress.has_left() => Failure::Unconfirmed,
            exceeded => Failure::Transport(exceeded.unwrap_or(error)),
        };
        let head = timeout(HEAD_TIMEOUT, head).await.map_err(|_| failed(EgressError::Timeout))?;
        let (head, body) = head.map_err(|_| failed(EgressError::Protocol))?.into_parts();
        // 3.
        let body = drive(connection, Limited::new(body, MAX_BODY).collect());
        let body = timeout(BODY_TIMEOUT, body).await.ok().and_then(Result::ok);
        if body.is_none() {
            *connection = None;
        }
        meter.rest();
        *since = Instant::now();
        let body = body.map(|body| body.to_bytes()).unwrap_or_default();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}

/// 1. Polls the connection beside what depends on it.
async fn drive<T>(
    connection: &mut Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    std::future::poll_fn(|cx| {
        if connection.as_mut().is_some_and(|connection| connection.as_mut().poll(cx).is_ready()) {
            *connection = None;
        }
        work.as_mut().poll(cx)
    })
    .await
}

/// 2. Sees when the whole of a request was written.
#[derive(Clone, Default)]
struct Watch(Arc<Mutex<Unwritten>>);

/// What of a request was not written yet.
#[derive(Default)]
struct Unwritten {
    /// How much of [`HEAD_END`] the last bytes were.
    matched: usize,
    body: usize,
    /// Told once nothing is left.
    progress: Option<Arc<Progress>>,
}

/// What ends the head of a request (RFC 9112 §2.1).
const HEAD_END: &[u8] = b"\r\n\r\n";

impl Watch {
    /// A request with a body of this length will be written next.
    fn begin(&self, body: usize, progress: &Arc<Progress>) {
        let progress = Some(Arc::clone(progress));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Unwritten { matched: 0, body, progress };
    }

    fn wrote(&self, bytes: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).wrote(bytes);
    }
}

impl Unwritten {
    fn wrote(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while self.matched < HEAD_END.len()
            && let [byte, others @ ..] = rest
        {
            self.matched = match *byte {
                byte if byte == HEAD_END[self.matched] => self.matched + 1,
                b'\r' => 1,
                _ => 0,
            };
            rest = others;
        }
        self.body = self.body.saturating_sub(rest.len());
        if self.matched == HEAD_END.len() && self.body == 0 {
            self.progress.take().iter().for_each(|progress| progress.leaves());
        }
    }
}

struct Watched<S> {
    stream: S,
    watch: Watch,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(count)) = written {
            this.watch.wrote(&buf[..count.min(buf.len())]);
        }
        written
    }

    /// As the stream has it: without it, hyper would copy bodies, which hold codes.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        if let Poll::Ready(Ok(mut count)) = written {
            for buf in bufs {
                let taken = count.min(buf.len());
                this.watch.wrote(&buf[..taken]);
                count -= taken;
            }
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
