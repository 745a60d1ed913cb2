//! The dialer: SOCKS5 by name, for the enclave only. It resolves the names that nothing inside resolves.
//!
//! The enclave asks for a name of its measured policy and then speaks TLS with the host that answers, so a wrong answer here
//! is refused inside.
//!
//! One address is dialled too, [`METADATA`], because a cloud's metadata service has no name. It gives credentials that this
//! host can have anyway.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use adyton_transport::Stream;
use fast_socks5::server::{Socks5ServerProtocol, SocksServerError};
use fast_socks5::util::target_addr::TargetAddr;
use fast_socks5::{ReplyError, Socks5Command};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::pipe;

/// Longest wait for a dial request, for a look-up with a connection, and for the answer.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// The instance metadata service of a cloud, link-local: the only address that is dialled as an address.
pub const METADATA: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), 80);

/// Names that go to a fixed address, such as a laptop's pretend carrier.
#[derive(Clone, Debug, Default)]
pub struct Routes(BTreeMap<(String, u16), SocketAddr>);

impl Routes {
    /// Adds a route; a later one of the same name and port takes its place.
    pub fn add(&mut self, route: Route) {
        self.0.insert((route.name, route.port), route.address);
    }
}

/// One name and port, and the address they go to: `NAME:PORT=IP:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    name: String,
    port: u16,
    address: SocketAddr,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}={}", self.name, self.port, self.address)
    }
}

/// The text is not `NAME:PORT=IP:PORT`, or the dialer would never be asked for that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteError;

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected NAME:PORT=IP:PORT, with a domain name")
    }
}

impl std::error::Error for RouteError {}

impl FromStr for Route {
    type Err = RouteError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (from, to) = text.split_once('=').ok_or(RouteError)?;
        let (name, port) = from.rsplit_once(':').ok_or(RouteError)?;
        if !is_domain_name(name) && from != METADATA.to_string() {
            return Err(RouteError);
        }
        Ok(Self {
            name: name.to_ascii_lowercase(),
            port: port.parse().map_err(|_| RouteError)?,
            address: to.parse().map_err(|_| RouteError)?,
        })
    }
}

/// Serves one outbound connection from first SOCKS byte to last.
pub(crate) async fn dial(stream: Stream, routes: &Routes) -> Result<(), SocksServerError> {
    let asked = async { Socks5ServerProtocol::accept_no_auth(stream).await?.read_command().await };
    let Ok(asked) = timeout(DIAL_TIMEOUT, asked).await else { return Ok(()) };
    let (protocol, command, target) = asked?;
    if command != Socks5Command::TCPConnect {
        return protocol.reply_error(&ReplyError::CommandNotSupported).await;
    }
    // Names only: an address would be a way around the policy's list of names.
    let (name, port) = match target {
        TargetAddr::Domain(name, port) if is_domain_name(&name) => (name.to_ascii_lowercase(), port),
        TargetAddr::Ip(address) if address == METADATA => (address.ip().to_string(), address.port()),
        _ => return protocol.reply_error(&ReplyError::AddressTypeNotSupported).await,
    };
    let target = (name, port);
    let connect = async {
        match routes.0.get(&target) {
            Some(address) => TcpStream::connect(address).await,
            None => TcpStream::connect((&target.0[..], port)).await,
        }
    };
    let reached = match timeout(DIAL_TIMEOUT, connect).await {
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

/// Whether a resolver will look this up: the only targets that the dialer takes. It would take `127.1`, `2130706433`,
/// `0x7f000001` and `::1` for addresses; no name of the public DNS ends in a label that begins with a digit.
pub fn is_domain_name(name: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_a_route() {
        let route: Result<Route, _> = "169.254.169.254:80=127.0.0.1:8080".parse();
        assert_eq!(route.map(|route| route.to_string()).as_deref(), Ok("169.254.169.254:80=127.0.0.1:8080"));
        for refused in ["169.254.169.254:81", "169.254.169.253:80", "169.254.169.254.:80", "169.254.43518:80"] {
            assert_eq!(format!("{refused}=127.0.0.1:1").parse::<Route>(), Err(RouteError), "{refused}");
        }
    }

    #[test]
    fn a_route_is_for_a_name_that_the_dialer_takes() {
        let route: Result<Route, _> = "Carrier.invalid:443=127.0.0.1:8443".parse();
        assert_eq!(
            route.map(|route| route.to_string()).as_deref(),
            Ok("carrier.invalid:443=127.0.0.1:8443"),
            "names are compared in lower case"
        );
        for refused in
            ["", "nonsense", "carrier.invalid=127.0.0.1:1", ":443=127.0.0.1:1", "127.1:443=127.0.0.1:1", "a:1=b:1"]
        {
            assert_eq!(refused.parse::<Route>(), Err(RouteError), "{refused}");
        }
    }
}
