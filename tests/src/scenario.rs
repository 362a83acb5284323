//! Scenarios as data: set-up, truth, rival. [`all`] is the table that the lab and the tests run.

mod application;
mod coverage;
mod exec;
mod mixed;
mod refused;

pub use coverage::coverage;

use crate::{
    plan::{Kind, Outcome},
    target::{Accept, Answer, Route, Server},
};

/// A fault made on purpose, and what must be said about it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// One sentence: what is set up.
    pub about: &'static str,
    /// Cause of each failed attempt of the faulty probes; where nothing fails, of each attempt.
    pub expected: &'static str,
    /// One further cause that is right as well, and why.
    pub acceptable: Option<(&'static str, &'static str)>,
    /// The cause that it could be taken for.
    pub rival: &'static str,
    /// How the faulty attempts end for the prober; `None`: nothing fails.
    pub fails_as: Option<Outcome>,
    /// What the machine must have.
    pub needs: Vec<Facility>,
    /// Pods on the node.
    pub pods: Vec<Pod>,
    /// What changes on the way.
    pub steps: Vec<Step>,
    /// Unrelated connections a second between the node and the first pod.
    pub noise_per_s: u32,
}

/// What a machine may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Facility {
    /// A cgroup hierarchy with the cpu controller.
    CpuController,
    /// IPv6.
    Ipv6,
    /// The command `iptables`.
    Iptables,
    /// `IPPROTO_MPTCP`.
    Mptcp,
}

/// A pod with a network namespace of its own.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Name, unique in the scenario.
    pub name: String,
    /// Its primary address is IPv6.
    pub v6: bool,
    /// Age of its containers by the manifest.
    pub started_ago_s: u32,
    /// CPU limit of each container.
    pub cpus: Option<f64>,
    /// Netfilter in its namespace answers SYNs to this port with RST.
    pub rejects: Option<u16>,
    /// Containers.
    pub containers: Vec<Container>,
}

/// A container: one process.
#[derive(Clone, Debug)]
pub struct Container {
    /// Name.
    pub name: String,
    /// Listening sockets.
    pub servers: Vec<Server>,
    /// Probes, at most one of each kind.
    pub probes: Vec<Row>,
}

/// One probe.
#[derive(Clone, Debug)]
pub struct Row {
    /// Which.
    pub kind: Kind,
    /// How.
    pub how: How,
    /// timeoutSeconds.
    pub timeout_s: u64,
    /// periodSeconds.
    pub period_s: u64,
    /// Phase of its worker.
    pub phase_ms: u64,
    /// Attempts of a run of the lab.
    pub attempts: u32,
    /// Whether attempts of it may fail.
    pub faulty: bool,
    /// See [`crate::plan::Probe::dial_outlives_timeout`].
    pub dial_outlives_timeout: bool,
}

/// Handler of a [`Row`].
#[derive(Clone, Debug)]
pub enum How {
    /// GET of this path on this port of the pod.
    Http(u16, &'static str),
    /// Connect to this port of the pod.
    Tcp(u16),
    /// A command; `burn` stands for the lab's CPU burner.
    Exec(Vec<String>),
}

impl How {
    /// As in the record.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Http(..) => "http",
            Self::Tcp(_) => "tcp",
            Self::Exec(_) => "exec",
        }
    }
}

/// Something that happens once the prober's log shows an attempt's end.
#[derive(Clone, Debug)]
pub struct Step {
    /// After so many attempts of the scenario's first probe; 0: before the first.
    pub after_attempts: u32,
    /// Index of the pod; its first container is meant.
    pub pod: usize,
    /// What.
    pub action: Action,
}

/// See [`Step`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The first server closes its listening socket.
    StopListening,
    /// The first server listens.
    Listen,
    /// SIGSTOP for the container's process.
    Freeze,
}

/// Port of every target, unless a scenario needs a second.
pub const PORT: u16 = 8080;

/// Every scenario, in the order of the causes table.
pub fn all() -> Vec<Scenario> {
    [refused::all(), application::all(), exec::all(), mixed::all()].concat()
}

/// The six targets of the demo, probed until the end.
pub fn demo() -> Scenario {
    let six = ["healthy", "slow", "refused", "accept_queue_full", "slow_exec", "throttled_exec"];
    let mut demo = Scenario::new("demo", "six targets, one healthy", "");
    for (number, scenario) in six.iter().filter_map(|name| all().into_iter().find(|one| one.name == *name)).enumerate()
    {
        for mut pod in scenario.pods {
            pod.name = scenario.name.replace('_', "-");
            let rows = pod.containers.iter_mut().flat_map(|container| &mut container.probes);
            for row in rows {
                row.attempts = 0;
                row.period_s = 2;
                row.phase_ms = 300 * number as u64;
            }
            demo.pods.push(pod);
        }
    }
    demo
}

/// Many healthy probes without end, for the measurement of costs.
pub fn busy() -> Scenario {
    let mut busy = Scenario::new("busy", "twelve healthy probes a second", "none");
    for number in 0..6 {
        let readiness = Row { kind: Kind::Readiness, how: How::Tcp(PORT), ..http(0) };
        let exec = Row { kind: Kind::Startup, ..command(&["true"], 0) };
        let rows = [http(0), readiness, exec].map(|row| row.healthy().every(2).phase(300 * number));
        busy = busy.pod(&format!("busy-{number}"), vec![answering(Answer::Status(200, 0))], rows.to_vec());
    }
    busy
}

impl Scenario {
    fn new(name: &'static str, about: &'static str, expected: &'static str) -> Self {
        Self {
            name,
            about,
            expected,
            acceptable: None,
            rival: "",
            fails_as: None,
            needs: Vec::new(),
            pods: Vec::new(),
            steps: Vec::new(),
            noise_per_s: 0,
        }
    }

    fn fails(self, outcome: Outcome) -> Self {
        Self { fails_as: Some(outcome), ..self }
    }

    fn rival(self, rival: &'static str) -> Self {
        Self { rival, ..self }
    }

    fn accepts(self, cause: &'static str, why: &'static str) -> Self {
        Self { acceptable: Some((cause, why)), ..self }
    }

    fn needs(mut self, facility: Facility) -> Self {
        self.needs.push(facility);
        self
    }

    fn step(mut self, after_attempts: u32, action: Action) -> Self {
        self.steps.push(Step { after_attempts, pod: 0, action });
        self
    }

    /// Fewer attempts of each probe.
    pub fn at_most(&mut self, attempts: u32) {
        let containers = self.pods.iter_mut().flat_map(|pod| &mut pod.containers);
        for row in containers.flat_map(|container| &mut container.probes) {
            row.attempts = row.attempts.min(attempts);
        }
    }

    /// A pod with one container.
    fn pod(mut self, name: &str, servers: Vec<Server>, probes: Vec<Row>) -> Self {
        let containers = vec![Container { name: "app".into(), servers, probes }];
        self.pods.push(Pod {
            name: name.into(),
            v6: false,
            started_ago_s: 3600,
            cpus: None,
            rejects: None,
            containers,
        });
        self
    }

    /// Changes the pod that was added last.
    fn with(mut self, change: impl FnOnce(&mut Pod)) -> Self {
        if let Some(pod) = self.pods.last_mut() {
            change(pod);
        }
        self
    }
}

impl Row {
    fn new(kind: Kind, how: How, attempts: u32) -> Self {
        Self { kind, how, timeout_s: 1, period_s: 1, phase_ms: 0, attempts, faulty: true, dial_outlives_timeout: false }
    }

    fn healthy(self) -> Self {
        Self { faulty: false, ..self }
    }

    fn every(self, period_s: u64) -> Self {
        Self { period_s, ..self }
    }

    fn phase(self, phase_ms: u64) -> Self {
        Self { phase_ms, ..self }
    }
}

/// A liveness probe by GET /.
fn http(attempts: u32) -> Row {
    Row::new(Kind::Liveness, How::Http(PORT, "/"), attempts)
}

/// A liveness probe by connect.
fn tcp(attempts: u32) -> Row {
    Row::new(Kind::Liveness, How::Tcp(PORT), attempts)
}

/// A liveness probe by command.
fn command(words: &[&str], attempts: u32) -> Row {
    Row::new(Kind::Liveness, How::Exec(words.iter().map(|word| (*word).to_owned()).collect()), attempts)
}

/// A server that answers these paths.
fn serving(routes: &[(&str, Answer)]) -> Server {
    let route = |(path, answer): &(&str, Answer)| Route { path: (*path).to_owned(), answer: answer.clone() };
    Server {
        bind: std::net::Ipv6Addr::UNSPECIFIED.into(),
        port: PORT,
        backlog: 128,
        mptcp: false,
        reuseport: false,
        listens: true,
        filled: false,
        accept: Accept::Serve,
        routes: routes.iter().map(route).collect(),
    }
}

/// A server that answers `GET /` with this.
fn answering(answer: Answer) -> Server {
    serving(&[("/", answer)])
}

/// A server that treats connections so.
fn treating(accept: Accept) -> Server {
    Server { accept, ..answering(Answer::Status(200, 0)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_each_fault_has_a_rival() {
        let all = all();
        let mut names: Vec<_> = all.iter().map(|scenario| scenario.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all.len());
        for scenario in &all {
            assert!(!scenario.rival.is_empty(), "{}", scenario.name);
            let passes = ["none", "slow_but_passed"].contains(&scenario.expected);
            assert_eq!(scenario.fails_as.is_none(), passes, "{}", scenario.name);
            assert!(scenario.acceptable.is_none_or(|(_, why)| !why.is_empty()), "{}", scenario.name);
        }
    }

    #[test]
    fn coverage_makes_enough_attempts() {
        let scenario = coverage(20_000);
        let rows = scenario.pods.iter().flat_map(|pod| &pod.containers).flat_map(|container| &container.probes);
        let (attempts, longest) = rows.fold((0, 0), |(sum, longest), row| {
            (sum + row.attempts, longest.max(u64::from(row.attempts) * row.period_s))
        });
        assert!(attempts >= 20_000, "{attempts}");
        assert!(longest < 300, "{longest} s");
    }

    #[test]
    fn the_demo_has_its_six() {
        assert_eq!(demo().pods.len(), 6);
    }
}
