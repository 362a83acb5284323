//! What is traced, and where the probes are known from: flags of `run`, `record` and `doctor`.

use std::{path::PathBuf, time::Duration};

use super::values;

/// See each flag's help.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "What to trace")]
pub struct TraceArgs {
    /// Pods whose probes these are: a Pod or PodList, YAML or JSON, as `kubectl get pods -A -o yaml` prints it (read
    /// again when it changes)
    #[arg(long, value_name = "FILE")]
    pub targets: Option<PathBuf>,
    /// Folder of static-pod manifests [default: the kubelet's own staticPodPath]
    #[arg(long, value_name = "DIR")]
    pub static_pods: Option<PathBuf>,
    /// Where the kubelet shows its pods [default: https://127.0.0.1:10250, then http://127.0.0.1:10255]
    #[arg(long, value_name = "URL")]
    pub kubelet_url: Option<String>,
    /// Client certificate for the kubelet (PEM)
    #[arg(long, value_name = "FILE", requires = "kubelet_client_key")]
    pub kubelet_client_certificate: Option<PathBuf>,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE", requires = "kubelet_client_certificate")]
    pub kubelet_client_key: Option<PathBuf>,
    /// Certificate authority of the kubelet's own certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub kubelet_ca: Option<PathBuf>,
    /// Bearer token for the kubelet, in a file that is read again when it changes
    #[arg(long, value_name = "FILE")]
    pub kubelet_token_file: Option<PathBuf>,
    /// Send the token also to a kubelet whose certificate can't be verified (any process may listen on its port while it
    /// is down)
    #[arg(long)]
    pub kubelet_insecure_token: bool,
    /// Who probes: a process name (`kubelet`, `curl`), `pid:1458` or `cgroup:/system.slice/x.service` (repeatable)
    /// [default: the kubelet, also as k3s, rke2, k0s, microk8s]
    #[arg(long, value_name = "PATTERN", value_parser = values::prober)]
    pub prober: Vec<String>,
    /// Name of this node in the records [default: the kubelet's, else the host's name]
    #[arg(long, value_name = "NAME")]
    pub node: Option<String>,
    /// Stop after this time: `90s`, `5m`, `1h30m`
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub duration: Option<Duration>,
    /// Written when every hook is attached and has fired in its self-test; removed at the end
    #[arg(long, value_name = "PATH")]
    pub ready_file: Option<PathBuf>,
    /// How the prober's sockets are seen: by node-wide tracepoints, by hooks on its cgroup, or the best of both
    #[arg(long, value_enum, value_name = "WAY", default_value_t = Way::Auto)]
    pub way: Way,
    /// Size of the ring buffer: a power of two, 64KiB to 1GiB
    #[arg(long, value_name = "BYTES", value_parser = values::ring_bytes, default_value = "4MiB")]
    pub ring_bytes: u32,
    /// Events a second that one source (a pod, a process) may cause before its further events are only counted
    #[arg(long, value_name = "EVENTS", value_parser = clap::value_parser!(u32).range(1..), default_value_t = 2000)]
    pub budget: u32,
    /// Print the kernel programs' debug log
    #[cfg(feature = "kernel-log")]
    #[arg(long)]
    pub kernel_log: bool,
}

/// `--way`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    /// Hooks on the cgroup where they work, compared with the node-wide ones on the first attempts
    #[default]
    Auto,
    /// Node-wide tracepoints, filtered by process
    Node,
    /// `sock_ops` and `cgroup_skb` on the prober's cgroup
    Cgroup,
}
