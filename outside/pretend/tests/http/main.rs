//! What pretend says over its sockets: the KMS and the carrier over TLS, the phone over HTTP.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod aws;
mod carrier;
mod kms;
mod phone;
mod pretend;
