//! The Rust SDK: speaks with a vault that has shown what it is, or with one whose operator is trusted by name.
//!
//! A connection to an attested vault is made so (`docs/spec/10-appraisal.md`):
//!
//! 1. TLS 1.3 with whoever answers, resumption off, and `adyton/1` offered (`docs/spec/09-evidence.md`), so that a vault with a
//!    public certificate shows its boot's own; the certificate's key is noted and nothing is sent but a nonce;
//! 2. evidence for that nonce, received, verified and appraised (`adyton-attest`);
//! 3. the noted key must be the one that the evidence names: the connection is pinned to it;
//! 4. the binding: an attested key's signature over this connection's TLS exporter, so that nobody sits between;
//! 5. from here on requests may leave.
//!
//! Every connection is made so anew, so a vault that was restarted, released anew or replaced is appraised again before it is
//! told anything, and a connection that has lasted for [`RECHECK`] is appraised again too.
//!
//! ```no_run
//! # use adyton_attest::{AppraisalPolicy, Root};
//! # use adyton_client::{Attestation, Client, Request, Sealer};
//! # async fn example(policy: AppraisalPolicy, path: &str, basic: [(&str, &str); 1]) -> Result<(), Box<dyn std::error::Error>> {
//! # let (account, token, body) = ("AC0123456789abcdef0123456789abcdef", b"a token", "To=%2B12025550123&Channel=sms".into());
//! let attestation = Attestation { root: Root::aws(), policy }; // policy: vault id, registers or releases, age …
//! let client = Client::attested("https://vault.example.com".parse()?, attestation);
//! let answer = client.send(&Request { method: "POST", path, headers: &basic, body }).await?;
//! let sealed = client.appraise(|vault| vault.map(|vault| Sealer::new(vault).tenant_token(account, token))).await?;
//! # let _ = (answer.status, sealed);
//! # Ok(())
//! # }
//! ```
//!
//! What it is not: [`Client::trusting_the_operator`] checks no evidence. Whoever holds a certificate of that CA, or can make
//! one, reads what is sent; the name says so on purpose, and there is no other way to get it.

mod client;
mod endpoint;
mod error;
mod key;
mod sealing;
mod session;

pub use client::{Attestation, Client, RECHECK, Request, Response};
pub use endpoint::{Endpoint, EndpointError};
pub use error::ClientError;
pub use sealing::Sealer;
