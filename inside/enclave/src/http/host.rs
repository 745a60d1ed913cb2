//! The host that a request names must be one of the vault's own names.
//!
//! Answers carry absolute addresses, which the SDKs follow *with credentials* (`next_page_url`): they are built from the
//! request's host, so that one must be a name that our certificate carries. Another one answers 421 (RFC 9110 §15.5.20).
//!
//! 1. a request of HTTP/1.1 without `Host`, a request with two, and one whose `Host` is no host answer 400 whatever they ask for (RFC
//!    9112 §3.2);
//! 2. where the request's target is a whole address, its authority is the host and the field is ignored, whatever it names (§3.2.2);
//! 3. otherwise the field is. An empty one is well-formed, and names no host: without a default to fall back on it is refused as
//!    another host (§3.3).
//!
//! A host has several spellings: letters of either case, a dot at the end of a name (RFC 3986 §3.2.2), a port that is empty or has
//! zeros in front (§3.2.3). They are made one here ([`HostName`]) before anything is compared or built from them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Api;
use super::answer::ApiError;

/// Names and addresses that the vault's certificates carry.
pub struct Hosts {
    names: Vec<String>,
    addresses: Vec<IpAddr>,
}

impl Hosts {
    /// Those of the policy.
    pub fn new(api: &adyton_policy::Api) -> Self {
        let names = api.names.iter().chain(&api.public_names).map(|name| name.to_ascii_lowercase()).collect();
        Self { names, addresses: api.addresses.clone() }
    }

    fn have(&self, host: &HostName) -> bool {
        match &host.name {
            Name::Address(address) => self.addresses.contains(address),
            Name::Dns(name) => self.names.contains(name),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Address(IpAddr),
    /// In lower case, without a dot at its end.
    Dns(String),
}

/// What a request calls its host, in one spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostName {
    name: Name,
    port: Option<u16>,
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Name::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
            Name::Address(IpAddr::V4(address)) => address.fmt(f)?,
            Name::Dns(name) => f.write_str(name)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl HostName {
    /// The host of a request; `None` if it is of HTTP/1.0 and names none.
    ///
    /// # Errors
    /// 400 if there is none, more than one, or none that is well-formed.
    pub(crate) fn of(head: &Parts) -> Result<Option<Self>, ApiError> {
        // 1.
        let mut given = head.headers.get_all(HOST).iter();
        let field = match (given.next(), given.next()) {
            (None, _) if head.version < Version::HTTP_11 => None,
            (None, _) => return Err(ApiError::because("Host", "it is missing; expected once (RFC 9112 section 3.2)")),
            (Some(_), Some(_)) => {
                return Err(ApiError::because("Host", "it is given twice; expected once (RFC 9112 section 3.2)"));
            }
            (Some(host), None) => {
                Some(host.to_str().ok().and_then(Self::parse).ok_or_else(|| Self::malformed("Host"))?)
            }
        };
        // 2.
        match head.uri.authority() {
            Some(target) => Self::parse(target.as_str()).map(Some).ok_or_else(|| Self::malformed("request-target")),
            // 3.
            None => Ok(field),
        }
    }

    fn malformed(name: &str) -> ApiError {
        ApiError::because(name, "expected a name or an address as the host, and a port or none")
    }

    /// Parses `uri-host [ ":" port ]` (RFC 9110 §7.2).
    fn parse(text: &str) -> Option<Self> {
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                let address = address.parse::<Ipv6Addr>().ok()?;
                (Name::Address(address.into()), if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
            }
            None => {
                let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
                // The bytes of a registered name (RFC 3986 §3.2.2).
                let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte);
                if !name.bytes().all(known) {
                    return None;
                }
                let name = name.strip_suffix('.').unwrap_or(name);
                match name.parse::<Ipv4Addr>() {
                    Ok(address) => (Name::Address(address.into()), port),
                    Err(_) => (Name::Dns(name.to_ascii_lowercase()), port),
                }
            }
        };
        let port = match port {
            None | Some("") => None,
            // `parse` alone would take a sign.
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(port.parse().ok()?),
            Some(_) => return None,
        };
        Some(Self { name, port })
    }
}

/// Refuses requests to other hosts.
pub(crate) async fn check(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let host = request.extensions().get::<HostName>().filter(|host| api.hosts.have(host));
    let Some(Ok(host)) = host.map(|host| HeaderValue::try_from(host.to_string())) else {
        return ApiError::misdirected().into_response();
    };
    // Addresses are built from the one spelling.
    request.headers_mut().insert(HOST, host);
    next.run(request).await
}

/// `https://HOST` of a request that [`check`] has let through.
pub(crate) fn base(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    format!("https://{host}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn spellings_of_one_host_are_made_one() {
        for (given, one) in [
            ("localhost", "localhost"),
            ("localhost.", "localhost"),
            ("LocalHost.:8443", "localhost:8443"),
            ("localhost:", "localhost"),
            ("localhost:08443", "localhost:8443"),
            ("127.0.0.1:8443", "127.0.0.1:8443"),
            ("127.0.0.1.", "127.0.0.1"),
            ("[::1]", "[::1]"),
            ("[0:0:0:0:0:0:0:1]:", "[::1]"),
            ("127.1", "127.1"),
            ("", ""),
        ] {
            assert_eq!(HostName::parse(given).unwrap().to_string(), one, "{given}");
        }
        for none in [
            "localhost:x",
            "localhost:+1",
            "localhost:70000",
            "localhost:1:2",
            "::1",
            "[127.0.0.1]",
            "[::1]8443",
            "[::1",
            "a@localhost",
            "localhost/x",
            "local host",
            "localh\u{f6}st",
        ] {
            assert_eq!(HostName::parse(none), None, "{none}");
        }
    }

    #[test]
    fn only_the_vaults_own_names_are_its_hosts() {
        let hosts = Hosts {
            names: vec!["localhost".into(), "verify.example.com".into()],
            addresses: vec![IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])],
        };
        let have = |host: &str| hosts.have(&HostName::parse(host).unwrap());
        for host in
            ["localhost", "LOCALHOST.:8443", "verify.example.com:1", "127.0.0.1", "127.0.0.1:8443", "[::1]:8443"]
        {
            assert!(have(host), "{host}");
        }
        for host in ["", ".", "example.com", "localhost..", "127.1", "10.0.0.1", "verify.example.com.evil.net"] {
            assert!(!have(host), "{host}");
        }
    }
}
