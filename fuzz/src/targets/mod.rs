//! The targets, by crate. A new parser gets a target here and a folder in `fuzz/corpus`.

mod attest;
mod enclave;
mod frame;
mod host;
mod image;
mod ledger;
mod message;
mod seal;
mod sealed;
mod smtp;
mod vault;
mod wire;

use crate::Target;

/// Every target.
pub const TARGETS: &[Target] = &[
    // between/wire
    Target { name: "reader", run: wire::reader, dictionary: wire::DICTIONARY },
    // between/frame, between/transport
    Target { name: "frame", run: frame::frame, dictionary: frame::DICTIONARY },
    Target { name: "frame_append", run: frame::frame_append, dictionary: frame::DICTIONARY },
    Target { name: "frame_stream", run: frame::frame_stream, dictionary: frame::DICTIONARY },
    Target { name: "address", run: frame::address, dictionary: frame::ADDRESSES },
    // between/ledger
    Target { name: "entry", run: ledger::entry, dictionary: ledger::DICTIONARY },
    Target { name: "gov_record", run: ledger::gov_record, dictionary: ledger::DICTIONARY },
    Target { name: "head", run: ledger::head, dictionary: ledger::NOTES },
    Target { name: "frontier", run: ledger::frontier, dictionary: ledger::DICTIONARY },
    Target { name: "proof", run: ledger::proof, dictionary: ledger::DICTIONARY },
    Target { name: "tile_path", run: ledger::tile_path, dictionary: ledger::TILES },
    Target { name: "vault_id", run: ledger::vault_id, dictionary: ledger::DICTIONARY },
    Target { name: "ssh_key", run: ledger::ssh_key, dictionary: ledger::SSH },
    Target { name: "ssh_signature", run: ledger::ssh_signature, dictionary: ledger::SSH },
    // between/attest
    Target { name: "bundle", run: attest::bundle, dictionary: attest::DICTIONARY },
    Target { name: "evidence", run: attest::evidence, dictionary: attest::CBOR },
    // between/seal
    Target { name: "sealed_value", run: seal::sealed_value, dictionary: seal::DICTIONARY },
    Target { name: "kms_envelope", run: seal::kms_envelope, dictionary: seal::BER },
    Target { name: "code", run: seal::code, dictionary: seal::DIGITS },
    // inside/vault
    Target { name: "event", run: vault::event, dictionary: vault::DICTIONARY },
    Target { name: "apply", run: vault::apply, dictionary: vault::DICTIONARY },
    Target { name: "state", run: vault::state, dictionary: vault::DICTIONARY },
    Target { name: "sid", run: vault::sid, dictionary: vault::SIDS },
    Target { name: "destination", run: vault::destination, dictionary: seal::DIGITS },
    Target { name: "locale", run: message::locale, dictionary: message::TAGS },
    Target { name: "app_hash", run: message::app_hash, dictionary: message::BASE64 },
    Target { name: "service_name", run: message::service_name, dictionary: message::NAMES },
    Target { name: "web_otp_domain", run: message::web_otp_domain, dictionary: message::NAMES },
    // inside/enclave
    Target { name: "manifest", run: sealed::manifest, dictionary: sealed::DICTIONARY },
    Target { name: "entry_body", run: sealed::entry_body, dictionary: sealed::DICTIONARY },
    Target { name: "snapshot", run: sealed::snapshot, dictionary: sealed::DICTIONARY },
    Target { name: "key_policy", run: enclave::key_policy, dictionary: enclave::KEY_POLICIES },
    Target { name: "policy", run: enclave::policy, dictionary: enclave::TOML },
    Target { name: "certificate_chain", run: enclave::certificate_chain, dictionary: enclave::TOML },
    Target { name: "form", run: enclave::form, dictionary: enclave::FORMS },
    Target { name: "basic_credentials", run: enclave::basic_credentials, dictionary: enclave::HEADERS },
    Target { name: "tenant_request", run: enclave::tenant_request, dictionary: enclave::JSON },
    Target { name: "signed_request", run: enclave::signed_request, dictionary: enclave::JSON },
    Target { name: "keys_request", run: enclave::keys_request, dictionary: enclave::JSON },
    Target { name: "loosening_request", run: enclave::loosening_request, dictionary: enclave::JSON },
    Target { name: "smtp_reply", run: smtp::reply, dictionary: smtp::REPLIES },
    // outside/host
    Target { name: "domain_name", run: host::domain_name, dictionary: host::NAMES },
    Target { name: "route", run: host::route, dictionary: host::NAMES },
    Target { name: "tile_request", run: host::tile_request, dictionary: ledger::TILES },
    // outside/image
    Target { name: "eif", run: image::eif, dictionary: image::DICTIONARY },
    Target { name: "ramdisk", run: image::ramdisk, dictionary: image::ARCHIVES },
    Target { name: "image_signature", run: image::image_signature, dictionary: image::CBOR },
];
