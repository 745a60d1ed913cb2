//! `GET /.well-known/adyton/evidence` and `…/binding` (`docs/spec/09-evidence.md`).
//!
//! Both are answered at any host name and without credentials: a client asks before it knows whom it talks to.

use std::sync::Arc;

use adyton_api::{ChannelBinding, Evidence, NonceProof};
use adyton_attest::Platform;
use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use data_encoding::{BASE64, HEXLOWER};

use super::Api;
use super::answer::{ApiError, json};
use crate::evidence::Channel;

pub(crate) async fn fetch(State(api): State<Arc<Api>>, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let query = query.unwrap_or_default();
    let nonce = nonce(&query).ok_or_else(|| ApiError::because("nonce", "expected 64 lower-case hexadecimal digits"))?;
    let fresh = api.evidence.fresh(nonce).await?;
    let path = fresh.proof.path.iter().map(|hash| HEXLOWER.encode(hash)).collect();
    let evidence = Evidence {
        platform: Platform::AwsNitro.text().into(),
        document: (*fresh.document).into(),
        bundle: api.evidence.bundle().into(),
        nonce_proof: NonceProof { index: fresh.proof.index, count: fresh.proof.count, path },
    };
    Ok(json(StatusCode::OK, &evidence))
}

pub(crate) async fn bind(State(api): State<Arc<Api>>, Extension(channel): Extension<Channel>) -> Response {
    json(StatusCode::OK, &ChannelBinding { signature: BASE64.encode(&api.evidence.bind(&channel)) })
}

/// The one field that there is, in its one spelling.
fn nonce(query: &str) -> Option<[u8; 32]> {
    HEXLOWER.decode(query.strip_prefix("nonce=")?.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_has_one_form() {
        let hex = "0123456789abcdef".repeat(4);
        assert!(nonce(&format!("nonce={hex}")).is_some());
        for query in [
            String::new(),
            format!("nonce={}", &hex[1..]),
            format!("nonce={hex}00"),
            format!("nonce={}", hex.to_uppercase()),
            format!("nonce={hex}&nonce={hex}"),
            format!("nonce={hex}&other=1"),
            format!("Nonce={hex}"),
            format!("nonce=%20{}", &hex[1..]),
            format!("nonce=%30{}", &hex[1..]),
            format!("nonce={hex}&"),
        ] {
            assert_eq!(nonce(&query), None, "{query}");
        }
    }
}
