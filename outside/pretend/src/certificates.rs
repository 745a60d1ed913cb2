//! The test root that signs attestation documents, and the CA of the pretend carrier and KMS.

use std::io;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, SignatureAlgorithm,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::folder::Folder;

/// Names that the pretend carriers and KMS answer to.
pub const NAMES: [&str; 3] = ["carrier.adyton.test", "kms.adyton.test", "mail.adyton.test"];

/// A CA that is kept in the folder.
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    /// DER of its certificate.
    pub certificate: Vec<u8>,
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(error)
}

fn params(name: &str, ca: bool) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    if ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    }
    params
}

impl Ca {
    fn open(folder: &Folder, file: &str, name: &str, algorithm: &'static SignatureAlgorithm) -> io::Result<Self> {
        let key = folder.read_or_make(&format!("{file}.key"), || {
            Ok(KeyPair::generate_for(algorithm).map_err(other)?.serialize_pem().into_bytes())
        })?;
        let key = KeyPair::from_pem(&String::from_utf8_lossy(&key)).map_err(other)?;
        let pem = folder.read_or_make(&format!("{file}.pem"), || {
            Ok(params(name, true).self_signed(&key).map_err(other)?.pem().into_bytes())
        })?;
        let certificate = rustls::pki_types::pem::PemObject::from_pem_slice(&pem);
        let certificate: rustls::pki_types::CertificateDer<'static> = certificate.map_err(other)?;
        Ok(Self { issuer: Issuer::new(params(name, true), key), certificate: certificate.to_vec() })
    }

    /// The root of pretend attestation documents.
    ///
    /// # Errors
    /// The file system's, or the library's.
    pub fn attestation_root(folder: &Folder) -> io::Result<Self> {
        Self::open(folder, "nsm-root", "Adyton pretend NSM root (test only)", &PKCS_ECDSA_P384_SHA384)
    }

    /// The CA of the pretend carrier and KMS.
    ///
    /// # Errors
    /// The file system's, or the library's.
    pub fn tls(folder: &Folder) -> io::Result<Self> {
        Self::open(folder, "tls-ca", "Adyton pretend CA (test only)", &PKCS_ECDSA_P256_SHA256)
    }

    /// A P-384 leaf below an intermediate, as the NSM has: its key, its DER, the intermediate's DER.
    ///
    /// # Errors
    /// The library's.
    pub fn attestation_leaf(&self) -> io::Result<(KeyPair, Vec<u8>, Vec<u8>)> {
        let between = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).map_err(other)?;
        let name = "Adyton pretend NSM zone";
        let intermediate = params(name, true).signed_by(&between, &self.issuer).map_err(other)?.der().to_vec();
        let issuer = Issuer::new(params(name, true), between);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).map_err(other)?;
        let leaf = params("Adyton pretend NSM", false).signed_by(&key, &issuer).map_err(other)?;
        let leaf = leaf.der().to_vec();
        Ok((key, leaf, intermediate))
    }

    /// TLS for the pretend carrier and KMS.
    ///
    /// # Errors
    /// The library's.
    pub fn server(&self) -> io::Result<Arc<ServerConfig>> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(other)?;
        let mut params = params("Adyton pretend carrier and KMS", false);
        for name in NAMES {
            params.subject_alt_names.push(rcgen::SanType::DnsName(name.try_into().map_err(other)?));
        }
        let leaf = params.signed_by(&key, &self.issuer).map_err(other)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(other)?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .map_err(other)?;
        Ok(Arc::new(config))
    }
}
