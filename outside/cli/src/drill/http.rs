//! Plain HTTP on loopback: the phone's messages, the host's metrics, the control's answers.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{Duration, sleep, timeout};

use super::Error;

/// Longest wait for a message.
const PATIENCE: Duration = Duration::from_secs(20);

/// One request: status, and head and body as they came.
pub(crate) async fn get(address: SocketAddr, method: &str, path: &str) -> Result<(u16, Vec<u8>), Error> {
    let exchange = async {
        let stream = TcpStream::connect(address).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = Request::builder().method(method).uri(path).header("host", address.to_string());
        let answer = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
        let mut said = Vec::new();
        for (name, value) in answer.headers() {
            said.extend_from_slice(name.as_str().as_bytes());
            said.extend_from_slice(b": ");
            said.extend_from_slice(value.as_bytes());
            said.push(b'\n');
        }
        let status = answer.status().as_u16();
        said.extend_from_slice(&answer.into_body().collect().await?.to_bytes());
        Ok::<_, Error>((status, said))
    };
    timeout(Duration::from_secs(10), exchange).await?
}

/// Puts JSON below the phone's page.
pub(crate) async fn put(phone: &str, path: &str, json: &'static str) -> Result<(), Error> {
    let (address, token) = parts(phone)?;
    let exchange = async {
        let stream = TcpStream::connect(address).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = Request::builder().method("PUT").uri(format!("{token}{path}"));
        let request = request.header("host", address.to_string()).header("content-type", "application/json");
        Ok::<_, Error>(
            sender.send_request(request.body(Full::new(Bytes::from_static(json.as_bytes())))?).await?.status(),
        )
    };
    let status = timeout(Duration::from_secs(10), exchange).await??;
    if status.is_success() { Ok(()) } else { Err(format!("the phone answered {status}").into()) }
}

/// `http://IP:PORT/PATH` in two.
pub(crate) fn parts(url: &str) -> Result<(SocketAddr, &str), Error> {
    let rest = url.strip_prefix("http://").ok_or("expected http://")?;
    let at = rest.find('/').unwrap_or(rest.len());
    Ok((rest[..at].parse()?, &rest[at..]))
}

/// How many messages the phone has for somebody.
pub(crate) async fn count(phone: &str, to: &str) -> Result<usize, Error> {
    let (address, path) = parts(phone)?;
    let path = format!("{path}/messages?to={}", form_urlencoded::byte_serialize(to.as_bytes()).collect::<String>());
    let (_, said) = get(address, "GET", &path).await?;
    let at = said.iter().position(|byte| *byte == b'[').ok_or("the phone shows no messages")?;
    Ok(serde_json::from_slice::<Vec<Value>>(&said[at..])?.len())
}

/// The newest message of the phone to somebody, once there are so many.
pub(crate) async fn message(phone: &str, to: &str, count: usize) -> Result<String, Error> {
    let (address, path) = parts(phone)?;
    let path = format!("{path}/messages?to={}", form_urlencoded::byte_serialize(to.as_bytes()).collect::<String>());
    let wait = async {
        loop {
            let (_, said) = get(address, "GET", &path).await?;
            let at = said.iter().position(|byte| *byte == b'[').ok_or("the phone shows no messages")?;
            let messages: Vec<Value> = serde_json::from_slice(&said[at..])?;
            if messages.len() >= count
                && let Some(body) = messages.first().and_then(|message| message["body"].as_str())
            {
                return Ok(body.to_owned());
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, wait).await.map_err(|_| "no message came to the phone in time")?
}

/// The code in a message.
pub(crate) fn code(message: &str) -> Result<String, Error> {
    let mut words = message.split(|char: char| !char.is_ascii_digit());
    Ok(words.find(|word| word.len() == 10).ok_or("the message has no code of ten digits")?.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn addresses_and_codes() {
        assert_eq!(parts("http://127.0.0.1:80/token").unwrap(), ("127.0.0.1:80".parse().unwrap(), "/token"));
        assert!(parts("https://127.0.0.1:80/token").is_err());
        assert_eq!(code("Your code for 24 is: 0123456789.").unwrap(), "0123456789");
        assert!(code("012345").is_err());
    }
}
