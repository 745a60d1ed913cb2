use adyton_enclave::hashes::{subject, token_hash};
use adyton_seal::{HmacKey, Label};
use adyton_vault::{Channel, Destination, SidKind};

use crate::{keys, reader, sid};

#[test]
fn keyed_hashes() {
    for v in reader::read(include_str!("../../../../vectors/keys.json")) {
        match v.what() {
            "token_hash" => {
                let key = HmacKey::new(&keys(&v).derive(Label::Token, &[]).unwrap());
                let hash = token_hash(&key, sid(&v, SidKind::Account, "account"), v.text("token").as_bytes());
                assert_eq!(hash, v.fixed("hash"), "{}", v.name());
            }
            "subject" => {
                let (account, service) = (sid(&v, SidKind::Account, "account"), sid(&v, SidKind::Service, "service"));
                let channel = Channel::parse(v.text("channel")).unwrap();
                let destination = Destination::parse(v.text("destination")).unwrap();
                let hash = subject(&keys(&v), account, service, channel, &destination).unwrap();
                assert_eq!(hash, v.fixed("hash"), "{}", v.name());
            }
            // Keys and codes are the crypto facade's, pseudonyms stand in the headers of sealed entries.
            "derive" | "public_keys" | "pseudonym" | "code" | "code_block" => (),
            other => panic!("{other}"),
        }
    }
}
