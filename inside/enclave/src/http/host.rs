//! The host that a request names must be one of the vault's own names.
//!
//! Answers carry absolute addresses, which the SDKs follow *with credentials* (`next_page_url`): they are built from the
//! request's host, so that one must be a name that our certificate carries. Another one answers 421.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::HOST;
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

    /// Whether `HOST` or `HOST:PORT` is one of ours, in the one spelling that an address is built from.
    fn has(&self, host: &str) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            // The colons of a bare IPv6 address are in brackets.
            Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
            _ => (host, None),
        };
        let well_formed = |port: &str| port.parse::<u16>().is_ok_and(|number| number.to_string() == port);
        if !port.is_none_or(well_formed) {
            return false;
        }
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        match address.parse::<IpAddr>() {
            Ok(address) => self.addresses.contains(&address),
            Err(_) => self.names.iter().any(|known| known.eq_ignore_ascii_case(name)),
        }
    }
}

/// Refuses requests to other hosts.
pub(crate) async fn check(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let mut named = request.headers().get_all(HOST).iter();
    let target = request.uri().authority();
    // A whole address in the request line counts more than the header (RFC 9112 §3.2.2): the two must agree.
    let ours = named.next().and_then(|host| host.to_str().ok());
    let ours = ours.is_some_and(|host| api.hosts.has(host) && target.is_none_or(|target| target.as_str() == host));
    // Two hosts are none.
    if ours && named.next().is_none() { next.run(request).await } else { ApiError::misdirected().into_response() }
}

/// `https://HOST` of a request that [`check`] has let through.
pub(crate) fn base(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    format!("https://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let hosts = Hosts {
            names: vec!["localhost".into(), "verify.example.com".into()],
            addresses: vec![IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])],
        };
        for host in [
            "localhost",
            "LOCALHOST:8443",
            "verify.example.com:1",
            "127.0.0.1",
            "127.0.0.1:8443",
            "[::1]:8443",
            "[::1]",
        ] {
            assert!(hosts.has(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.",
            "localhost:",
            "localhost:08443",
            "localhost:x",
            "localhost:70000",
            "127.1",
            "10.0.0.1",
            "a@localhost",
            "localhost/x",
            "verify.example.com.evil.net",
        ] {
            assert!(!hosts.has(host), "{host}");
        }
    }
}
