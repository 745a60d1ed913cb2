//! A host on a Unix socket that can be killed and started again.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use adyton_frame::Event;
use adyton_host::{Approvals, RedbReader, RedbStore, Routes, Writer, serve_channels};
use adyton_transport::{Address, Listener};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::timeout;

/// What the enclave said, over all hosts that it said it to.
#[derive(Clone, Default)]
pub(crate) struct Heard(watch::Sender<Vec<Event>>);

impl Heard {
    /// Waits until what was said is as told.
    pub(crate) async fn until(&self, told: impl FnMut(&Vec<Event>) -> bool) -> Vec<Event> {
        let mut said = self.0.subscribe();
        let said = timeout(TEST_TIMEOUT, said.wait_for(told)).await;
        said.unwrap_or_else(|_| panic!("not said in time: {:?}", *self.0.borrow())).unwrap().clone()
    }

    /// Everything so far.
    pub(crate) fn all(&self) -> Vec<Event> {
        self.0.borrow().clone()
    }
}

/// Longest wait of a test for what must come.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_secs(30);

/// A running host.
pub(crate) struct Host {
    runtime: Option<Runtime>,
    store: Option<JoinHandle<()>>,
    reader: RedbReader,
}

impl Host {
    /// Serves a store at the address of a folder.
    pub(crate) fn start(store: RedbStore, folder: &Path, heard: &Heard) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (writer, store) = Writer::start(store).unwrap();
        let (heard, reader) = (heard.clone(), writer.reader().clone());
        let sink = Arc::new(move |event| heard.0.send_modify(|said| said.push(event)));
        let listener = {
            let _inside = runtime.enter();
            Listener::bind(&address(folder)).unwrap()
        };
        runtime.spawn(serve_channels(listener, writer, Approvals::new(folder), Routes::default(), sink));
        Self { runtime: Some(runtime), store: Some(store), reader }
    }

    /// Reads what it has.
    pub(crate) fn reader(&self) -> &RedbReader {
        &self.reader
    }
}

/// Ends every connection at once. The store's thread finishes what it is at.
impl Drop for Host {
    fn drop(&mut self) {
        let (runtime, store) = (self.runtime.take(), self.store.take());
        // A thread of its own: no runtime may be ended from within another.
        let ended = std::thread::spawn(move || {
            if let Some(runtime) = runtime {
                runtime.shutdown_timeout(TEST_TIMEOUT);
            }
            store.is_none_or(|store| store.join().is_ok())
        });
        assert!(ended.join().unwrap_or(false) || std::thread::panicking(), "the host did not end well");
    }
}

/// Where the host of a folder listens.
pub(crate) fn address(folder: &Path) -> Address {
    Address::Unix(folder.join("host.sock"))
}
