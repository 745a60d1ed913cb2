//! What one answer from outside may cost: bytes and time, counted below every library.
//!
//! 1. Every stream that leaves [`super`] is a [`Metered`] one, or TLS over a [`Metered`] one. There is no other way out.
//! 2. [`Meter::begin`] gives the next answer its budget. Nothing else does: neither what is written nor what is read renews it,
//!    so a peer cannot prolong an answer by making this side write (a TLS key update does), and a caller that forgets
//!    to begin an answer runs out of budget.
//! 3. Beyond the budget the stream fails, and fails for ever. [`Meter::exceeded`] says by which error, whatever a library
//!    in between made of it.
//!
//! The bytes are those of the wire: TLS records, chunk sizes and headers count.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Duration, Instant, Sleep, sleep_until};
use tokio_rustls::client::TlsStream;

use super::EgressError;

/// What one answer may cost, by the kind of the peer (`docs/LIMITS.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerBudget {
    /// Bytes of the wire, from the request to the answer's end.
    pub bytes: usize,
    /// Time, from the request to the answer's end.
    pub time: Duration,
}

impl AnswerBudget {
    /// A carrier that speaks HTTP. Its answer is a status and a few words; `delivery::link` waits for less than this time.
    pub const CARRIER: Self = Self { bytes: 96 * 1024, time: Duration::from_secs(25) };
    /// A mail server, for each reply before the message's end was sent; how long the reply to that may take is
    /// `delivery::smtp`'s to say.
    pub const MAIL: Self = Self { bytes: 64 * 1024, time: Duration::from_secs(30) };
    /// A KMS. A key policy of 32 KiB is up to 64 KiB in JSON.
    pub const KMS: Self = Self { bytes: 96 * 1024, time: Duration::from_secs(10) };
    /// The metadata service of an instance.
    pub const METADATA: Self = Self { bytes: 32 * 1024, time: Duration::from_secs(10) };
    /// A CA that speaks ACME. A chain is at most eight certificates.
    pub const CA: Self = Self { bytes: 96 * 1024, time: Duration::from_secs(10) };
}

/// Counts what the peer of one stream costs.
#[derive(Clone, Debug)]
pub struct Meter(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    answers: AnswerBudget,
    /// Bytes that may still be read.
    left: usize,
    /// When the answer must be complete; `None` between answers.
    until: Option<Instant>,
    exceeded: Option<EgressError>,
    /// Who waits to read, and has to look at a new time.
    reader: Option<Waker>,
}

impl Meter {
    fn new(answers: AnswerBudget, bytes: usize, until: Instant) -> Self {
        let (exceeded, reader) = (None, None);
        Self(Arc::new(Mutex::new(State { answers, left: bytes, until: Some(until), exceeded, reader })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The budget of the next answer begins.
    pub fn begin(&self) {
        let answers = self.lock().answers;
        self.allow(answers.bytes, Instant::now() + answers.time);
    }

    /// The same, with another end of its time.
    pub fn begin_until(&self, until: Instant) {
        let bytes = self.lock().answers.bytes;
        self.allow(bytes, until);
    }

    pub(super) fn allow(&self, bytes: usize, until: Instant) {
        let mut state = self.lock();
        (state.left, state.until) = (bytes, Some(until));
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
    }

    /// The answer is complete. Until the next one begins no time is counted; bytes still are.
    pub fn rest(&self) {
        self.lock().until = None;
    }

    /// By which error the stream failed, if its peer was over budget.
    pub fn exceeded(&self) -> Option<EgressError> {
        self.lock().exceeded
    }
}

/// A stream whose peer is metered.
pub struct Metered<S> {
    stream: S,
    meter: Meter,
    timer: Pin<Box<Sleep>>,
}

impl<S> Metered<S> {
    /// Meters a stream: `bytes` until `until` at first, then `answers` for each answer.
    pub(super) fn new(stream: S, answers: AnswerBudget, bytes: usize, until: Instant) -> Self {
        Self { stream, meter: Meter::new(answers, bytes, until), timer: Box::pin(sleep_until(until)) }
    }

    /// A stream to a peer that a test plays.
    #[cfg(test)]
    pub(crate) fn played(stream: S, answers: AnswerBudget) -> Self {
        Self::new(stream, answers, answers.bytes, Instant::now() + answers.time)
    }

    /// Fails once the budget is exceeded, and has the task woken when its time is over.
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let mut state = self.meter.lock();
        if let Some(error) = state.exceeded {
            return Err(io::Error::other(error));
        }
        let Some(until) = state.until else { return Ok(()) };
        if self.timer.deadline() != until {
            self.timer.as_mut().reset(until);
        }
        match self.timer.as_mut().poll(cx) {
            Poll::Pending => Ok(()),
            Poll::Ready(()) => {
                state.exceeded = Some(EgressError::Timeout);
                Err(io::Error::other(EgressError::Timeout))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.check(cx)?;
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let left = {
            let mut state = this.meter.lock();
            state.reader = Some(cx.waker().clone());
            state.left
        };
        if left == 0 {
            // The end may follow; a further byte is one too many.
            let mut byte = [0];
            let mut probe = ReadBuf::new(&mut byte);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut probe))?;
            if probe.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.meter.lock().exceeded = Some(EgressError::TooLong);
            return Poll::Ready(Err(io::Error::other(EgressError::TooLong)));
        }
        let most = left.min(buf.remaining());
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(most));
        ready!(Pin::new(&mut this.stream).poll_read(cx, &mut part))?;
        let count = part.filled().len();
        buf.advance(count);
        let mut state = this.meter.lock();
        state.left = state.left.saturating_sub(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check(cx)?;
        Pin::new(&mut this.stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.check(cx)?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.check(cx)?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

/// A stream whose peer is metered, with or without TLS over it.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Its meter.
    fn meter(&self) -> &Meter;
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Wire for Metered<S> {
    fn meter(&self) -> &Meter {
        &self.meter
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Wire for TlsStream<Metered<S>> {
    fn meter(&self) -> &Meter {
        &self.get_ref().0.meter
    }
}

#[cfg(test)]
mod tests;
