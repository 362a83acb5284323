//! What a kubelet's command line and configuration file say of its ports and folders.
//!
//! A flag wins over the file (cmd/kubelet/app/server.go:kubeletConfigFlagPrecedence). A distribution that runs the
//! kubelet inside another program (k3s, k0s) shows none of these flags: then the defaults hold.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
};

use serde::{Deserialize, de::DeserializeOwned};

use crate::attribution::proc_root;

/// Largest configuration file or kubeconfig, bytes.
const MAX_CONFIG_BYTES: u64 = 1 << 20;
/// pkg/cluster/ports: KubeletPort.
const DEFAULT_PORT: u16 = 10_250;
/// pkg/cluster/ports: KubeletReadOnlyPort; the default of a kubelet without `--config`.
const LEGACY_READ_ONLY_PORT: u16 = 10_255;

/// The settings that matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// https port; 10250.
    pub port: u16,
    /// http port without authentication; 0 is off.
    pub read_only_port: u16,
    /// Where to connect to: the listen address, or loopback where it is unspecified.
    pub address: IpAddr,
    /// `staticPodPath`, as the kubelet sees it.
    pub static_pod_path: Option<PathBuf>,
    /// `--kubeconfig`, as the kubelet sees it.
    pub kubeconfig: Option<PathBuf>,
    /// `--cert-dir`, as the kubelet sees it.
    pub cert_dir: Option<PathBuf>,
    /// Node name by flag.
    pub hostname_override: Option<String>,
    /// A configuration file that could not be read, for people.
    pub problem: Option<String>,
}

/// KubeletConfiguration, v1beta1.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ConfigFile {
    port: Option<u16>,
    read_only_port: Option<u16>,
    address: Option<String>,
    static_pod_path: Option<PathBuf>,
}

impl Settings {
    /// Of a running process; the defaults where its command line can't be read.
    pub fn of_process(pid: u32) -> Self {
        let cmdline = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let argv: Vec<String> = cmdline.split(|b| *b == 0).map(|a| String::from_utf8_lossy(a).into_owned()).collect();
        Self::from_argv(&argv, &proc_root::root_of(Some(pid)))
    }

    /// From a command line; paths in it are below `root`.
    pub fn from_argv(argv: &[String], root: &Path) -> Self {
        let path = |name| flag(argv, name).map(PathBuf::from);
        let number = |name| flag(argv, name).and_then(|value| value.parse::<u16>().ok());
        let mut problem = None;
        let file = match path("config") {
            None => ConfigFile { read_only_port: Some(LEGACY_READ_ONLY_PORT), ..ConfigFile::default() },
            Some(path) => read_yaml(root, &path).unwrap_or_else(|why| {
                problem = Some(why);
                ConfigFile::default()
            }),
        };
        let address = flag(argv, "address").map(str::to_owned).or(file.address);
        let address = address.and_then(|address| address.parse::<IpAddr>().ok()).filter(|a| !a.is_unspecified());
        Self {
            port: number("port").or(file.port).filter(|port| *port != 0).unwrap_or(DEFAULT_PORT),
            read_only_port: number("read-only-port").or(file.read_only_port).unwrap_or(0),
            address: address.unwrap_or(Ipv4Addr::LOCALHOST.into()),
            static_pod_path: path("pod-manifest-path").or(file.static_pod_path).filter(|p| !p.as_os_str().is_empty()),
            kubeconfig: path("kubeconfig"),
            cert_dir: path("cert-dir"),
            hostname_override: flag(argv, "hostname-override").filter(|name| !name.is_empty()).map(str::to_owned),
            problem,
        }
    }
}

impl Default for Settings {
    /// Of a kubelet of which nothing is known.
    fn default() -> Self {
        Self::from_argv(&[], Path::new("/"))
    }
}

/// The last `--name=value` or `--name value`, as pflag reads them.
fn flag<'a>(argv: &'a [String], name: &str) -> Option<&'a str> {
    let value_at = |(index, argument): (usize, &'a String)| {
        let rest = argument.strip_prefix("--")?.strip_prefix(name)?;
        match rest.strip_prefix('=') {
            Some(value) => Some(value),
            None if rest.is_empty() => argv.get(index + 1).map(String::as_str),
            None => None,
        }
    };
    argv.iter().enumerate().filter_map(value_at).next_back()
}

/// A YAML file of the process's view; the error names it.
pub fn read_yaml<T: DeserializeOwned>(root: &Path, path: &Path) -> Result<T, String> {
    let named = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let bytes = proc_root::read(root, path, MAX_CONFIG_BYTES).map_err(|e| named(&e))?;
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_slice_with_options(&bytes, options).map_err(|e| named(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(argv: &[&str], root: &Path) -> Settings {
        Settings::from_argv(&argv.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>(), root)
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let root = std::env::temp_dir().join(format!("probetrace-{}-settings", std::process::id()));
        std::fs::create_dir_all(&root).unwrap();
        let file = "kind: KubeletConfiguration\nstaticPodPath: /pods\nport: 10350\naddress: 10.0.0.5\nx: {y: [1]}\n";
        std::fs::write(root.join("k.yaml"), file).unwrap();
        let found = settings(&["kubelet", "--config=/k.yaml", "--hostname-override", "n7"], &root);
        assert_eq!((found.port, found.read_only_port), (10350, 0), "a file without readOnlyPort turns it off");
        assert_eq!(found.static_pod_path.as_deref(), Some(Path::new("/pods")));
        assert_eq!(found.address, "10.0.0.5".parse::<IpAddr>().unwrap());
        assert_eq!((found.hostname_override.as_deref(), found.problem), (Some("n7"), None));

        let found =
            settings(&["--config", "/k.yaml", "--port=1", "--port=2", "--read-only-port", "3", "--address=::"], &root);
        assert_eq!((found.port, found.read_only_port, found.address), (2, 3, Ipv4Addr::LOCALHOST.into()));

        std::fs::write(root.join("k.yaml"), "port: [").unwrap();
        let found = settings(&["--config=/k.yaml"], &root);
        assert!(found.problem.unwrap().starts_with("/k.yaml: "));
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_kubelet_without_a_file_has_the_legacy_defaults() {
        let found = settings(&["kubelet", "--pod-manifest-path=/m", "--portable=9"], Path::new("/"));
        assert_eq!((found.port, found.read_only_port), (10_250, 10_255));
        assert_eq!(found.static_pod_path.as_deref(), Some(Path::new("/m")));
        assert_eq!(Settings::default().address, IpAddr::from(Ipv4Addr::LOCALHOST));
    }
}
