//! What the conversion gathers, within bounds.

use super::{MAX_PODS, MAX_PROBES, ManifestError};
use crate::attribution::spec::{Container, Handler, ProbeKind, ProbeSpec};

/// Most problem lines that are kept; the rest is counted.
const MAX_PROBLEMS: usize = 200;
/// Most bytes of all exec commands together, after expansion.
const MAX_ARGV_BYTES: usize = 32 << 20;

/// What a file, or an answer of the kubelet, holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifests {
    /// Every probe that the kubelet would make.
    pub probes: Vec<ProbeSpec>,
    /// What could not be used, a line each, for people; the last one counts those that were too many.
    pub problems: Vec<String>,
    /// Pods read, also those without probes.
    pub pods: u32,
}

impl Manifests {
    /// Puts probes and problems in an order of their own, so that equal contents are equal.
    pub fn sort(&mut self) {
        self.probes.sort_by(|a, b| {
            fn key(probe: &ProbeSpec) -> ([&str; 4], ProbeKind) {
                let Container { namespace, pod, pod_uid, name, .. } = &*probe.container;
                ([namespace, pod, pod_uid, name], probe.kind)
            }
            key(a).cmp(&key(b))
        });
        self.problems.sort();
    }

    /// Adds a problem for each probe that has nowhere to connect to yet.
    pub(super) fn tell_missing_addresses(&mut self) {
        let mut pods: Vec<String> = Vec::new();
        for probe in &self.probes {
            let is_missing = match &probe.handler {
                Handler::Http { address, host_name, .. } | Handler::Tcp { address, host_name, .. } => {
                    address.is_none() && host_name.is_none()
                }
                Handler::Grpc { address, .. } => address.is_none(),
                Handler::Exec { .. } => false,
            };
            let pod = format!("pod {}/{}", probe.container.namespace, probe.container.pod);
            if is_missing && pods.last() != Some(&pod) && pods.len() < MAX_PROBLEMS {
                pods.push(pod);
            }
        }
        self.problems
            .extend(pods.into_iter().map(|pod| format!("{pod}: no address, status.podIP is not in the manifest")));
    }
}

/// [`Manifests`] in the making.
#[derive(Debug, Default)]
pub struct Output {
    manifests: Manifests,
    /// Problems past the bound.
    more_problems: usize,
    /// Probes past the bound.
    more_probes: usize,
    argv_bytes: usize,
}

impl Output {
    /// Counts a pod; false past [`MAX_PODS`], when it needn't be looked at.
    pub fn count_pod(&mut self) -> bool {
        self.manifests.pods = self.manifests.pods.saturating_add(1);
        self.manifests.pods <= MAX_PODS
    }

    /// Adds a line for people.
    pub fn problem(&mut self, line: String) {
        if self.manifests.problems.len() < MAX_PROBLEMS {
            self.manifests.problems.push(line);
        } else {
            self.more_problems += 1;
        }
    }

    /// Adds a probe.
    pub fn probe(&mut self, probe: ProbeSpec) {
        if self.manifests.probes.len() < MAX_PROBES {
            self.manifests.probes.push(probe);
        } else {
            self.more_probes += 1;
        }
    }

    /// Whether a command of this many bytes still fits; counts it.
    pub fn admit_argv(&mut self, bytes: usize) -> bool {
        self.argv_bytes = self.argv_bytes.saturating_add(bytes);
        self.argv_bytes <= MAX_ARGV_BYTES
    }

    /// Takes what another document gave.
    pub fn append(&mut self, other: Self) {
        self.manifests.pods = self.manifests.pods.saturating_add(other.manifests.pods);
        self.more_problems += other.more_problems;
        self.more_probes += other.more_probes;
        self.argv_bytes = self.argv_bytes.saturating_add(other.argv_bytes);
        other.manifests.probes.into_iter().for_each(|probe| self.probe(probe));
        other.manifests.problems.into_iter().for_each(|line| self.problem(line));
    }

    /// The result, or the bound that was passed.
    pub fn finish(mut self) -> Result<Manifests, ManifestError> {
        if self.manifests.pods > MAX_PODS {
            return Err(ManifestError::TooManyPods);
        }
        if self.more_probes > 0 {
            return Err(ManifestError::TooManyProbes);
        }
        if self.more_problems > 0 {
            self.manifests.problems.push(format!("and {} more problems", self.more_problems));
        }
        Ok(self.manifests)
    }
}
