//! All specs of all sources over the last minutes: an attempt is matched against those valid *at its time*.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use super::spec::{Container, Handler, ProbeSpec, SpecSource, SpecUpdate};

/// How long an outdated version is kept.
pub const KEEP_NS: u64 = 150_000_000_000;
/// How much later than its first attempts a pod's address may become known: 9 s were measured with kubelet 1.20.
pub const LEARNED_LATE_NS: u64 = 10_000_000_000;
/// Sources, the most trusted first.
const PRECEDENCE: [SpecSource; 4] = [SpecSource::Api, SpecSource::Kubelet, SpecSource::StaticPods, SpecSource::File];

/// A probe that something may belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What is known of it.
    pub spec: Arc<ProbeSpec>,
    /// Who said so.
    pub source: SpecSource,
}

/// One version of one probe.
#[derive(Debug)]
struct Entry {
    candidate: Candidate,
    from_ns: u64,
    until_ns: u64,
}

/// How entries are found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// Address and port that the prober connects to.
    Endpoint(IpAddr, u16),
    /// Container whose commands are run, by id ("": not yet known).
    Container(String),
}

/// Specs by place and time. Bounded: see [`SpecStore::dropped`].
#[derive(Debug)]
pub struct SpecStore {
    sources: BTreeMap<usize, Vec<Arc<ProbeSpec>>>,
    entries: BTreeMap<Place, Vec<Entry>>,
    endpoints: BTreeSet<(IpAddr, u16)>,
    limit: usize,
    dropped: u64,
}

impl SpecStore {
    /// Holds at most `limit` versions of probes.
    pub fn new(limit: usize) -> Self {
        Self { sources: BTreeMap::new(), entries: BTreeMap::new(), endpoints: BTreeSet::new(), limit, dropped: 0 }
    }

    /// Versions that did not fit.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Replaces what this source said before. True where the set of endpoints is another one now.
    pub fn update(&mut self, update: &SpecUpdate) -> bool {
        let rank = PRECEDENCE.iter().position(|source| *source == update.source).unwrap_or(PRECEDENCE.len());
        self.sources.insert(rank, update.probes.iter().cloned().map(Arc::new).collect());
        let mut wanted: BTreeMap<Place, Vec<Candidate>> = BTreeMap::new();
        for candidate in merge(&self.sources) {
            for place in places(&candidate.spec) {
                let here = wanted.entry(place).or_default();
                if !here.contains(&candidate) {
                    here.push(candidate.clone());
                }
            }
        }
        self.expire(update.at_ns, &wanted);
        self.add(update.at_ns, wanted);
        let endpoints = self.current_endpoints();
        let changed = endpoints != self.endpoints;
        self.endpoints = endpoints;
        changed
    }

    /// What the prober's sockets may connect to now, sorted.
    pub fn endpoints(&self) -> Vec<(IpAddr, u16)> {
        self.endpoints.iter().copied().collect()
    }

    /// Probes with this endpoint at `at_ns`; where none was known then, those learned within [`LEARNED_LATE_NS`] after it.
    pub fn by_endpoint(&self, at_ns: u64, address: IpAddr, port: u16) -> Vec<Candidate> {
        self.at(at_ns, &Place::Endpoint(address.to_canonical(), port))
    }

    /// exec probes of this container at `at_ns`, in the same sense.
    pub fn by_container(&self, at_ns: u64, id: &str) -> Vec<Candidate> {
        self.at(at_ns, &Place::Container(id.to_owned()))
    }

    /// Ports that this container's probes are for, or that its manifest declares, sorted: what it listens on there is no
    /// sign of a mistake.
    pub fn meant_ports(&self, container: &Container) -> Vec<u16> {
        let mut ports: BTreeSet<u16> = container.ports.iter().copied().collect();
        for (place, entries) in &self.entries {
            let is_its = |entry: &Entry| {
                let of = &entry.candidate.spec.container;
                (&of.namespace, &of.pod, &of.name) == (&container.namespace, &container.pod, &container.name)
            };
            if let Place::Endpoint(_, port) = place
                && entries.iter().any(is_its)
            {
                ports.insert(*port);
            }
        }
        ports.into_iter().collect()
    }

    /// All exec probes at `at_ns`.
    pub fn all_exec(&self, at_ns: u64) -> Vec<Candidate> {
        let places = self.entries.keys().filter(|place| matches!(place, Place::Container(_)));
        places.flat_map(|place| self.at(at_ns, place)).collect()
    }

    fn at(&self, at_ns: u64, place: &Place) -> Vec<Candidate> {
        let Some(entries) = self.entries.get(place) else { return Vec::new() };
        let pick = |from_by: u64| -> Vec<Candidate> {
            let valid = entries.iter().filter(|entry| entry.from_ns <= from_by && at_ns < entry.until_ns);
            valid.map(|entry| entry.candidate.clone()).collect()
        };
        let now = pick(at_ns);
        if !now.is_empty() {
            return now;
        }
        // Only the earliest of the later versions: what came after it is another story.
        let first = entries.iter().filter(|entry| entry.from_ns > at_ns).map(|entry| entry.from_ns).min();
        first.filter(|from| *from - at_ns <= LEARNED_LATE_NS).map(pick).unwrap_or_default()
    }

    fn expire(&mut self, at_ns: u64, wanted: &BTreeMap<Place, Vec<Candidate>>) {
        for (place, entries) in &mut self.entries {
            let still = wanted.get(place);
            for entry in entries.iter_mut().filter(|entry| entry.until_ns == u64::MAX) {
                if !still.is_some_and(|still| still.contains(&entry.candidate)) {
                    entry.until_ns = at_ns;
                }
            }
            entries.retain(|entry| entry.until_ns.saturating_add(KEEP_NS) > at_ns);
        }
        self.entries.retain(|_, entries| !entries.is_empty());
    }

    fn add(&mut self, at_ns: u64, wanted: BTreeMap<Place, Vec<Candidate>>) {
        let mut count: usize = self.entries.values().map(Vec::len).sum();
        for (place, candidates) in wanted {
            for candidate in candidates {
                let known = self.entries.get(&place).is_some_and(|entries| {
                    entries.iter().any(|entry| entry.until_ns == u64::MAX && entry.candidate == candidate)
                });
                if known {
                    continue;
                }
                if count >= self.limit {
                    self.dropped += 1;
                    continue;
                }
                count += 1;
                let entry = Entry { candidate, from_ns: at_ns, until_ns: u64::MAX };
                self.entries.entry(place.clone()).or_default().push(entry);
            }
        }
    }

    fn current_endpoints(&self) -> BTreeSet<(IpAddr, u16)> {
        let current = self.entries.iter().filter(|(_, entries)| entries.iter().any(|entry| entry.until_ns == u64::MAX));
        let endpoint = |place: &Place| match place {
            Place::Endpoint(address, port) => Some((*address, *port)),
            Place::Container(_) => None,
        };
        current.filter_map(|(place, _)| endpoint(place)).collect()
    }
}

/// Where attempts of this probe are seen. `localhost` is connected to in either family (Go's resolver).
fn places(spec: &ProbeSpec) -> Vec<Place> {
    let (host_name, port) = match &spec.handler {
        Handler::Exec { .. } => return vec![Place::Container(spec.container.id.clone())],
        Handler::Http { host_name, port, .. } | Handler::Tcp { host_name, port, .. } => (host_name.as_deref(), *port),
        Handler::Grpc { port, .. } => (None, *port),
    };
    if host_name == Some("localhost") {
        let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        return both.map(|address| Place::Endpoint(address, port)).to_vec();
    }
    let endpoint = spec.handler.endpoint();
    endpoint.map(|(address, port)| Place::Endpoint(address.to_canonical(), port)).into_iter().collect()
}

/// One set of all sources: a pod's probes come from the most trusted source that has the pod. Where that one does not yet
/// know the address (or the container's id), a lesser source that does is taken for this probe.
fn merge(sources: &BTreeMap<usize, Vec<Arc<ProbeSpec>>>) -> Vec<Candidate> {
    let mut merged: Vec<Candidate> = Vec::new();
    let mut pods = Pods::default();
    for (rank, probes) in sources {
        let Some(source) = PRECEDENCE.get(*rank).copied() else { continue };
        let before = merged.len();
        for spec in probes {
            if !pods.has(spec) {
                merged.push(Candidate { spec: spec.clone(), source });
            } else if known(spec) {
                let blank =
                    merged[..before].iter_mut().find(|other| same_probe(&other.spec, spec) && !known(&other.spec));
                if let Some(other) = blank {
                    *other = Candidate { spec: spec.clone(), source };
                }
            }
        }
        for candidate in &merged[before..] {
            pods.add(&candidate.spec);
        }
    }
    merged
}

/// Whether an attempt of it could be recognised.
fn known(spec: &ProbeSpec) -> bool {
    match &spec.handler {
        Handler::Exec { .. } => !spec.container.id.is_empty(),
        _ => !places(spec).is_empty(),
    }
}

fn same_probe(a: &ProbeSpec, b: &ProbeSpec) -> bool {
    a.kind == b.kind
        && a.container.name == b.container.name
        && a.container.pod == b.container.pod
        && a.container.namespace == b.container.namespace
}

/// Pods that a better source has: by uid; by name where one of the two has no uid.
#[derive(Default)]
struct Pods {
    uids: BTreeSet<String>,
    names: BTreeSet<(String, String)>,
    names_without_uid: BTreeSet<(String, String)>,
}

impl Pods {
    fn has(&self, spec: &ProbeSpec) -> bool {
        let name = (spec.container.namespace.clone(), spec.container.pod.clone());
        match spec.container.pod_uid.as_str() {
            "" => self.names.contains(&name),
            uid => self.uids.contains(uid) || self.names_without_uid.contains(&name),
        }
    }

    fn add(&mut self, spec: &ProbeSpec) {
        let name = (spec.container.namespace.clone(), spec.container.pod.clone());
        if spec.container.pod_uid.is_empty() {
            self.names_without_uid.insert(name.clone());
        } else {
            self.uids.insert(spec.container.pod_uid.clone());
        }
        self.names.insert(name);
    }
}

#[cfg(test)]
mod tests;
