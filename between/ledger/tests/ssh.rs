//! SSH signatures: `vectors/ssh.json`, which OpenSSH made or verified, and what each change of one leads to.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

#[path = "../../../vectors/reader.rs"]
mod reader;

use adyton_ledger::{Signers, SignersError, SshKeyError, SshPublicKey, SshSignature, SshSignatureError};
use data_encoding::BASE64;
use reader::Vector;

fn vectors() -> Vec<Vector> {
    reader::read(include_str!("../../../vectors/ssh.json"))
}

fn vector(name: &str) -> Vector {
    vectors().into_iter().find(|v| v.name() == name).unwrap()
}

fn signature(name: &str) -> SshSignature {
    SshSignature::from_armored(vector(name).text("signature")).unwrap()
}

fn key(name: &str) -> SshPublicKey {
    vector(name).text("key").parse().unwrap()
}

fn message() -> Vec<u8> {
    vector("ed25519_sha512").text("message").into()
}

/// What a signature is refused for once its blob was changed.
fn refused(name: &str, change: impl FnOnce(&mut Vec<u8>)) -> SshSignatureError {
    let mut blob = signature(name).blob().to_vec();
    change(&mut blob);
    match SshSignature::from_blob(&blob) {
        Ok(changed) => changed.verify("adyton", &message()).map(drop).unwrap_err(),
        Err(error) => error,
    }
}

/// Where a text stands in a blob.
fn find(blob: &[u8], text: &[u8]) -> usize {
    blob.windows(text.len()).position(|window| window == text).unwrap()
}

#[test]
fn what_openssh_signs_verifies_and_the_rest_is_refused_for_its_reason() {
    for v in vectors() {
        let result = SshSignature::from_armored(v.text("signature"));
        let result = result.and_then(|read| {
            let key = read.verify("adyton", v.text("message").as_bytes())?.clone();
            assert_eq!(Ok(&key), v.text("key").parse().as_ref());
            assert_eq!(SshSignature::from_blob(read.blob()).as_ref(), Ok(&read));
            Ok(key)
        });
        match result {
            Err(SshSignatureError::Key(error)) => {
                assert_eq!(format!("{error:?}"), v.text("refusal"), "{}", v.name());
                assert_eq!(v.text("key").parse::<SshPublicKey>(), Err(error), "{}", v.name());
            }
            result => drop(v.settle(result)),
        }
    }
}

#[test]
fn another_message_or_key_is_not_what_was_signed() {
    for name in ["ed25519_sha512", "ed25519_sha256", "ecdsa_sha512", "ecdsa_sha256", "sk_ed25519", "sk_ecdsa"] {
        let signature = signature(name);
        assert_eq!(signature.verify("adyton", b"another"), Err(SshSignatureError::Signature), "{name}");
        assert_eq!(signature.verify("file", &message()), Err(SshSignatureError::Namespace), "{name}");
        let own = key(name).blob().to_vec();
        let other_key = refused(name, |blob| {
            // The last byte of the key's 32, or of its point: the application of a hardware key stands behind it.
            let last = if name.starts_with("sk") { own.len() - 9 } else { own.len() - 1 };
            let at = find(blob, &own) + last;
            blob[at] ^= 1;
        });
        assert_eq!(other_key, SshSignatureError::Signature, "{name}");
    }
}

#[test]
fn flags_and_counter_of_a_hardware_key_are_signed() {
    for name in ["sk_ed25519", "sk_ecdsa"] {
        for from_the_end in 1..=4 {
            let counter = refused(name, |blob| {
                let at = blob.len() - from_the_end;
                blob[at] ^= 0x80;
            });
            assert_eq!(counter, SshSignatureError::Signature, "{name}");
        }
        let verified = refused(name, |blob| {
            let at = blob.len() - 5;
            blob[at] |= 4;
        });
        assert_eq!(verified, SshSignatureError::Signature, "{name}");
        let absent = refused(name, |blob| {
            let at = blob.len() - 5;
            blob[at] = 0;
        });
        assert_eq!(absent, SshSignatureError::NobodyPresent, "{name}");
    }
}

#[test]
fn every_cut_and_every_byte_more_is_refused() {
    for v in vectors().iter().filter(|v| !v.is_refused()) {
        let blob = signature(v.name()).blob().to_vec();
        for length in 0..blob.len() {
            assert_eq!(SshSignature::from_blob(&blob[..length]), Err(SshSignatureError::Form), "{} {length}", v.name());
        }
        assert_eq!(refused(v.name(), |blob| blob.push(0)), SshSignatureError::Form);
        let key = key(v.name());
        for length in 0..key.blob().len() {
            assert_eq!(SshPublicKey::from_blob(&key.blob()[..length]), Err(SshKeyError::Form), "{} {length}", v.name());
        }
        let longer = [key.blob(), &[0]].concat();
        assert_eq!(SshPublicKey::from_blob(&longer), Err(SshKeyError::Form));
    }
}

#[test]
fn version_hash_and_type_are_the_ones_of_the_page() {
    let name = "ed25519_sha512";
    assert_eq!(refused(name, |blob| blob[9] = 2), SshSignatureError::Version { got: 2 });
    let of = |text: &'static [u8], to: &'static [u8]| {
        move |blob: &mut Vec<u8>| {
            let at = find(blob, text);
            blob[at..at + to.len()].copy_from_slice(to);
        }
    };
    assert_eq!(refused(name, of(b"sha512", b"sha384")), SshSignatureError::Hash);
    assert_eq!(refused(name, of(b"sha512", b"sha256")), SshSignatureError::Signature);
    let reserved = |blob: &mut Vec<u8>| {
        let at = find(blob, b"sha512") - 8;
        blob.splice(at..at + 4, [0, 0, 0, 1, b'x']);
    };
    assert_eq!(refused(name, reserved), SshSignatureError::Form);
    let algorithm = |blob: &mut Vec<u8>| {
        let at = blob.len() - 64 - 4 - 1;
        blob[at] ^= 1;
    };
    assert_eq!(refused(name, algorithm), SshSignatureError::Algorithm);
}

#[test]
fn numbers_of_an_ecdsa_signature_have_one_form() {
    let blob = signature("ecdsa_sha512").blob().to_vec();
    // r begins behind two lengths and the type; whatever it is, a zero more in front is another form of it.
    let at = blob.len() - {
        let tail = find(&blob, b"sha512") + 6 + 4 + 4 + 19 + 4;
        blob.len() - tail
    };
    let length = usize::try_from(u32::from_be_bytes(blob[at..at + 4].try_into().unwrap())).unwrap();
    let rewritten = |r: &[u8]| {
        let mut out = blob[..at].to_vec();
        out.extend_from_slice(&u32::try_from(r.len()).unwrap().to_be_bytes());
        out.extend_from_slice(r);
        out.extend_from_slice(&blob[at + 4 + length..]);
        // The two lengths in front of it.
        let raw = u32::try_from(out.len() - at).unwrap();
        out[at - 4..at].copy_from_slice(&raw.to_be_bytes());
        let whole = raw + 4 + 19 + 4;
        let outer = at - 4 - 19 - 4 - 4;
        out[outer..outer + 4].copy_from_slice(&whole.to_be_bytes());
        SshSignature::from_blob(&out).and_then(|changed| changed.verify("adyton", &message()).map(drop))
    };
    let r = &blob[at + 4..at + 4 + length];
    assert_eq!(rewritten(r), Ok(()));
    assert_eq!(rewritten(&[1]), Err(SshSignatureError::Signature));
    for other in [[&[0], r].concat(), vec![], vec![0], vec![0x80], vec![0, 1], [&[1; 33][..]].concat()] {
        assert_eq!(rewritten(&other), Err(SshSignatureError::Form), "{other:?}");
    }
}

#[test]
fn armor_has_one_form() {
    let armored = vector("ed25519_sha512").text("signature").to_owned();
    let refused = |text: String| SshSignature::from_armored(&text).unwrap_err();
    assert!(SshSignature::from_armored(armored.trim_end()).is_ok());
    for other in [
        String::new(),
        armored.replace('\n', "\r\n"),
        armored.replace("BEGIN SSH", "BEGIN PGP"),
        armored.replace("-----\n", "-----\n\n"),
        format!("{armored}\n"),
        format!(" {armored}"),
        armored.lines().take(3).collect::<Vec<_>>().join("\n"),
        armored.replace("\n-----END", " \n-----END"),
        armored.replace("\n-----END", "\nZg==\n-----END"),
        armored.replace("U1NI", &"U1NI".repeat(20)),
    ] {
        assert_eq!(refused(other.clone()), SshSignatureError::Armor, "{other}");
    }
}

#[test]
fn a_key_has_one_line_and_one_spelling() {
    let key = key("ed25519_sha512");
    let line = key.to_string();
    assert_eq!(line.parse(), Ok(key.clone()));
    for same in [format!("{line}\n"), format!("{line} a comment of several words"), format!("{line} ")] {
        assert_eq!(same.parse(), Ok(key.clone()), "{same:?}");
    }
    let base64 = BASE64.encode(key.blob());
    for other in [
        String::new(),
        base64.clone(),
        format!("ssh-ed25519  {base64}"),
        format!("restrict {line}"),
        format!("sk-ssh-ed25519@openssh.com {base64}"),
        format!("{line}\n{line}"),
        format!("{line}\tcomment"),
        format!("ssh-ed25519 {base64}AAAA=="),
    ] {
        assert_eq!(other.parse::<SshPublicKey>(), Err(SshKeyError::Text), "{other:?}");
    }
    let compressed = vector("ecdsa_sha512").text("key").parse::<SshPublicKey>().unwrap().blob().to_vec();
    let mut compressed = compressed;
    let at = compressed.len() - 65;
    compressed[at] = 2;
    assert_eq!(SshPublicKey::from_blob(&compressed), Err(SshKeyError::Point));
}

#[test]
fn each_signer_signs_once() {
    let names = ["ed25519_sha512", "ecdsa_sha512", "sk_ed25519"];
    let signers = |threshold| Signers::new(names.map(key), threshold).unwrap();
    let all = names.map(signature);
    for threshold in 1..=3 {
        assert_eq!(signers(threshold).verify(&message(), &all), Ok(()));
    }
    // The same key by two different signatures.
    let twice = [signature("ed25519_sha512"), signature("ed25519_sha256"), signature("ed25519_sha512")];
    assert_eq!(signers(1).verify(&message(), &twice), Err(SignersError::Twice));
    // Before any is verified, so one request costs no more than one check for each signer.
    let copies = vec![all[0].clone(); 32];
    assert_eq!(signers(1).verify(b"another", &copies), Err(SignersError::Twice));
    assert_eq!(signers(3).verify(&message(), &all[..2]), Err(SignersError::Threshold { expected: 3, got: 2 }));
    assert_eq!(signers(1).verify(&message(), &[]), Err(SignersError::Count));
    assert_eq!(signers(1).verify(&message(), &vec![all[0].clone(); 33]), Err(SignersError::Count));
    // Enough good ones do not carry one that is not.
    let stranger = [all[0].clone(), signature("sk_ecdsa")];
    assert_eq!(signers(1).verify(&message(), &stranger), Err(SignersError::Stranger));
    let wrong = Err(SignersError::Signature(SshSignatureError::Signature));
    assert_eq!(signers(1).verify(b"another", &all), wrong);
}

#[test]
fn a_threshold_is_one_that_different_keys_can_reach() {
    let one = key("ed25519_sha512");
    assert!(Signers::new([one.clone()], 0).is_none());
    assert!(Signers::new([one.clone(), one.clone()], 2).is_none());
    assert!(Signers::new([one.clone(), one], 1).is_some());
    assert!(Signers::new([], 1).is_none());
}
