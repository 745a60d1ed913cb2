//! The gateway that privacyIDEA sends messages to: an HTTP server of one answer, which hands the code on.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::Error;
use crate::phone::{Codes, between};

/// Listens on loopback for as long as the run lasts; its port.
pub(super) async fn start(codes: Codes) -> Result<u16, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // One that breaks off delivers nothing, and its pair fails for want of a code.
            tokio::task::spawn_local(answer(stream, codes.clone()));
        }
    });
    Ok(port)
}

async fn answer(mut stream: TcpStream, codes: Codes) -> Option<()> {
    let mut head = Vec::with_capacity(1024);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > 16_384 || stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let head = std::str::from_utf8(&head).ok()?;
    let query = between(head, "GET /?", " ")?;
    let field = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    codes.put(field("phone")?, field("text")?);
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").await.ok()
}
