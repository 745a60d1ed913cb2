//! A stream that fails if its other end does not read.
//!
//! Every other limit is on what a client *sends*. A client that sends requests and never reads would hold its connection, and
//! what is written to it, for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Duration, Sleep, sleep};

pub(super) struct WriteDeadline<S> {
    stream: S,
    /// Longest time from the first write that waits until everything written has been read. Reading a little now and then
    /// does not extend it.
    patience: Duration,
    /// Runs from the first write that has to wait until a flush has passed all on.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> WriteDeadline<S> {
    pub(super) fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, waiting: None }
    }

    /// The outcome of an operation; a pending one fails once the time is over.
    fn within<T>(&mut self, gave: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if gave.is_pending() {
            let patience = self.patience;
            ready!(self.waiting.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        gave
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteDeadline<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteDeadline<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let gave = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.within(gave, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let gave = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.within(gave, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let gave = Pin::new(&mut self.stream).poll_flush(cx);
        let gave = self.within(gave, cx);
        if gave.is_ready() {
            self.waiting = None;
        }
        gave
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let gave = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.within(gave, cx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::interval;

    use super::*;

    /// Of a paused clock, which moves on only when nothing else can.
    const SHORT: Duration = Duration::from_millis(200);

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_nobody_reads_fails() {
        let (ours, _theirs) = duplex(64);
        let mut ours = WriteDeadline::new(ours, SHORT);
        ours.write_all(&[0; 64]).await.unwrap();
        assert_eq!(ours.write_all(&[0]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn reading_a_little_now_and_then_does_not_extend_the_time() {
        let (ours, mut theirs) = duplex(64);
        let mut ours = WriteDeadline::new(ours, SHORT);
        tokio::spawn(async move {
            let mut now_and_then = interval(SHORT / 20);
            while theirs.read_u8().await.is_ok() {
                now_and_then.tick().await;
            }
        });
        // At one byte in ten milliseconds this would take a minute.
        assert_eq!(ours.write_all(&[0; 6000]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_begins_anew_once_everything_was_read() {
        let (ours, mut theirs) = duplex(64);
        let mut ours = WriteDeadline::new(ours, SHORT * 10);
        for _ in 0..4 {
            let (sent, _) = tokio::join!(
                async {
                    ours.write_all(&[0; 65]).await?;
                    ours.flush().await
                },
                async {
                    sleep(SHORT * 3).await;
                    theirs.read_exact(&mut [0; 65]).await.unwrap()
                },
            );
            sent.unwrap();
        }
    }
}
