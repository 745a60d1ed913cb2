//! The KMS that plays AWS's answers nobody without a signature. What it answers the others is tested from outside, with AWS's own
//! library (`e2e/python/test_kms_second_opinion.py`).

use serde_json::{Value, json};

use crate::pretend::Pretend;

async fn kind(pretend: &Pretend, headers: &[(&str, &str)]) -> Value {
    let body = json!({ "KeyId": "arn:aws:kms:eu-central-1:111122223333:key/0f1e2d3c-0000-4000-8000-00112233aabb" });
    let (status, answer) = pretend.post("kms.adyton.test", "/", headers, body.to_string()).await;
    assert_eq!(status, 400);
    answer["__type"].clone()
}

#[tokio::test]
async fn nobody_without_a_signature_is_answered() {
    let pretend = Pretend::start().await;
    let target = ("x-amz-target", "TrentService.DescribeKey");
    let scope = "Credential=AKIA0000000000000000/20260101/eu-central-1/kms/aws4_request";
    for (authorization, expected) in [
        ("", "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=0", "IncompleteSignatureException"),
        (&format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host"), "IncompleteSignatureException"),
        (&format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"), "UnrecognizedClientException"),
        (
            &format!("AWS4-HMAC-SHA256 {}, SignedHeaders=host, Signature=0", scope.replace("kms", "s3")),
            "IncompleteSignatureException",
        ),
    ] {
        assert_eq!(kind(&pretend, &[target, ("authorization", authorization)]).await, expected, "{authorization}");
    }
}
