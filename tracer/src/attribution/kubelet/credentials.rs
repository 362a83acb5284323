//! With what a kubelet may be asked: certificates and tokens, given or found on a node.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;

use super::{
    KubeletConfig,
    settings::{Settings, read_yaml},
    tls::ClientPem,
};
use crate::attribution::proc_root;

/// Largest certificate, key or token file, bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Where a pod finds its service account's token.
const IN_CLUSTER_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
/// And its cluster's CA.
const IN_CLUSTER_CA: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
/// The kubelet's own client certificate, in `--cert-dir`; certificate and key in one file.
const KUBELET_CLIENT: &str = "kubelet-client-current.pem";
/// The default of `--cert-dir`.
const CERT_DIR: &str = "/var/lib/kubelet/pki";
/// Certificates that API servers use towards kubelets, without their `.crt` and `.key`: kubeadm, k3s, rke2.
const API_SERVER_CLIENTS: [&str; 3] = [
    "/etc/kubernetes/pki/apiserver-kubelet-client",
    "/var/lib/rancher/k3s/server/tls/client-kube-apiserver",
    "/var/lib/rancher/rke2/server/tls/client-kube-apiserver",
];

/// Something to try, not read yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Candidate {
    /// Certificate and key files below a root.
    Files(PathBuf, PathBuf, PathBuf),
    /// The user of a kubeconfig below a root.
    Kubeconfig(PathBuf, PathBuf),
    /// A file with a bearer token, of our own view.
    TokenFile(PathBuf),
    /// Nothing: kubelets with `--anonymous-auth` answer.
    Anonymous,
}

/// What a candidate holds.
#[derive(Clone, Default)]
pub struct Credential {
    /// Certificate and key.
    pub client: Option<ClientPem>,
    /// Bearer token.
    pub token: Option<String>,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(_, path, _) | Self::Kubeconfig(_, path) | Self::TokenFile(path) => path.display().fmt(f),
            Self::Anonymous => f.write_str("no credentials"),
        }
    }
}

/// What to try, in this order: what was given, or, if nothing was, what nodes usually have.
pub fn candidates(config: &KubeletConfig, settings: &Settings, pid: Option<u32>) -> Vec<Candidate> {
    let ours = PathBuf::from("/");
    let mut given = Vec::new();
    if let (Some(certificate), key) = (&config.client_certificate, &config.client_key) {
        let key = key.as_ref().unwrap_or(certificate);
        given.push(Candidate::Files(ours.clone(), certificate.clone(), key.clone()));
    }
    given.extend(config.token_file.clone().map(Candidate::TokenFile));
    if !given.is_empty() {
        return given;
    }
    let root = proc_root::root_of(pid);
    let own = settings.cert_dir.as_deref().unwrap_or(Path::new(CERT_DIR)).join(KUBELET_CLIENT);
    let mut usual: Vec<Candidate> = API_SERVER_CLIENTS
        .iter()
        .map(|stem| Candidate::Files(root.clone(), format!("{stem}.crt").into(), format!("{stem}.key").into()))
        .collect();
    usual.push(Candidate::TokenFile(IN_CLUSTER_TOKEN.into()));
    usual.extend(settings.kubeconfig.clone().map(|path| Candidate::Kubeconfig(root.clone(), path)));
    usual.push(Candidate::Files(root, own.clone(), own));
    usual.retain(Candidate::exists);
    usual.push(Candidate::Anonymous);
    usual
}

impl Candidate {
    /// Whether its file is there.
    fn exists(&self) -> bool {
        let is_file = |root: &Path, path| proc_root::resolve(root, path).is_ok_and(|path| path.is_file());
        match self {
            Self::Files(root, path, _) | Self::Kubeconfig(root, path) => is_file(root, path),
            Self::TokenFile(path) => is_file(Path::new("/"), path),
            Self::Anonymous => true,
        }
    }

    /// The CA that comes with it.
    pub fn own_ca(&self) -> Option<&'static Path> {
        (*self == Self::TokenFile(IN_CLUSTER_TOKEN.into())).then_some(Path::new(IN_CLUSTER_CA))
    }

    /// Reads it; errors name the file.
    pub fn load(&self) -> Result<Credential, String> {
        match self {
            Self::Files(root, certificates, key) => {
                let client = ClientPem { certificates: read(root, certificates)?, key: read(root, key)? };
                Ok(Credential { client: Some(client), token: None })
            }
            Self::Kubeconfig(root, path) => kubeconfig_user(root, path),
            Self::TokenFile(path) => Ok(Credential { client: None, token: Some(token(Path::new("/"), path)?) }),
            Self::Anonymous => Ok(Credential::default()),
        }
    }
}

/// A file of credentials; the error names it.
pub fn read(root: &Path, path: &Path) -> Result<Vec<u8>, String> {
    proc_root::read(root, path, MAX_FILE_BYTES).map_err(|error| format!("{}: {error}", path.display()))
}

fn token(root: &Path, path: &Path) -> Result<String, String> {
    let text = String::from_utf8(read(root, path)?).map_err(|_| format!("{}: not text", path.display()))?;
    let text = text.trim();
    if text.is_empty() { Err(format!("{}: empty", path.display())) } else { Ok(text.to_owned()) }
}

/// k8s.io/client-go/tools/clientcmd/api/v1: what a kubelet's kubeconfig uses of it.
#[derive(Deserialize)]
struct Kubeconfig {
    #[serde(default)]
    users: Vec<NamedUser>,
}

#[derive(Deserialize)]
struct NamedUser {
    #[serde(default)]
    user: User,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct User {
    client_certificate: Option<PathBuf>,
    client_certificate_data: Option<String>,
    client_key: Option<PathBuf>,
    client_key_data: Option<String>,
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<PathBuf>,
}

/// The first user; a kubelet's kubeconfig has one.
fn kubeconfig_user(root: &Path, path: &Path) -> Result<Credential, String> {
    let config: Kubeconfig = read_yaml(root, path)?;
    let named = |why: &str| format!("{}: {why}", path.display());
    let user = config.users.into_iter().next().ok_or_else(|| named("no users"))?.user;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let bytes = |data: Option<String>, file: Option<PathBuf>| match (data, file) {
        (Some(data), _) => BASE64_STANDARD.decode(data.trim()).map(Some).map_err(|_| named("data that is no base64")),
        (None, Some(file)) => read(root, &folder.join(file)).map(Some),
        (None, None) => Ok(None),
    };
    let certificates = bytes(user.client_certificate_data, user.client_certificate)?;
    let key = bytes(user.client_key_data, user.client_key)?;
    let client =
        certificates.map(|certificates| ClientPem { key: key.unwrap_or_else(|| certificates.clone()), certificates });
    let token = match (user.token, user.token_file) {
        (Some(token), _) => Some(token),
        (None, Some(file)) => Some(token(root, &folder.join(file))?),
        (None, None) => None,
    };
    if client.is_none() && token.is_none() {
        Err(named("its user has no certificate and no token"))
    } else {
        Ok(Credential { client, token })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_excludes_what_is_found() {
        let config = KubeletConfig { token_file: Some("/t".into()), ..KubeletConfig::default() };
        assert_eq!(candidates(&config, &Settings::default(), Some(7)), [Candidate::TokenFile("/t".into())]);
        let cert_dir = std::env::temp_dir().join(format!("probetrace-{}-certs", std::process::id()));
        std::fs::create_dir_all(&cert_dir).unwrap();
        let settings = Settings { cert_dir: Some(cert_dir.clone()), ..Settings::default() };
        let own = cert_dir.join(KUBELET_CLIENT);
        let root = PathBuf::from(format!("/proc/{}/root", std::process::id()));
        let own = Candidate::Files(root, own.clone(), own);
        let find = || candidates(&KubeletConfig::default(), &settings, Some(std::process::id()));
        assert!(!find().contains(&own), "only files that are there are tried");
        std::fs::write(cert_dir.join(KUBELET_CLIENT), "").unwrap();
        assert_eq!(find()[find().len() - 2..], [own, Candidate::Anonymous]);
        std::fs::remove_dir_all(cert_dir).unwrap();
    }

    #[test]
    fn kubeconfigs_by_file_data_and_token() {
        let root = std::env::temp_dir().join(format!("probetrace-{}-kubeconfig", std::process::id()));
        std::fs::create_dir_all(root.join("k")).unwrap();
        std::fs::write(root.join("k/c.pem"), "PEM").unwrap();
        let load = |user: &str| {
            std::fs::write(root.join("k/conf"), format!("kind: Config\nusers:\n- name: x\n  user: {user}\n")).unwrap();
            Candidate::Kubeconfig(root.clone(), "/k/conf".into()).load()
        };
        let one_file = load("{client-certificate: c.pem, client-key: /k/c.pem}").unwrap().client.unwrap();
        assert_eq!((one_file.certificates.as_slice(), one_file.key.as_slice()), (&b"PEM"[..], &b"PEM"[..]));
        let data = load("{client-certificate-data: UEVN, client-key-data: S0VZ}").unwrap().client.unwrap();
        assert_eq!(data.key, b"KEY");
        assert_eq!(load("{token: abc}").unwrap().token.as_deref(), Some("abc"));
        for (user, why) in [("{}", "no certificate and no token"), ("{client-certificate-data: '%'}", "base64")] {
            let error = load(user).err().unwrap();
            assert!(error.starts_with("/k/conf: ") && error.contains(why), "{error}");
        }
        std::fs::remove_dir_all(root).unwrap();
    }
}
