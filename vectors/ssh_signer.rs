//! Signs as `ssh-keygen -Y sign -n adyton` does, with an Ed25519 key of a test. Tests include it by path; it is part of no
//! crate.

#![allow(dead_code, reason = "each test uses the part it needs")]

use data_encoding::BASE64;

/// A key of a test: its public half, and what signs.
pub(crate) struct SshSigner<F: Fn(&[u8]) -> [u8; 64]> {
    pub(crate) public: [u8; 32],
    pub(crate) sign: F,
}

fn lp(out: &mut Vec<u8>, field: &[u8]) {
    out.extend_from_slice(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(field);
}

impl<F: Fn(&[u8]) -> [u8; 64]> SshSigner<F> {
    fn blob(&self) -> Vec<u8> {
        let mut blob = Vec::new();
        lp(&mut blob, b"ssh-ed25519");
        lp(&mut blob, &self.public);
        blob
    }

    /// The line of its `.pub` file.
    pub(crate) fn line(&self) -> String {
        format!("ssh-ed25519 {}", BASE64.encode(&self.blob()))
    }

    /// An armored signature. The caller hashes the message with SHA-256.
    pub(crate) fn armored(&self, message_hash: &[u8; 32]) -> String {
        let mut fields = Vec::new();
        [&b"adyton"[..], b"", b"sha256"].iter().for_each(|field| lp(&mut fields, field));
        let mut signed = [&b"SSHSIG"[..], &fields].concat();
        lp(&mut signed, message_hash);
        let mut signature = Vec::new();
        lp(&mut signature, b"ssh-ed25519");
        lp(&mut signature, &(self.sign)(&signed));
        let mut blob = [&b"SSHSIG"[..], &1_u32.to_be_bytes()].concat();
        lp(&mut blob, &self.blob());
        blob.extend_from_slice(&fields);
        lp(&mut blob, &signature);
        let base64 = BASE64.encode(&blob);
        let lines: Vec<&str> = (0..base64.len()).step_by(70).map(|at| &base64[at..base64.len().min(at + 70)]).collect();
        format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", lines.join("\n"))
    }
}
