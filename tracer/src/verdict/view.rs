//! An attempt as the rules see it: the connection or run that decided, and the looks by their place in time.

use std::net::{IpAddr, SocketAddr};

use crate::{
    attempt::facts::{Attempt, Connection, Run, Try},
    attribution::spec::{Handler, ProbeSpec},
    observation::{ListenerState, Observation, SocketState, TargetState},
    record::{Evidence, Outcome},
    verdict::{Context, text},
};

/// errno values of a connect (uapi/asm-generic/errno.h).
pub mod errno {
    /// No local port or address left.
    pub const EADDRNOTAVAIL: i32 = 99;
    /// No route.
    pub const ENETUNREACH: i32 = 101;
    /// SYN retries used up.
    pub const ETIMEDOUT: i32 = 110;
    /// A RST to the SYN, or ICMP port unreachable.
    pub const ECONNREFUSED: i32 = 111;
    /// Neighbour failed, or ICMP host unreachable.
    pub const EHOSTUNREACH: i32 = 113;
}

/// See the module.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// The attempt.
    pub attempt: &'a Attempt,
    /// The run around it.
    pub context: &'a Context<'a>,
    /// The last connection of the last try: it decided.
    pub connection: Option<&'a Connection>,
    /// The last run of an exec probe.
    pub run: Option<&'a Run>,
    /// Begin of the try that decided.
    pub began_ns: u64,
    /// The look near half of the time.
    pub mid: Option<&'a Observation>,
    /// The last look that ended before the outcome, in the last fifth of the time.
    pub late: Option<&'a Observation>,
}

impl<'a> View<'a> {
    /// Sorts the facts.
    pub fn new(attempt: &'a Attempt, context: &'a Context<'a>) -> Self {
        let (connection, run, began_ns) = match attempt.tries.last() {
            Some(Try::Net(connections)) => {
                (connections.last(), None, connections.first().map_or(attempt.began_ns, |first| first.began_ns))
            }
            Some(Try::Exec(run)) => (None, Some(run), run.spawned_ns),
            None => (None, None, attempt.began_ns),
        };
        let began_ns = if attempt.tries.len() > 1 { began_ns } else { attempt.began_ns };
        let span = attempt.ended_ns.saturating_sub(began_ns);
        let place = |look: &Observation| text::percent(look.at_ns.saturating_sub(began_ns), span);
        let before = || attempt.looks.iter().filter(|look| look.at_ns >= began_ns && look.done_ns <= attempt.ended_ns);
        Self {
            attempt,
            context,
            connection,
            run,
            began_ns,
            mid: before().find(|look| (30..75).contains(&place(look))),
            late: before().rfind(|look| place(look) >= 80),
        }
    }

    /// From the begin of the deciding try to the outcome.
    pub fn span_ns(&self) -> u64 {
        self.attempt.ended_ns.saturating_sub(self.began_ns)
    }

    /// The probe's time-out; where the probe is unknown, the time it took.
    pub fn timeout_ns(&self) -> u64 {
        self.probe().map_or_else(|| self.span_ns(), |probe| probe.timeout_ns)
    }

    /// The attributed probe.
    pub fn probe(&self) -> Option<&'a ProbeSpec> {
        self.attempt.probe.as_ref()
    }

    /// An instant, from the begin of the try: for sentences.
    pub fn since_begin(&self, at_ns: u64) -> String {
        text::duration(at_ns.saturating_sub(self.began_ns))
    }

    /// The deciding try ran into its time-out. A body that stalls is an *error* to the kubelet (pkg/probe/http:
    /// DoHTTPProbe), at the same timer.
    pub fn timed_out(&self) -> bool {
        let nearly = || self.probe().is_some_and(|probe| text::percent(self.span_ns(), probe.timeout_ns) >= 95);
        match self.attempt.outcome {
            Outcome::Timeout => true,
            Outcome::Error => self.established().is_some_and(|one| one.reset_ns == 0) && nearly(),
            _ => false,
        }
    }

    /// The deciding connection, where the prober held it ESTABLISHED before the outcome.
    pub fn established(&self) -> Option<&'a Connection> {
        self.connection.filter(|one| one.established_ns > 0 && one.established_ns <= self.attempt.ended_ns)
    }

    /// The deciding connection, where its handshake was not done at the outcome and no error or RST came.
    pub fn unanswered(&self) -> Option<&'a Connection> {
        self.connection.filter(|one| {
            self.established().is_none() && one.reset_ns == 0 && matches!(one.error, 0 | errno::ETIMEDOUT)
        })
    }

    /// Whether any payload of an answer had reached the prober's socket by the outcome, by the events alone.
    pub fn answer_began(&self) -> bool {
        self.connection.is_some_and(|one| {
            (one.response.is_some() || one.bytes.first_rx_ns > 0) && one.bytes.first_rx_ns <= self.attempt.ended_ns
        })
    }

    /// The looks near half of the time and before the outcome, each with the target's side.
    pub fn pair(&self) -> Option<Pair<'a>> {
        let (mid, late) = (self.mid?, self.late?);
        Some(Pair { mid, late, mid_target: mid.target.as_ref()?, late_target: late.target.as_ref()? })
    }

    /// The looks of this try, in order, those after the outcome included.
    pub fn looks(&self) -> impl Iterator<Item = &'a Observation> {
        let began_ns = self.began_ns;
        self.attempt.looks.iter().filter(move |look| look.at_ns >= began_ns)
    }

    /// The targets' sides of [`Self::looks`].
    pub fn targets(&self) -> impl Iterator<Item = (&'a Observation, &'a TargetState)> {
        self.looks().filter_map(|look| Some((look, look.target.as_ref()?)))
    }

    /// The server's end of the deciding connection in one look.
    pub fn child(&self, target: &'a TargetState) -> Option<&'a SocketState> {
        let local = self.connection?.local;
        target.child.as_ref().filter(|child| same(child.remote, local))
    }

    /// The prober's end of the deciding connection in one look.
    pub fn prober_socket(&self, look: &'a Observation) -> Option<&'a SocketState> {
        let local = self.connection?.local;
        look.prober_socket.as_ref().filter(|socket| same(socket.local, local))
    }

    /// Whether the *absence* of this hook's event means anything; else what was in the way.
    pub fn absence_counts(&self, hook: &str) -> Result<(), String> {
        if !self.context.start.hooks.iter().any(|one| one == hook) {
            return Err(format!("needs the hook {hook}, which is not attached here"));
        }
        if !self.attempt.no_loss {
            return Err(format!("events were lost meanwhile: that {hook} reported nothing proves nothing"));
        }
        Ok(())
    }

    /// Age of the probed container at the begin, where its start is known.
    pub fn container_age_ns(&self) -> Option<u64> {
        let started = self.probe()?.container.started_at_wall_ns;
        let age = self.context.clock.wall_of(self.attempt.began_ns).saturating_sub(started);
        if started == 0 { None } else { u64::try_from(age).ok() }
    }

    /// How long the manifest lets it fail after its start: initialDelaySeconds + failureThreshold × periodSeconds.
    pub fn budget_ns(&self) -> Option<u64> {
        let probe = self.probe()?;
        Some(probe.initial_delay_ns.saturating_add(probe.period_ns.saturating_mul(probe.failure_threshold.into())))
    }

    /// `GET /healthz`, where the request was seen; else what the manifest says.
    pub fn request(&self) -> String {
        if let Some((method, path)) = self.connection.and_then(Connection::http_request) {
            return format!("{method} {path}");
        }
        match self.probe().map(|probe| &probe.handler) {
            Some(Handler::Http { path, .. }) => format!("GET {}", path.split('?').next().unwrap_or(path)),
            _ => "the request".into(),
        }
    }

    /// What a reader must know besides, whatever the cause.
    pub fn notes(&self) -> Vec<Evidence> {
        let mut notes = Vec::new();
        let mut note = |what: &str, value: String, source: &str| {
            notes.push(Evidence { what: what.into(), value, source: source.into() });
        };
        if self.probe().is_some_and(|probe| probe.container.deleting) && self.attempt.outcome != Outcome::Success {
            let why = "readiness probes go on after SIGTERM, failures are expected";
            note("the pod is being deleted", why.into(), "metadata.deletionTimestamp");
        }
        if !self.attempt.ambiguous.is_empty() {
            let others = self.attempt.ambiguous.len();
            note("the probe is ambiguous", text::count(others as u64, "other candidate"), "attribution");
        }
        notes
    }
}

/// Two looks of one attempt between which counters are compared.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// Near half of the time.
    pub mid: &'a Observation,
    /// Just before the outcome.
    pub late: &'a Observation,
    /// Target's side at the first.
    pub mid_target: &'a TargetState,
    /// Target's side at the second.
    pub late_target: &'a TargetState,
}

/// One end, whether IPv4 was written as such or mapped into IPv6.
pub fn same(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && one.ip().to_canonical() == other.ip().to_canonical()
}

/// `[::1]:80` and the like, mapped IPv4 written as IPv4.
pub fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// The same address family, mapped IPv4 being IPv4.
pub fn same_family(one: IpAddr, other: IpAddr) -> bool {
    one.to_canonical().is_ipv4() == other.to_canonical().is_ipv4()
}

/// `nginx (pid 71)` of a listener's holder.
pub fn holder(listener: &ListenerState) -> String {
    match (listener.comm.as_deref(), listener.pid) {
        (comm, Some(pid)) => text::process(comm.unwrap_or(""), pid),
        (Some(comm), None) => comm.into(),
        (None, None) => "an unknown process".into(),
    }
}
