//! What an attested key signs so that a TLS connection is bound to the bundle that names the key
//! (`docs/spec/09-evidence.md`, "Channel binding").

/// Label of the TLS 1.3 exporter whose 32 bytes are signed, without a context (RFC 9266).
pub const CHANNEL_EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// The protocol (ALPN) that a client offers beside HTTP if it wants the bundle's TLS key, whatever name it asks for.
pub const ATTESTED_PROTOCOL: &[u8] = b"adyton/1";

const PREFIX: &[u8; 26] = b"adyton channel binding v1\n";

/// The bytes that the bundle's log key signs for one connection.
pub fn channel_message(exporter: &[u8; 32], bundle_hash: &[u8; 32]) -> Vec<u8> {
    [&PREFIX[..], bundle_hash, exporter].concat()
}
