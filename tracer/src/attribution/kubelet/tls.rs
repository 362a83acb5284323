//! TLS towards a kubelet: client certificate, and whom we believe.
//!
//! A kubelet's serving certificate is self-signed unless the cluster rotates it, so without a CA given any is taken:
//! what could be forged is the list of this node's own probes, by who can listen on the kubelet's port of this node.

use std::{net::IpAddr, sync::Arc};

use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};

/// A certificate chain and its key, PEM.
#[derive(Clone)]
pub struct ClientPem {
    /// The chain.
    pub certificates: Vec<u8>,
    /// The key; may be the same file.
    pub key: Vec<u8>,
}

/// A client configuration; errors are half-sentences.
pub fn client_config(ca: Option<&[u8]>, node: &str, client: Option<&ClientPem>) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let verifier = ca.map(|pem| ca_verifier(pem, Arc::clone(&provider))).transpose()?;
    let verifier = KubeletVerifier { ca: verifier, node: ServerName::try_from(node.to_owned()).ok(), algorithms };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let Some(client) = client else { return Ok(builder.with_no_client_auth()) };
    let chain = CertificateDer::pem_slice_iter(&client.certificates).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|e| format!("bad certificate: {e}"))?;
    let key = PrivateKeyDer::from_pem_slice(&client.key).map_err(|e| format!("bad key: {e}"))?;
    builder.with_client_auth_cert(chain, key).map_err(|e| format!("certificate and key don't fit: {e}"))
}

fn ca_verifier(pem: &[u8], provider: Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|e| format!("bad CA: {e}"))?;
        roots.add(certificate).map_err(|e| format!("bad CA: {e}"))?;
    }
    let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
    builder.build().map_err(|e| format!("bad CA: {e}"))
}

/// Takes a certificate of the CA for the address that we connect to or for the node's name; any without a CA.
#[derive(Debug)]
struct KubeletVerifier {
    ca: Option<Arc<WebPkiServerVerifier>>,
    node: Option<ServerName<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for KubeletVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(ca) = &self.ca else { return Ok(ServerCertVerified::assertion()) };
        let check = |name: &ServerName<'_>| ca.verify_server_cert(end_entity, intermediates, name, ocsp_response, now);
        match (check(server_name), &self.node) {
            // We reach a kubelet on all addresses by loopback, for which it has no certificate.
            (Err(Error::InvalidCertificate(e)), Some(node)) if is_name(&e) => check(node),
            (result, _) => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn is_name(error: &CertificateError) -> bool {
    matches!(error, CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. })
}

/// The name that TLS verifies; an address is never sent as SNI.
pub fn server_name(address: IpAddr) -> ServerName<'static> {
    ServerName::IpAddress(rustls::pki_types::IpAddr::from(address))
}
