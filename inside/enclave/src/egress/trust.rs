//! What a peer's certificate must be. Path building, names and dates are webpki's in every case; a pin only decides which
//! certificate of the presented chain is the root for this connection.

use std::sync::Arc;

use adyton_ledger::sha256;
use adyton_policy::Trust;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// TLS 1.3 towards a peer, under its trust; `None` if that is not usable.
pub(super) fn client(trust: &Trust) -> Option<ClientConfig> {
    let provider = crate::identity::provider();
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13]).ok()?;
    let mut roots = RootCertStore::empty();
    match trust {
        Trust::Ca(der) => roots.add(CertificateDer::from(der.clone())).ok()?,
        Trust::PublicRoots => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Trust::SpkiSha256(hash) => return Some(pinned(builder, Pin::Key(*hash), provider)),
        Trust::CaSha256(hash) => return Some(pinned(builder, Pin::Certificate(*hash), provider)),
    }
    Some(builder.with_root_certificates(roots).with_no_client_auth())
}

fn pinned(
    builder: rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>,
    pin: Pin,
    provider: Arc<CryptoProvider>,
) -> ClientConfig {
    let verifier = Arc::new(Pinned { pin, provider });
    builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
}

/// Which certificate of the presented chain is the root.
#[derive(Debug)]
enum Pin {
    /// The one whose SubjectPublicKeyInfo has this SHA-256.
    Key([u8; 32]),
    /// The one that has this SHA-256.
    Certificate([u8; 32]),
}

#[derive(Debug)]
struct Pinned {
    pin: Pin,
    provider: Arc<CryptoProvider>,
}

impl Pinned {
    /// A store whose only root is `certificate`, if it is the pinned one. All of it is public, so `==` is fine.
    fn root(&self, certificate: &CertificateDer<'_>) -> Option<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone().into_owned()).ok()?;
        let fits = match &self.pin {
            Pin::Certificate(hash) => sha256(certificate).0 == *hash,
            Pin::Key(hash) => sha256(&sequence(&roots.roots.first()?.subject_public_key_info)).0 == *hash,
        };
        fits.then_some(roots)
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let unknown = || Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let mut presented = std::iter::once(end_entity).chain(intermediates);
        let roots = presented.find_map(|certificate| self.root(certificate)).ok_or_else(unknown)?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider));
        let verifier = verifier.build().map_err(|_| unknown())?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // TLS 1.2 is not spoken.
        Err(Error::General("TLS 1.3 only".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A DER SEQUENCE of `content`: webpki keeps a SubjectPublicKeyInfo without its outer header.
fn sequence(content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = &length[length.iter().position(|byte| *byte != 0).unwrap_or(length.len())..];
    let mut out = vec![0x30];
    match (content.len(), u8::try_from(significant.len())) {
        (0..0x80, _) => out.push(significant.first().copied().unwrap_or(0)),
        (_, Ok(count)) => {
            out.push(0x80 | count);
            out.extend_from_slice(significant);
        }
        // A length has eight bytes at the most.
        (_, Err(_)) => return Vec::new(),
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests;
