//! A scenario set up for real: namespaces, cgroups, targets, the prober waiting for its start.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::PathBuf,
    process::{ChildStdin, ChildStdout},
};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::{
    cgroup,
    manifest::{self, Identity},
    netns,
    place::Place,
    plan::{Entry, Handler, Plan, Probe},
    prober::ProberPlan,
    process::{Owned, Talker},
    scenario::{Action, How, Pod, Row, Scenario},
    session::Session,
    target::TargetPlan,
};

/// Where the prober's process lives, which decides how the tracer can see its sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    /// A cgroup v2 folder of its own where there is v2.
    #[default]
    Auto,
    /// The root cgroup: only node-wide hooks can see it.
    Node,
    /// A cgroup v2 folder of its own, or fail.
    Cgroup,
}

impl Way {
    /// For the tracer's `--way`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Node => "node",
            Self::Cgroup => "cgroup",
        }
    }
}

/// A running scenario.
#[derive(Debug)]
pub struct World {
    /// File for `--targets`.
    pub targets_file: PathBuf,
    /// Namespace of the node, and of each pod.
    pub node_netns: PathBuf,
    /// See above.
    pub pod_netns: Vec<PathBuf>,
    /// Address of each pod.
    pub addresses: Vec<std::net::IpAddr>,
    /// Probes in the order of the scenario.
    pub probes: Vec<(Probe, Row)>,
    targets: Vec<Vec<Talker>>,
    prober: Owned,
    prober_input: ChildStdin,
    prober_log: BufReader<ChildStdout>,
}

impl World {
    /// Sets it up; `number` tells worlds of one session apart. When this returns every target is in its state.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn build(session: &Session, scenario: &Scenario, number: u32, way: Way) -> Result<Self> {
        let node = format!("{}-{number}-node", session.name);
        session.make(|| netns::add_node(&node))?;
        let mut builder =
            Builder { session, number, node: &node, pods: Vec::new(), netns: Vec::new(), targets: Vec::new() };
        let mut probes = Vec::new();
        for (index, pod) in scenario.pods.iter().enumerate() {
            probes.extend(builder.pod(index, pod)?);
        }
        let Builder { pods, netns: pod_netns, targets, .. } = builder;
        let targets_file = session.folder.join(format!("targets-{number}.json"));
        fs::write(&targets_file, serde_json::to_vec_pretty(&manifest::list(&pods))?)?;

        let node_netns = netns::file(&node);
        let plan =
            Plan { state: session.folder.clone(), probes: probes.iter().map(|(probe, _)| probe.clone()).collect() };
        let place = Place { netns: Some(node_netns.clone()), cgroup_procs: prober_cgroup(session, number, way)? };
        // A tracer applies the kubelet's rules (retries, errors) to what has the kubelet's name.
        let mut prober = Talker::start_as(&session.folder.join("bin/kubelet"), "prober")?;
        prober.say(&serde_json::to_string(&ProberPlan { place, plan })?)?;
        let (prober, prober_input, prober_log) = prober.into_parts();
        let addresses = pods.iter().map(|(_, identity)| identity.ips[0]).collect();
        let mut world =
            Self { targets_file, node_netns, pod_netns, addresses, probes, targets, prober, prober_input, prober_log };
        world.steps(scenario, 0)?;
        Ok(world)
    }

    /// For `--prober pid:N`.
    pub fn prober_pid(&self) -> u32 {
        self.prober.id()
    }

    /// Lets the prober begin.
    ///
    /// # Errors
    /// It has ended.
    pub fn go(&mut self) -> Result<()> {
        writeln!(self.prober_input, "go").context("the prober has ended")
    }

    /// Next line of the prober's log; `None` when it has ended. Takes the scenario's steps that are due.
    ///
    /// # Errors
    /// The log is broken, or a step failed.
    pub fn next_entry(&mut self, scenario: &Scenario) -> Result<Option<Entry>> {
        let mut line = String::new();
        if self.prober_log.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let entry: Entry = serde_json::from_str(&line).context("prober's log")?;
        if self.probes.first().is_some_and(|(probe, _)| probe.key() == entry.probe) {
            self.steps(scenario, entry.number)?;
        }
        Ok(Some(entry))
    }

    /// The log of a prober that makes a bounded number of attempts.
    ///
    /// # Errors
    /// As [`Self::next_entry`], or attempts are missing.
    pub fn all_entries(&mut self, scenario: &Scenario) -> Result<Vec<Entry>> {
        let expected: u32 = self.probes.iter().map(|(_, row)| row.attempts).sum();
        let mut entries = Vec::new();
        while entries.len() < expected as usize {
            let Some(entry) = self.next_entry(scenario)? else {
                bail!("the prober ended after {} of {expected} attempts", entries.len());
            };
            entries.push(entry);
        }
        Ok(entries)
    }

    fn steps(&mut self, scenario: &Scenario, after_attempts: u32) -> Result<()> {
        for step in scenario.steps.iter().filter(|step| step.after_attempts == after_attempts) {
            let target = self.targets.get_mut(step.pod).and_then(|pod| pod.first_mut()).context("no such pod")?;
            match step.action {
                Action::StopListening => drop(target.say("stop 0")?),
                Action::Listen => drop(target.say("listen 0")?),
                Action::Freeze => target.process.signal(Signal::STOP),
            }
        }
        Ok(())
    }
}

fn prober_cgroup(session: &Session, number: u32, way: Way) -> Result<Vec<PathBuf>> {
    let unified: Vec<_> = session.hierarchies.iter().filter(|hierarchy| hierarchy.unified).cloned().collect();
    match (way, unified.first()) {
        (Way::Auto, None) => Ok(Vec::new()),
        (_, None) => bail!("no cgroup v2 is mounted: --way auto needs none"),
        (Way::Node, Some(root)) => Ok(vec![root.mount.join("cgroup.procs")]),
        (Way::Auto | Way::Cgroup, Some(_)) => {
            let path = PathBuf::from(&session.name).join(format!("prober-{number}"));
            session.make(|| cgroup::create(&unified, &path))
        }
    }
}

struct Builder<'a> {
    session: &'a Session,
    number: u32,
    node: &'a str,
    pods: Vec<(Pod, Identity)>,
    netns: Vec<PathBuf>,
    targets: Vec<Vec<Talker>>,
}

impl Builder<'_> {
    fn pod(&mut self, index: usize, pod: &Pod) -> Result<Vec<(Probe, Row)>> {
        let place = u8::try_from(index + 1).context("at most 255 pods")?;
        let name = format!("{}-{}-pod{place}", self.session.name, self.number);
        self.session.make(|| netns::add_pod(self.node, &name, place))?;
        netns::wait_reachable(self.node, place)?;
        if let Some(port) = pod.rejects {
            netns::reject(&name, port)?;
        }
        let (v4, v6) = netns::pod_addresses(place);
        let ips = if pod.v6 { [v6, v4] } else { [v4, v6] };
        let pid = std::process::id();
        let uid = format!("{pid:08x}-{:04x}-4000-8000-{place:012x}", self.number & 0xffff);
        let mut identity = Identity { uid, ips, container_ids: Vec::new() };
        let (mut talkers, mut probes) = (Vec::new(), Vec::new());
        for (position, container) in pod.containers.iter().enumerate() {
            let id = format!("{:016x}{:016x}{place:016x}{position:016x}", u64::from(pid) << 32 | 0xc0de, self.number);
            let path = PathBuf::from(&self.session.name)
                .join(format!("{}/kubepods/burstable/pod{}", self.number, identity.uid))
                .join(&id);
            let cgroup_procs = self.session.make(|| cgroup::create(&self.session.hierarchies, &path))?;
            let in_pod = Place { netns: Some(netns::file(&name)), cgroup_procs: cgroup_procs.clone() };
            let mut target = Talker::start("target")?;
            let plan = TargetPlan { place: in_pod, servers: container.servers.clone() };
            target.say(&serde_json::to_string(&plan)?).with_context(|| format!("target {}", pod.name))?;
            if let Some(cpus) = pod.cpus {
                cgroup::limit_cpu(&self.session.hierarchies, &path, cpus)?;
            }
            talkers.push(target);
            for row in &container.probes {
                let handler = self.handler(row, ips[0], &id, &cgroup_procs);
                probes.push((probe(&pod.name, &container.name, row, handler), row.clone()));
            }
            identity.container_ids.push(id);
        }
        self.targets.push(talkers);
        self.netns.push(netns::file(&name));
        // The manifest must show the command that is run.
        let mut pod = pod.clone();
        for row in pod.containers.iter_mut().flat_map(|container| &mut container.probes) {
            if let How::Exec(argv) = &row.how {
                row.how = How::Exec(self.real_argv(argv));
            }
        }
        self.pods.push((pod, identity));
        Ok(probes)
    }

    fn handler(&self, row: &Row, ip: std::net::IpAddr, id: &str, cgroup_procs: &[PathBuf]) -> Handler {
        match &row.how {
            How::Http(port, path) => Handler::Http { to: SocketAddr::new(ip, *port), path: (*path).to_owned() },
            How::Tcp(port) => Handler::Tcp { to: SocketAddr::new(ip, *port) },
            How::Exec(argv) => Handler::Exec {
                argv: self.real_argv(argv),
                container_id: id.to_owned(),
                cgroup_procs: cgroup_procs.to_vec(),
            },
        }
    }

    fn real_argv(&self, argv: &[String]) -> Vec<String> {
        let mut argv = argv.to_vec();
        if let Some(first) = argv.first_mut().filter(|first| *first == "burn") {
            *first = self.session.folder.join("bin/burn").display().to_string();
        }
        argv
    }
}

fn probe(pod: &str, container: &str, row: &Row, handler: Handler) -> Probe {
    Probe {
        pod: pod.to_owned(),
        container: container.to_owned(),
        kind: row.kind,
        handler,
        timeout_ms: row.timeout_s * 1000,
        period_ms: row.period_s * 1000,
        phase_ms: row.phase_ms,
        attempts: row.attempts,
        dial_outlives_timeout: row.dial_outlives_timeout,
    }
}
