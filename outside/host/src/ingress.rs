//! The ingress pipe: one client's TLS connection to one stream into the enclave, byte for byte.

use std::io;
use std::sync::Arc;

use adyton_transport::Address;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// A TLS record and a bit: small requests take one read.
const BUFFER: usize = 16 * 1024 + 512;

/// Accepts clients for ever, at most `limit` at a time; over it, new ones wait in the listener's queue.
pub async fn serve_ingress(listener: TcpListener, enclave: Address, limit: usize) {
    let places = Arc::new(Semaphore::new(limit));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((client, _)) = listener.accept().await else {
            // Out of descriptors, most likely: let some go before trying again.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let enclave = enclave.clone();
        tokio::spawn(async move {
            let _place = place;
            let _ = client.set_nodelay(true);
            // Without an enclave the client is let go at once.
            if let Ok(inside) = enclave.connect().await {
                let _ = pipe(client, inside).await;
            }
        });
    }
}

/// Copies both ways until both are closed; one side's end is passed on to the other. A side that takes no more bytes ends
/// that direction only, so that what it said before is still passed on. It may be lost all the same: TCP resets a
/// connection that is closed with an upload unread.
///
/// # Errors
/// Those of a stream that cannot be read; they end both directions.
pub async fn pipe<A, B>(a: A, b: B) -> io::Result<()>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (mut a_read, mut a_write) = tokio::io::split(a);
    let (mut b_read, mut b_write) = tokio::io::split(b);
    tokio::try_join!(copy(&mut a_read, &mut b_write), copy(&mut b_read, &mut a_write))?;
    Ok(())
}

async fn copy(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            // It may be gone already, which is no fault.
            let _ = to.shutdown().await;
            return Ok(());
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return Ok(());
        }
    }
}
