//! The gate: the one thread that opens vsock sockets.
//!
//! 1. it starts with the first vsock address that is used, or earlier, by [`open`];
//! 2. a connection or a listener is asked for by message; the gate makes the socket and begins to connect;
//! 3. what it made goes back to whoever asked, who waits for the rest.
//!
//! Why: an enclave's image forbids every other thread to make, bind or connect a socket (seccomp filters are per thread),
//! so whatever else the enclave is made to do, what it says to the outside goes through this file.
//!
//! What it is not: it does not judge where a connection goes. Accepting is not its work either: that needs a socket that
//! it has bound.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll, Waker};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_vsock::{VsockAddr, VsockListener, VsockStream};

type Connecting = Pin<Box<dyn Future<Output = io::Result<VsockStream>> + Send>>;

enum Asked {
    Connect(VsockAddr, Handle, oneshot::Sender<Begun>),
    Bind(VsockAddr, Handle, Sender<io::Result<VsockListener>>),
}

/// A connection that was begun.
enum Begun {
    Done(io::Result<VsockStream>),
    Waiting(Connecting),
}

static GATE: OnceLock<Sender<Asked>> = OnceLock::new();

/// Starts the gate, unless it runs. `confine` is called once, on its thread, before it opens anything; what it returns
/// refuses the gate for ever.
///
/// # Errors
/// What `confine` said, or the system's if there can be no thread.
pub fn open(confine: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    let (asked, waiting) = channel();
    if GATE.set(asked).is_err() {
        return Ok(());
    }
    let (confined, outcome) = channel();
    std::thread::Builder::new().name("gate".into()).spawn(move || {
        let done = confine();
        let works = done.is_ok();
        // Whoever started the gate waits for this.
        let _ = confined.send(done);
        if works {
            serve(&waiting);
        }
    })?;
    outcome.recv().map_err(|_| closed())?
}

fn gate() -> io::Result<&'static Sender<Asked>> {
    open(|| Ok(()))?;
    GATE.get().ok_or_else(closed)
}

fn closed() -> io::Error {
    io::Error::other("the gate is closed")
}

/// Connects.
pub(crate) async fn connect(address: VsockAddr) -> io::Result<VsockStream> {
    let (answer, begun) = oneshot::channel();
    gate()?.send(Asked::Connect(address, Handle::current(), answer)).map_err(|_| closed())?;
    // 3.
    match begun.await.map_err(|_| closed())? {
        Begun::Done(outcome) => outcome,
        Begun::Waiting(connecting) => connecting.await,
    }
}

/// Binds and listens.
pub(crate) fn bind(address: VsockAddr) -> io::Result<VsockListener> {
    let (answer, bound) = channel();
    gate()?.send(Asked::Bind(address, Handle::current(), answer)).map_err(|_| closed())?;
    bound.recv().map_err(|_| closed())?
}

/// 2. Whoever no longer waits needs no answer.
fn serve(waiting: &Receiver<Asked>) {
    while let Ok(asked) = waiting.recv() {
        match asked {
            Asked::Connect(address, runtime, answer) => {
                let _runtime = runtime.enter();
                let mut connecting: Connecting = Box::pin(VsockStream::connect(address));
                // The first step makes the socket and begins to connect; every later one only waits.
                let begun = match connecting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(outcome) => Begun::Done(outcome),
                    Poll::Pending => Begun::Waiting(connecting),
                };
                drop(answer.send(begun));
            }
            Asked::Bind(address, runtime, answer) => {
                let _runtime = runtime.enter();
                let _ = answer.send(VsockListener::bind(address));
            }
        }
    }
}
