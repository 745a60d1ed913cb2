//! STARTTLS (RFC 3207), up to the first byte of TLS.
//!
//! Replies are read byte by byte, so that nothing said in the clear can be taken for something said in TLS: what comes
//! after the reply to STARTTLS is the handshake's, and anything else breaks it.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Duration, timeout};

use super::Failure;
use crate::egress::{EgressError, TrustRefusal};

/// Longest reply, all its lines.
const MAX_REPLY: usize = 16 * 1024;
/// Longest wait for all of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Greeting, EHLO, STARTTLS.
pub(super) async fn negotiate(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), hello: &str) -> Result<(), Failure> {
    let talk = async {
        expect(reply(stream).await?, "220")?;
        say(stream, &format!("EHLO {hello}\r\n")).await?;
        let offers = reply(stream).await?;
        let offered = offers.lines().filter_map(|line| line.get(4..));
        // A server, or whoever stands before it, that does not offer TLS: nothing is said to it in the clear.
        if !offered.into_iter().any(|offer| offer.trim_end().eq_ignore_ascii_case("STARTTLS")) {
            return Err(not_offered());
        }
        expect(offers, "250")?;
        say(stream, "STARTTLS\r\n").await?;
        expect(reply(stream).await?, "220")
    };
    timeout(PATIENCE, talk).await.unwrap_or(Err(Failure::Transport(EgressError::Timeout)))
}

fn not_offered() -> Failure {
    Failure::Transport(EgressError::Tls(TrustRefusal::NotOffered))
}

/// 4yz asks for patience; any other reply leaves no TLS.
fn expect(reply: String, code: &str) -> Result<(), Failure> {
    match reply.as_bytes().first() {
        _ if reply.starts_with(code) => Ok(()),
        Some(b'4') => Err(Failure::Busy(None)),
        _ => Err(not_offered()),
    }
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), line: &str) -> Result<(), Failure> {
    stream.write_all(line.as_bytes()).await.map_err(|_| broken())
}

fn broken() -> Failure {
    Failure::Transport(EgressError::Protocol)
}

/// One reply: lines `code-text`, the last one `code text`.
async fn reply(stream: &mut (impl AsyncRead + Unpin)) -> Result<String, Failure> {
    let (mut reply, mut line) = (Vec::new(), 0);
    while reply.len() < MAX_REPLY {
        let byte = stream.read_u8().await.map_err(|_| broken())?;
        reply.push(byte);
        if byte == b'\n' {
            let last = &reply[line..];
            let code = last.iter().take(3).all(u8::is_ascii_digit);
            match last.get(3) {
                Some(b' ' | b'\r') if code => return String::from_utf8(reply).map_err(|_| broken()),
                Some(b'-') if code => {}
                _ => return Err(broken()),
            }
            line = reply.len();
        }
    }
    Err(broken())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of a server that says these replies, whatever it is told, and what it was told.
    async fn talk(replies: &'static [&'static str]) -> (Result<(), Failure>, String) {
        let (mut near, mut far) = tokio::io::duplex(1024);
        let server = tokio::spawn(async move {
            let mut told = String::new();
            for reply in replies {
                let _ = far.write_all(reply.as_bytes()).await;
                let mut byte = [0];
                while !reply.is_empty() && matches!(far.read(&mut byte).await, Ok(1)) {
                    told.push(char::from(byte[0]));
                    if byte == *b"\n" {
                        break;
                    }
                }
            }
            told
        });
        let done = negotiate(&mut near, "example.com").await;
        drop(near);
        (done, server.await.unwrap_or_default())
    }

    const GREETING: &str = "220 mail.example.com ESMTP\r\n";
    const OFFERS: &str = "250-mail.example.com\r\n250-SIZE 1000\r\n250-starttls\r\n250 HELP\r\n";

    #[tokio::test]
    async fn a_server_that_offers_it() {
        let (done, told) = talk(&[GREETING, OFFERS, "220 go ahead\r\n"]).await;
        assert_eq!(done, Ok(()));
        assert_eq!(told, "EHLO example.com\r\nSTARTTLS\r\n");
    }

    #[tokio::test]
    async fn a_stripped_offer_is_fatal_and_nothing_follows() {
        for offers in ["250 mail.example.com\r\n", "250-mail\r\n250-AUTH PLAIN\r\n250 XSTARTTLS\r\n", "502 what\r\n"] {
            let (done, told) = talk(Box::leak(Box::new([GREETING, offers]))).await;
            assert_eq!((done, told.as_str()), (Err(not_offered()), "EHLO example.com\r\n"), "{offers}");
        }
    }

    #[tokio::test]
    async fn a_refusal_is_fatal() {
        let (done, _) = talk(&[GREETING, OFFERS, "502 not today\r\n"]).await;
        assert_eq!(done, Err(not_offered()));
        let (done, _) = talk(&["554 go away\r\n"]).await;
        assert_eq!(done, Err(not_offered()));
        let (done, _) = talk(&[GREETING, OFFERS, "454 TLS not available\r\n"]).await;
        assert_eq!(done, Err(Failure::Busy(None)));
    }

    #[tokio::test]
    async fn garbage_is_no_reply() {
        for garbage in ["HTTP/1.1 200 OK\r\n", "22\r\n", "220x\n"] {
            let (done, told) = talk(Box::leak(Box::new([garbage]))).await;
            assert_eq!((done, told.as_str()), (Err(broken()), ""), "{garbage}");
        }
    }
}
