use adyton_enclave::hashes::{subjects, token_hash};
use adyton_enclave::public::PublicKeys;
use adyton_seal::{HmacKey, Label};
use adyton_vault::{Channel, Destination, KeyedHash, SharedSubject, SubjectSalt, Subjects, User};

use crate::{keys, reader, sid};

#[test]
fn keyed_hashes() {
    for v in reader::read(include_str!("../../../../vectors/keys.json")) {
        match v.what() {
            "token_hash" => {
                let key = HmacKey::new(&keys(&v).derive(Label::Token, &[]).unwrap());
                let hash = token_hash(&key, User::Account(sid(&v, "account")), v.text("token").as_bytes());
                assert_eq!(*hash.as_bytes(), v.fixed("hash"), "{}", v.name());
            }
            "subjects" => {
                let (account, service) = (sid(&v, "account"), sid(&v, "service"));
                let channel = Channel::parse(v.text("channel")).unwrap();
                let destination = Destination::parse(channel, v.text("destination")).unwrap();
                let salt = SubjectSalt::from_bytes(v.fixed("salt"));
                let made = subjects(&keys(&v), salt, account, service, channel, &destination).unwrap();
                let [in_service, in_tenant, prefix] = ["in_service", "in_tenant", "prefix"].map(|name| v.fixed(name));
                let shared = match channel {
                    Channel::Sms => SharedSubject::NumberBlock(KeyedHash::from_bytes(prefix)),
                    Channel::Email => SharedSubject::MailDomain(KeyedHash::from_bytes(prefix)),
                };
                let (in_service, in_tenant) = (KeyedHash::from_bytes(in_service), KeyedHash::from_bytes(in_tenant));
                assert_eq!(made, Subjects { in_service, in_tenant, shared }, "{}", v.name());
            }
            // Keys and codes are the crypto facade's.
            "sealed_public_key" => {
                let public = PublicKeys::new(&keys(&v), v.fixed("vault_id"), &[]).unwrap();
                if let Some(spki) = v.settle(public.spki(&v.hex("sealed"))) {
                    assert_eq!(spki, v.hex("spki"), "{}", v.name());
                }
            }
            "derive" | "public_keys" | "code" | "code_block" => (),
            other => panic!("{other}"),
        }
    }
}
