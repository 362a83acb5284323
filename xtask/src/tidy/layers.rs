//! Who may know what: invariants 2 and 3 of ARCHITECTURE.md.

use anyhow::Result;

use super::Finding;
use super::source::{Rust, Tree};

/// Within `inside` but outside `allowed`, no path may begin with one of `forbidden`.
struct Rule {
    inside: &'static [&'static str],
    allowed: &'static [&'static str],
    forbidden: &'static [&'static str],
    why: &'static str,
}

/// What reaches the outside world or a clock.
const IO: &[&str] = &[
    "libc",
    "procfs",
    "rustix",
    "std::env",
    "std::fs",
    "std::io",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::os::unix::net",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "jiff::Timestamp::now",
    "jiff::Zoned::now",
    "tokio",
];

const RULES: &[Rule] = &[
    Rule {
        inside: &["tracer/src/"],
        allowed: &["tracer/src/kernel.rs", "tracer/src/kernel/"],
        forbidden: &["aya", "aya_obj", "aya_log"],
        why: "only tracer/src/kernel knows aya",
    },
    Rule {
        inside: &["tracer/src/"],
        allowed: &[
            "tracer/src/attribution/kube",
            "tracer/src/attribution/kubelet",
            "tracer/src/attribution/manifest",
            "tracer/src/attribution/static_pods",
        ],
        forbidden: &["k8s_openapi", "kube", "serde_yaml", "serde_yaml_ng", "serde_norway", "serde_saphyr"],
        why: "only attribution/{kube,kubelet,manifest,static_pods} know Kubernetes' API",
    },
    Rule {
        inside: &[
            "tracer/src/assemble",
            "tracer/src/attempt",
            "tracer/src/attribution/match",
            "tracer/src/event",
            "tracer/src/middle",
            "tracer/src/record.rs",
            "tracer/src/verdict",
        ],
        allowed: &[],
        forbidden: IO,
        why: "the middle does no I/O and takes time as an argument, so that a recording replays to the same records",
    },
    Rule {
        inside: &["tracer/src/"],
        // The lock file of a running instance and a recording are read by ourselves only.
        allowed: &[
            "tracer/src/sink.rs",
            "tracer/src/sink/",
            "tracer/src/recording.rs",
            "tracer/src/recording/",
            "tracer/src/instance.rs",
        ],
        forbidden: &[
            "serde_json::to_string",
            "serde_json::to_string_pretty",
            "serde_json::to_vec",
            "serde_json::to_writer",
        ],
        why: "only sink (and recording) write an output format",
    },
];

pub fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let violations = |file| RULES.iter().filter(move |rule| rule.covers(file)).flat_map(|rule| rule.violations(file));
    Ok(tree.rust.iter().flat_map(violations).collect())
}

impl Rule {
    fn covers(&self, file: &Rust) -> bool {
        let within = |places: &[&str]| places.iter().any(|place| file.path.starts_with(place));
        !file.is_test && within(self.inside) && !within(self.allowed)
    }

    fn violations(&self, file: &Rust) -> Vec<Finding> {
        let bad = file.paths().into_iter().filter(|(_, path)| self.forbidden.iter().any(|f| names(path, f)));
        bad.map(|(line, path)| Finding::new(format!("{}:{line}", file.path), format!("`{path}`: {}", self.why)))
            .collect()
    }
}

/// True for the forbidden path, what lies in it, and the modules that it lies in (brought in whole by `use`).
fn names(path: &str, forbidden: &str) -> bool {
    let within = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with("::"));
    path == forbidden || within(path, forbidden) || path.contains("::") && within(forbidden, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        check(&Tree::one(path, text)).unwrap().len()
    }

    #[test]
    fn only_kernel_knows_aya() {
        assert_eq!(count("tracer/src/pipeline.rs", "use aya::Ebpf;"), 1);
        assert_eq!(count("tracer/src/kernel/load.rs", "use aya::Ebpf;"), 0);
    }

    #[test]
    fn the_middle_does_no_io_by_any_way_of_naming_it() {
        for text in [
            "use std::{fs, net::IpAddr};",
            "use std::time; ",
            "fn f() { tokio::spawn(x); }",
            "fn f() { log!(std::time::Instant::now()); }",
        ] {
            assert_eq!(count("tracer/src/verdict/exec.rs", text), 1, "{text}");
        }
        assert_eq!(count("tracer/src/verdict/exec.rs", "use std::{net::IpAddr, time::Duration};"), 0);
        assert_eq!(count("tracer/src/attempt/a.rs", "#[cfg(test)] mod tests { use std::fs; }"), 0);
    }

    #[test]
    fn formats_belong_to_the_sink_and_kubernetes_to_its_sources() {
        assert_eq!(count("tracer/src/health.rs", "fn f() { serde_json::to_string(&x); }"), 1);
        assert_eq!(count("tracer/src/sink/jsonl.rs", "fn f() { serde_json::to_string(&x); }"), 0);
        assert_eq!(count("tracer/src/attribution/spec.rs", "use k8s_openapi::api::core::v1::Pod;"), 1);
    }
}
