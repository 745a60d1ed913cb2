//! Signals that ask this process to stop, and who has to know of them.
//!
//! They are taken on a thread of their own, so that one is noticed while the main thread waits for a child. That thread starts
//! no child: children die with the thread that started them.
//!
//! 1. the handlers are there before the first child is started;
//! 2. the first signal sets [`is_asked`], ends builds that are under way, and wakes the tasks that wait in [`Stop::asked`];
//! 3. further ones change nothing: what was begun is stopped in order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Duration, timeout};

type Error = Box<dyn std::error::Error>;

/// How long after the end of a child a signal may still arrive that was sent to it and to this process together.
pub(crate) const SETTLING: Duration = Duration::from_millis(250);

static ASKED: AtomicBool = AtomicBool::new(false);

/// Whether this process has been asked to stop.
pub(crate) fn is_asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}

/// Becomes true once.
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// 1.
    pub(crate) fn on_signals() -> Result<Self, Error> {
        let (sender, receiver) = watch::channel(false);
        let (registered, ready) = mpsc::channel();
        thread::Builder::new().name("signals".into()).spawn(move || {
            let waiting = async {
                let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
                let signals = kinds.map(signal);
                let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = signals else { return };
                let _ = registered.send(());
                // 2.
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                }
                ASKED.store(true, Ordering::SeqCst);
                adyton_pinned::stop_builds();
                let _ = sender.send(true);
                // 3.
                std::future::pending::<()>().await;
            };
            if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
                runtime.block_on(waiting);
            }
        })?;
        ready.recv().map_err(|_| "signals cannot be handled on this machine")?;
        Ok(Self(receiver))
    }

    /// Waits until this process is asked to stop.
    pub(crate) async fn asked(&mut self) {
        if self.0.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether this process is asked to stop, now or within a moment. For a caller that found that a child has ended: a signal that is sent
    /// to every process of a group or a service reaches them in any order.
    pub(crate) async fn settles(&mut self) -> bool {
        timeout(SETTLING, self.asked()).await.is_ok()
    }
}
