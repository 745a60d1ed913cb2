//! The recording relay: the drill sits between enclave and host, and between the host and the network, and keeps every
//! byte of both directions.
//!
//! It runs on a thread of its own, so that it goes on while an attempt searches. One buffer per connection and direction:
//! what two connections say at the same time does not tear a secret apart.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::runtime::Runtime;

use super::detector::{Detector, Hits};
use crate::processes::Collected;

/// All that passed.
#[derive(Clone, Default)]
pub(crate) struct Recording(Arc<Mutex<Vec<Collected>>>);

impl Recording {
    fn direction(&self) -> Collected {
        let collected = Collected::default();
        locked(&self.0).push(Arc::clone(&collected));
        collected
    }

    /// Searches every direction of every connection so far.
    pub(crate) fn search(&self, detector: &Detector, hits: &mut Hits) {
        for direction in locked(&self.0).iter() {
            detector.search(&locked(direction), hits);
        }
    }

    /// How often these bytes passed.
    pub(crate) fn count(&self, bytes: &[u8]) -> usize {
        let of =
            |direction: &Collected| locked(direction).windows(bytes.len()).filter(|window| *window == bytes).count();
        locked(&self.0).iter().map(of).sum()
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        locked(&self.0).len() / 2
    }
}

pub(crate) fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread on which relays run.
pub(crate) struct Relays(Option<Runtime>);

impl Relays {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        Ok(Self(Some(runtime.worker_threads(1).thread_name("relay").enable_all().build()?)))
    }

    /// Runs something beside the relays, for as long as they run.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0 {
            runtime.spawn(task);
        }
    }

    /// Relays connections to a Unix socket at `at` to the one at `to`.
    pub(crate) fn unix(&self, at: &Path, to: PathBuf, recording: Option<&Recording>) -> io::Result<()> {
        let _entered = self.0.as_ref().map(Runtime::enter);
        let (listener, recording) = (UnixListener::bind(at)?, recording.cloned());
        self.spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (to, recording) = (to.clone(), recording.clone());
                tokio::spawn(async move {
                    if let Ok(far) = UnixStream::connect(&to).await {
                        let ((a, b), (c, d)) = (near.into_split(), far.into_split());
                        both(a, b, c, d, recording).await;
                    }
                });
            }
        });
        Ok(())
    }

    /// Relays connections to a port of loopback, which is returned, to another.
    pub(crate) fn tcp(&self, to: SocketAddr, recording: Option<&Recording>) -> io::Result<SocketAddr> {
        let _entered = self.0.as_ref().map(Runtime::enter);
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let (address, recording) = (listener.local_addr()?, recording.cloned());
        let listener = TcpListener::from_std(listener)?;
        self.spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let recording = recording.clone();
                tokio::spawn(async move {
                    if let Ok(far) = TcpStream::connect(to).await {
                        let _ = (near.set_nodelay(true), far.set_nodelay(true));
                        let ((a, b), (c, d)) = (near.into_split(), far.into_split());
                        both(a, b, c, d, recording).await;
                    }
                });
            }
        });
        Ok(address)
    }
}

impl Drop for Relays {
    fn drop(&mut self) {
        // Waiting is for those who may block, and whoever drops this may be in a runtime of its own.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

async fn both(
    near_read: impl AsyncRead + Unpin,
    near_write: impl AsyncWrite + Unpin,
    far_read: impl AsyncRead + Unpin,
    far_write: impl AsyncWrite + Unpin,
    recording: Option<Recording>,
) {
    let there = recording.as_ref().map(Recording::direction);
    let back = recording.as_ref().map(Recording::direction);
    tokio::join!(copy(near_read, far_write, there), copy(far_read, near_write, back));
}

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, recorded: Option<Collected>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if let Some(recorded) = &recorded {
            locked(recorded).extend_from_slice(&buffer[..count]);
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}
