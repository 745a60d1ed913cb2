#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use adyton_policy::Trust;

use super::*;
use crate::egress::AnswerBudget;

const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/0f1e2d3c-0000-4000-8000-00112233aabb";

fn kms() -> Kms {
    let service = Address::Unix("host.sock".into());
    let endpoint =
        Endpoint::new("kms.adyton.test", 443, &Trust::PublicRoots, service.clone(), AnswerBudget::KMS).unwrap();
    Kms::new(endpoint, service, KeyArn::parse(KEY).unwrap())
}

/// The recipient of the vectors, an envelope to it and one to another.
fn vectors() -> (KmsRecipientKey, String, String) {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("../../../../../vectors/kms_envelopes.json")).unwrap();
    let find = |name: &str| vectors.iter().find(|v| v["name"] == name).unwrap();
    let hex = |v: &Value, field: &str| HEXLOWER.decode(v[field].as_str().unwrap().as_bytes()).unwrap();
    let good = find("content_in_one_piece");
    let recipient = KmsRecipientKey::from_pkcs8(&hex(good, "private_key")).unwrap();
    let envelope = |name| BASE64.encode(&hex(find(name), "envelope"));
    (recipient, envelope("content_in_one_piece"), envelope("fail_another_recipient"))
}

#[test]
fn an_answer_is_of_this_key_and_sealed() {
    let (recipient, ours, theirs) = vectors();
    let answered = |answer: Value| {
        let answered = kms().answered(answer.to_string().as_bytes(), &recipient);
        answered.map(|(_, ciphertext)| ciphertext).map_err(|error| error.to_string())
    };
    let good = json!({ "KeyId": KEY, "CiphertextForRecipient": ours, "CiphertextBlob": "AAAA" });
    assert_eq!(answered(good.clone()), Ok(Some("AAAA".into())));
    let changed = |name: &str, value: Value| {
        let mut changed = good.clone();
        changed[name] = value;
        answered(changed)
    };
    assert!(changed("Plaintext", Value::Null).is_ok() && changed("Plaintext", "".into()).is_ok());
    let in_the_clear = Err("the KMS's answer holds the secret in the clear".to_owned());
    assert_eq!(changed("Plaintext", "AAAA".into()), in_the_clear);
    let opaque = Err("the KMS's answer does not open".to_owned());
    for (name, value) in [
        ("KeyId", json!(KEY.replace("aabb", "aabc"))),
        ("KeyId", json!("alias/adyton")),
        ("CiphertextForRecipient", Value::Null),
        ("CiphertextForRecipient", json!("")),
        ("CiphertextForRecipient", json!("not base64")),
        ("CiphertextForRecipient", json!(theirs)),
    ] {
        assert_eq!(changed(name, value), opaque, "{name}");
    }
    assert_eq!(answered(json!([])), opaque);
}

#[test]
fn a_request_names_key_genesis_and_recipient() {
    let request = kms().request(&[7; 32], b"document");
    let expected = json!({
        "KeyId": KEY,
        "EncryptionContext": { "adyton-genesis": "07".repeat(32) },
        "Recipient": { "AttestationDocument": "ZG9jdW1lbnQ=", "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256" },
    });
    assert_eq!(request, expected);
}

#[test]
fn refusals_are_names_that_are_known() {
    let named = |kind: &str| refusal(json!({ "__type": kind, "message": "free text" }).to_string().as_bytes());
    assert_eq!(named("AccessDeniedException"), "AccessDeniedException");
    assert_eq!(named("com.amazonaws.kms#NotFoundException"), "NotFoundException");
    assert_eq!((named("a secret"), refusal(b"<html>")), ("", ""));
}

/// A document with these registers; nobody checks one's own platform's signature.
fn document(pcrs: &[(u8, [u8; 48])]) -> Vec<u8> {
    use ciborium::Value as Cbor;
    let text = |text: &str| Cbor::Text(text.into());
    let pcrs = pcrs.iter().map(|(number, pcr)| (Cbor::from(*number), Cbor::Bytes(pcr.to_vec()))).collect();
    let members = vec![
        (text("module_id"), text("i-test")),
        (text("digest"), text("SHA384")),
        (text("timestamp"), Cbor::from(1)),
        (text("pcrs"), Cbor::Map(pcrs)),
        (text("certificate"), Cbor::Bytes(vec![1])),
        (text("cabundle"), Cbor::Array(vec![Cbor::Bytes(vec![1])])),
    ];
    let encode = |value: &Cbor| {
        let mut out = Vec::new();
        ciborium::into_writer(value, &mut out).unwrap();
        out
    };
    let payload = encode(&Cbor::Map(members));
    encode(&Cbor::Array(vec![
        Cbor::Bytes(vec![0xA1, 0x01, 0x38, 0x22]),
        Cbor::Map(vec![]),
        Cbor::Bytes(payload),
        Cbor::Bytes(vec![0; 96]),
    ]))
}

#[test]
fn zeros_and_missing_registers_refuse() {
    let good = [(0, [1; 48]), (1, [2; 48]), (2, [3; 48]), (16, [4; 48])];
    let all = Pins::new(&[1; 48], &[4; 48]).with_register(1, &[2; 48]).with_register(2, &[3; 48]);
    assert_eq!(pins(&document(&good)).unwrap(), all.for_policy_in_force());
    let without = |register: u8| {
        let kept: Vec<_> = good.iter().copied().filter(|(number, _)| *number != register).collect();
        pins(&document(&kept)).unwrap_err()
    };
    let zero = |register: u8| {
        let changed = good.map(|(number, pcr)| (number, if number == register { [0; 48] } else { pcr }));
        pins(&document(&changed)).unwrap_err()
    };
    for register in 0..=2 {
        assert!(matches!(without(register), CustodyError::DebugMode), "{register}");
        assert!(matches!(zero(register), CustodyError::DebugMode), "{register}");
    }
    assert!(matches!(without(16), CustodyError::NoPolicyRegister));
    assert!(matches!(zero(16), CustodyError::NoPolicyRegister));
}

#[tokio::test]
async fn a_kms_that_does_not_end_its_answer_is_cut_off() {
    use crate::egress::played::{Begins, Flood, HTTP, NAME};
    for (first, again) in HTTP {
        let flood = Flood::start(Begins::AskedInTls, first, again);
        let endpoint = Endpoint::new(NAME, 443, &flood.trust, flood.service.clone(), AnswerBudget::KMS).unwrap();
        let kms = Kms::new(endpoint, flood.service.clone(), KeyArn::parse(KEY).unwrap());
        let credentials = Credentials {
            access_key_id: "ASIAIOSFODNN7EXAMPLE".into(),
            secret: adyton_seal::SecretText::join(&["wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"]),
            token: "token".into(),
        };
        let connection = Connection::open(&kms.endpoint).await.unwrap();
        let mut session = Session { kms: &kms, clock: &Clock::new(), credentials, connection };
        let refused = session.call("DescribeKey", &json!({})).await.unwrap_err();
        assert!(matches!(refused, CustodyError::Egress(EgressError::TooLong)), "{refused}");
        flood.assert_bounded(AnswerBudget::KMS);
    }
}
