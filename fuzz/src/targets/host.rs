//! The dialer's names and routes: `adyton-host`.

use adyton_host::{Resource, Route, TileRequest, is_domain_name};

use crate::accepted;

pub(crate) const NAMES: &[&[u8]] = &[
    b".",
    b"..",
    b":",
    b"=",
    b"[::1]",
    b"127.0.0.1:",
    b"0x7f",
    b"2130706433",
    b"0177.1",
    b"localhost",
    b"1",
    b"\0",
    "ä".as_bytes(),
];

/// No name that the dialer takes is an address to anybody: not to Rust, and not to `inet_aton`, which resolvers ask
/// first and which takes one to four numbers, decimal, octal or hexadecimal.
pub(crate) fn domain_name(input: &[u8]) {
    let Ok(name) = str::from_utf8(input) else { return };
    if !is_domain_name(name) {
        return;
    }
    accepted();
    assert!(name.parse::<std::net::IpAddr>().is_err(), "{name:?}");
    let number = |part: &str| {
        let (digits, radix) = match part.strip_prefix("0x").or_else(|| part.strip_prefix("0X")) {
            Some(digits) => (digits, 16),
            None => (part, 10),
        };
        // glibc takes an empty hexadecimal number for 0.
        radix == 16 && digits.is_empty() || !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix))
    };
    assert!(!name.strip_suffix('.').unwrap_or(name).split('.').all(number), "{name:?}");
    assert!(name.bytes().all(|byte| byte.is_ascii_graphic() && !b"/:%@[]".contains(&byte)), "{name:?}");
}

/// A route is for a name that the dialer takes, and what it displays is the same route.
pub(crate) fn route(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let Ok(route) = text.parse::<Route>() else { return };
    accepted();
    let written = route.to_string();
    assert_eq!(written.parse(), Ok(route));
    let name = written.split(':').next().unwrap_or_default();
    let metadata = written.starts_with("169.254.169.254:80=");
    assert!((metadata || is_domain_name(name)) && name == name.to_ascii_lowercase(), "{written}");
}

/// A request for a published log has one spelling, and names a log and a resource of it.
pub(crate) fn tile_request(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let Ok(request) = text.parse::<TileRequest>() else { return };
    accepted();
    assert_eq!(request.to_string(), text);
    let (log, rest) = text.strip_prefix('/').and_then(|path| path.split_once('/')).unwrap();
    assert_eq!(log, request.log.name());
    match request.resource {
        Resource::Checkpoint => assert_eq!(rest, "checkpoint"),
        Resource::Tile(path) => assert_eq!(rest.parse(), Ok(path)),
    }
}
