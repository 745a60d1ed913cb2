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
use hyper::body::Body as _;

use super::Api;
use super::answer::{ApiError, json};
use crate::evidence::{Channel, EvidenceError};

/// Largest answer: the largest document of an NSM, the largest bundle, and the path of one nonce of 4096. Each connection may have
/// one, whatever others do (docs/LIMITS.md, Memory).
const MAX_EVIDENCE_ANSWER: usize = 32 * 1024;

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
    let answer = json(StatusCode::OK, &evidence);
    // A platform whose documents are larger than any that is known has none.
    let fits = answer.body().size_hint().exact().is_some_and(|length| length <= MAX_EVIDENCE_ANSWER as u64);
    if fits { Ok(answer) } else { Err(EvidenceError::Platform.into()) }
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
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use adyton_attest::{Bundle, NotarySet};
    use adyton_nsm::MAX_ANSWER;

    use super::*;

    #[test]
    fn no_evidence_is_larger_than_its_row_of_the_memory_table() {
        let keys = (0..=254u8).map(|number| [number; 32]).collect();
        let bundle = Bundle {
            vault_id: [0xFF; 32],
            release: u64::MAX,
            policy_hash: [0xFF; 32],
            boot_id: [0xFF; 16],
            profile: 4,
            tls_key: [0xFF; 32],
            hpke_key: [0xFF; 32],
            log_key: [0xFF; 32],
            ca_key: [0xFF; 32],
            notaries: NotarySet { keys, quorum: 255 },
            reveals: (10..42).map(|number| format!("{number}{}", "z".repeat(62))).collect(),
        };
        let evidence = Evidence {
            platform: Platform::AwsNitro.text().into(),
            document: BASE64.encode(&[0xFF; MAX_ANSWER]),
            bundle: BASE64.encode(&bundle.encode().unwrap()),
            nonce_proof: NonceProof { index: 4095, count: 4096, path: vec![HEXLOWER.encode(&[0xFF; 32]); 12] },
        };
        let length = serde_json::to_vec(&evidence).unwrap().len();
        assert!((MAX_EVIDENCE_ANSWER / 2..=MAX_EVIDENCE_ANSWER).contains(&length), "{length}");
    }

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
