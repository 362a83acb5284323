//! Whatever a `--targets` file or the kubelet's answer holds: no panic, and every bound holds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use probetrace::attribution::{
    manifest::{self, MAX_PODS, MAX_PROBES},
    spec::Handler,
};

fuzz_target!(|bytes: &[u8]| {
    let Ok(manifests) = manifest::parse(bytes) else { return };
    assert!(manifests.pods <= MAX_PODS && manifests.probes.len() <= MAX_PROBES);
    for probe in &manifests.probes {
        assert!(probe.timeout_ns > 0 && probe.period_ns > 0 && probe.failure_threshold > 0);
        assert!(!probe.container.pod.is_empty() && !probe.container.name.is_empty());
        match &probe.handler {
            Handler::Http { port, path, .. } => assert!(*port > 0 && !path.is_empty()),
            Handler::Tcp { port, .. } | Handler::Grpc { port, .. } => assert!(*port > 0),
            Handler::Exec { argv } => assert!(!argv.is_empty()),
        }
    }
});
