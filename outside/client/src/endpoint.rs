//! Where a vault's API is.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use rustls::pki_types::ServerName;

/// An `https` address: host and port, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A DNS name or an IP address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) name: ServerName<'static>,
}

/// A text is not `https://HOST[:PORT]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointError;

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected https://HOST or https://HOST:PORT, without path, user or query")
    }
}

impl std::error::Error for EndpointError {}

impl Endpoint {
    /// What a request's `Host` says.
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == 443 { host } else { format!("{host}:{}", self.port) }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        let ip = address.ip();
        Self { host: ip.to_string(), port: address.port(), name: ServerName::IpAddress(ip.into()) }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.authority())
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let authority = text.strip_prefix("https://").ok_or(EndpointError)?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, rest) = match authority.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or(EndpointError)?,
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        let port = match rest {
            "" => 443,
            rest => {
                let digits = rest.strip_prefix(':').ok_or(EndpointError)?;
                let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
                digits.parse().ok().filter(|port| plain && *port != 0).ok_or(EndpointError)?
            }
        };
        let name = match host.parse::<IpAddr>() {
            Ok(address) => ServerName::IpAddress(address.into()),
            Err(_) => ServerName::try_from(host.to_owned()).map_err(|_| EndpointError)?,
        };
        Ok(Self { host: host.into(), port, name })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn an_address_is_host_and_port() {
        for (text, host, port, authority) in [
            ("https://vault.example.com", "vault.example.com", 443, "vault.example.com"),
            ("https://vault.example.com:8443/", "vault.example.com", 8443, "vault.example.com:8443"),
            ("https://127.0.0.1:8443", "127.0.0.1", 8443, "127.0.0.1:8443"),
            ("https://[::1]:8443", "::1", 8443, "[::1]:8443"),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!((&endpoint.host[..], endpoint.port), (host, port), "{text}");
            assert_eq!(endpoint.authority(), authority);
        }
        for text in [
            "http://vault.example.com",
            "vault.example.com",
            "https://",
            "https://a b",
            "https://vault.example.com/path",
            "https://vault.example.com:0",
            "https://vault.example.com:99999",
            "https://vault.example.com:+1",
            "https://user@vault.example.com",
            "https://[::1",
            "https://vault.example.com?x=1",
        ] {
            assert_eq!(text.parse::<Endpoint>(), Err(EndpointError), "{text}");
        }
    }
}
