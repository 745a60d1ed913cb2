//! The edge of the vault: boot, TLS, HTTP API, log writer, egress.

fn main() {}
