//! The dialer: SOCKS5 by name, for the enclave only. It resolves the names that nothing inside resolves.
//!
//! The enclave asks for a name of its measured policy and then speaks TLS with whoever answers, so a wrong answer here
//! is refused inside.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use adyton_transport::Stream;
use fast_socks5::server::{Socks5ServerProtocol, SocksServerError};
use fast_socks5::util::target_addr::TargetAddr;
use fast_socks5::{ReplyError, Socks5Command};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::pipe;

const PATIENCE: Duration = Duration::from_secs(10);

/// Names that go to a fixed address, such as a laptop's pretend carrier.
#[derive(Clone, Debug, Default)]
pub struct Routes(BTreeMap<(String, u16), SocketAddr>);

impl Routes {
    /// Adds `NAME:PORT=IP:PORT`.
    ///
    /// # Errors
    /// Says what the form is.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let refused = || format!("--route {text}: expected NAME:PORT=IP:PORT");
        let (from, to) = text.split_once('=').ok_or_else(refused)?;
        let (name, port) = from.rsplit_once(':').ok_or_else(refused)?;
        let port = port.parse().map_err(|_| refused())?;
        self.0.insert((name.to_ascii_lowercase(), port), to.parse().map_err(|_| refused())?);
        Ok(())
    }
}

/// Serves one outbound connection from first SOCKS byte to last.
pub(crate) async fn dial(stream: Stream, routes: &Routes) -> Result<(), SocksServerError> {
    let asked = async { Socks5ServerProtocol::accept_no_auth(stream).await?.read_command().await };
    let Ok(asked) = timeout(PATIENCE, asked).await else { return Ok(()) };
    let (protocol, command, target) = asked?;
    if command != Socks5Command::TCPConnect {
        return protocol.reply_error(&ReplyError::CommandNotSupported).await;
    }
    // Names only: an address would be a way around the policy's list of names.
    let TargetAddr::Domain(name, port) = target else {
        return protocol.reply_error(&ReplyError::AddressTypeNotSupported).await;
    };
    if !is_domain_name(&name) {
        return protocol.reply_error(&ReplyError::AddressTypeNotSupported).await;
    }
    let connect = async {
        match routes.0.get(&(name.to_ascii_lowercase(), port)) {
            Some(address) => TcpStream::connect(address).await,
            None => TcpStream::connect((&name[..], port)).await,
        }
    };
    let reached = match timeout(PATIENCE, connect).await {
        Ok(Ok(reached)) => reached,
        Ok(Err(error)) => return protocol.reply_error(&reply(&error)).await,
        Err(_) => return protocol.reply_error(&ReplyError::ConnectionTimeout).await,
    };
    let _ = reached.set_nodelay(true);
    let local = reached.local_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
    let stream = protocol.reply_success(local).await?;
    let _ = pipe(stream, reached).await;
    Ok(())
}

/// Whether a resolver will look this up. It would take `127.1`, `2130706433`, `0x7f000001` and `::1` for addresses;
/// no name of the public DNS ends in a label that begins with a digit.
fn is_domain_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let last = name.strip_suffix('.').unwrap_or(name).rsplit('.').next().unwrap_or_default();
    name.bytes().all(allowed) && last.starts_with(|first: char| first.is_ascii_alphabetic())
}

fn reply(error: &io::Error) -> ReplyError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ReplyError::ConnectionRefused,
        io::ErrorKind::NetworkUnreachable => ReplyError::NetworkUnreachable,
        io::ErrorKind::TimedOut => ReplyError::ConnectionTimeout,
        // A name that does not resolve has no kind of its own.
        _ => ReplyError::HostUnreachable,
    }
}
