//! Who is trusted to sign documents.

use adyton_ledger::sha256;

/// AWS Nitro Enclaves Root-G1, as it stands at the front of every document's bundle.
const AWS: &[u8] = include_bytes!("aws-root-g1.der");

/// The root of a platform's certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    der: Vec<u8>,
    aws: bool,
}

impl Root {
    /// AWS's, for Nitro Enclaves: certificate "aws.nitro-enclaves", valid 2019-10-28 to 2049-10-28. SHA-256 of its DER is
    /// `64:1A:03:21:A3:E2:44:EF:E4:56:46:31:95:D6:06:31:7E:D7:CD:CC:3C:17:56:E0:98:93:F3:C6:8F:79:BB:5B`, which AWS publishes
    /// ("Verifying the root of trust", AWS Nitro Enclaves User Guide; `AWS_NitroEnclaves_Root-G1.zip`).
    pub fn aws() -> Self {
        Self { der: AWS.to_vec(), aws: true }
    }

    /// One that the caller names: its certificate in DER. A laptop's pretend platform has one of its own. Whoever holds its
    /// key can make any evidence, so evidence under it is worth what that is worth.
    pub fn explicit(der: Vec<u8>) -> Self {
        let aws = der == AWS;
        Self { der, aws }
    }

    /// Its certificate, DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of its certificate.
    pub fn fingerprint(&self) -> [u8; 32] {
        sha256(&self.der).0
    }

    /// Whether it is AWS's.
    pub fn is_aws(&self) -> bool {
        self.aws
    }
}
