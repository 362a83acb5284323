//! The kit beside the repository: a real kubelet with containerd, in namespaces of its own.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

/// A running kit.
pub struct Kit {
    script: PathBuf,
    run: PathBuf,
    /// What `k8s.sh env` says.
    pub env: BTreeMap<String, String>,
}

/// Where it is: `../shared/k8s` beside the repository, or below `PROBETRACE_SHARED`.
pub fn find() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("PROBETRACE_SHARED").map_or(beside, PathBuf::from);
    let script = shared.join("k8s/k8s.sh");
    script.is_file().then_some(script)
}

const RUN_PREFIX: &str = "pt-kit-";

impl Kit {
    /// containerd and a kubelet with static pods only.
    pub fn up(script: PathBuf) -> Self {
        end_leftovers(&script);
        let run = Path::new("/var/tmp").join(format!("{RUN_PREFIX}{}", std::process::id()));
        let mut kit = Self { script, run, env: BTreeMap::new() };
        let output = kit.call(&["up-standalone"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let env = kit.call(&["env"]);
        let text = String::from_utf8(env.stdout).expect("UTF-8");
        kit.env = text.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.into(), v.into())).collect();
        kit
    }

    /// `k8s.sh ARGUMENTS`.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.script);
        // The log's times have no zone.
        command.args(arguments).env("K8S_RUN", &self.run).env("K8S_V", "3").env("TZ", "UTC");
        command
    }

    fn call(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("k8s.sh")
    }

    /// The kubelet, as seen from outside.
    pub fn kubelet_pid(&self) -> u32 {
        self.env["K8S_KUBELET_PID"].parse().expect("pid")
    }

    /// Puts a manifest of the kit's own into the static-pod folder, whole at once.
    pub fn add_pod(&self, name: &str) {
        let file = format!("{name}.yaml");
        let from = self.script.with_file_name("pods").join(&file);
        let stage = self.run.join(format!("stage-{file}"));
        fs::copy(from, &stage).expect("copy");
        fs::rename(stage, Path::new(&self.env["K8S_STATIC_PODS"]).join(file)).expect("rename");
    }

    /// The kubelet's log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.run.join("kubelet.log")).expect("kubelet.log")
    }

    /// `prober_probe_total` by (pod, kind, result).
    pub fn probe_totals(&self) -> BTreeMap<(String, String, String), u64> {
        let url = format!("{}/metrics/probes", self.env["K8S_KUBELET_READONLY"]);
        let output = self.call(&["in", "probe-app", "get", &url]);
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let series = text.lines().filter_map(|line| line.strip_prefix("prober_probe_total{")?.split_once("} "));
        series
            .map(|(labels, value)| {
                let label = |name: &str| {
                    let rest = labels.split(',').find_map(|pair| pair.strip_prefix(name)?.strip_prefix("=\""));
                    rest.unwrap_or_default().trim_end_matches('"').to_lowercase()
                };
                ((label("pod"), label("probe_type"), label("result")), value.parse().unwrap_or(0))
            })
            .collect()
    }

    /// Waits until each of these pods has a line in the log of probes.
    pub fn wait_probed(&self, pods: &[&str]) {
        let deadline = Instant::now() + Duration::from_secs(90);
        loop {
            let log = self.log();
            let missing: Vec<_> = pods.iter().filter(|pod| !log.contains(&format!(" probe for \"{pod}-"))).collect();
            if missing.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "no probe of {missing:?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Kit {
    fn drop(&mut self) {
        let output = self.call(&["down"]);
        if !output.status.success() {
            eprintln!("k8s.sh down: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

/// A killed test leaves its kit running: it is ended here, by the name of its run folder.
fn end_leftovers(script: &Path) {
    for entry in fs::read_dir("/var/tmp").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(RUN_PREFIX)?.parse::<u32>().ok());
        if owner.is_some_and(|owner| !Path::new(&format!("/proc/{owner}")).exists()) {
            let _ = Command::new(script).arg("down").env("K8S_RUN", entry.path()).output();
        }
    }
}
