//! The running sources of specs: each is looked at in a task of its own, and every change is sent on.
//!
//! A source's first look happens before [`Sources::start`] returns. A full channel holds the source back: it looks
//! again when the channel has room, so nothing queues up. A source that fails keeps what it said last.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::{
    file::{FileError, TargetsFile},
    kubelet::{self, Kubelet},
    manifest::Manifests,
    spec::{SpecSource, SpecUpdate},
    static_pods::StaticPods,
};

/// Shortest time between two looks at one source, however often it is kicked.
const MIN_LOOK_GAP: Duration = Duration::from_millis(250);

/// CLOCK_MONOTONIC in ns.
pub type ClockFn = fn() -> u64;

/// Which sources to use.
#[derive(Clone, Debug, Default)]
pub struct SourcesConfig {
    /// `--targets FILE`.
    pub targets: Option<PathBuf>,
    /// Static-pod manifests: `Some` turns them on; the folders given, or if none the kubelet's own.
    pub static_pods: Option<Vec<PathBuf>>,
    /// The kubelet's `/pods`; `Some` turns it on.
    pub kubelet: Option<kubelet::KubeletConfig>,
    /// Node name: the suffix of static pods' names where the kubelet's flags have none.
    pub node: String,
    /// The prober as this process sees it, if it is a kubelet.
    pub kubelet_pid: Option<u32>,
}

/// The kubelet's pid, shared; it changes when the kubelet restarts.
#[derive(Clone, Debug, Default)]
pub struct KubeletPid(Arc<AtomicU32>);

impl KubeletPid {
    /// From what is known now.
    pub fn new(pid: Option<u32>) -> Self {
        Self(Arc::new(AtomicU32::new(pid.unwrap_or(0))))
    }

    /// `None` while there is none.
    pub fn get(&self) -> Option<u32> {
        Some(self.0.load(Ordering::Relaxed)).filter(|pid| *pid != 0)
    }
}

/// How a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// Its last look succeeded.
    Good,
    /// It is there but gives nothing usable now; what it said last, if anything, stays in use.
    Failing,
    /// It is there, but refuses us.
    Denied,
    /// It isn't there.
    Absent,
}

/// A source, for `doctor` and health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceStatus {
    /// Which kind.
    pub source: SpecSource,
    /// What is read, for people.
    pub name: String,
    /// How it is.
    pub state: SourceState,
    /// Probes that it knows.
    pub probes: usize,
    /// Problem lines in what it said last.
    pub problems: usize,
    /// CLOCK_MONOTONIC of the last change of its specs; `None` before the first.
    pub changed_at_ns: Option<u64>,
    /// Why it is not good, with the remedy; or, where it is good, a remark (a certificate that was not verified).
    pub remark: Option<String>,
}

/// What one look at a source gave.
#[derive(Debug)]
pub struct Looked {
    state: SourceState,
    /// All that the source says now; `None` if that is what it said before.
    manifests: Option<Manifests>,
    remark: Option<String>,
}

impl Looked {
    /// It works.
    pub fn good(manifests: Option<Manifests>) -> Self {
        Self { state: SourceState::Good, manifests, remark: None }
    }

    /// It doesn't; `why` has the remedy.
    pub fn bad(state: SourceState, why: String) -> Self {
        Self { state, manifests: None, remark: Some(why) }
    }

    /// Adds what people should know.
    pub fn with_remark(self, remark: Option<String>) -> Self {
        Self { remark, ..self }
    }
}

#[cfg(test)]
impl Looked {
    /// The specs (none if unchanged) and the remark.
    pub fn into_parts(self) -> (Manifests, Option<String>) {
        (self.manifests.unwrap_or_default(), self.remark)
    }

    /// Whether it failed into this state, and says why.
    pub fn is_bad(&self, state: SourceState) -> bool {
        self.state == state && self.manifests.is_none() && self.remark.is_some()
    }
}

/// Something that says which probes there are.
pub trait Source: Send + Sized + 'static {
    /// Its kind.
    const SOURCE: SpecSource;

    /// What is read, for people.
    fn name(&self) -> String;

    /// Until the next look.
    fn interval(&self) -> Duration;

    /// Somebody met a probe that no source knows.
    fn kicked(&mut self) {}

    /// Looks once. Dropping the future loses the source, so only a shutdown may do it.
    fn look(self) -> impl Future<Output = (Self, Looked)> + Send;
}

/// Runs file work of a source where it may block.
pub async fn blocking<S: Source>(source: S, work: fn(S) -> (S, Looked)) -> (S, Looked) {
    match tokio::task::spawn_blocking(move || work(source)).await {
        Ok(done) => done,
        // Cancelled, which only a runtime that goes down does: this task goes down with it.
        Err(_) => std::future::pending().await,
    }
}

/// The sources in their tasks. Dropping it ends them; [`Sources::stop`] also waits for that.
#[derive(Debug)]
pub struct Sources {
    statuses: Vec<Arc<Mutex<SourceStatus>>>,
    tasks: JoinSet<()>,
    stop: watch::Sender<()>,
    kick: watch::Sender<()>,
    kubelet_pid: KubeletPid,
}

impl Sources {
    /// Looks at every source once and starts their tasks. Only an unusable `--targets` file is an error; what else is
    /// wrong shows in [`Sources::status`]. Needs a tokio runtime.
    pub async fn start(
        config: SourcesConfig,
        clock: ClockFn,
        updates: mpsc::Sender<SpecUpdate>,
    ) -> Result<Self, FileError> {
        let kubelet_pid = KubeletPid::new(config.kubelet_pid);
        let mut sources = Self {
            statuses: Vec::new(),
            tasks: JoinSet::new(),
            stop: watch::Sender::new(()),
            kick: watch::Sender::new(()),
            kubelet_pid: kubelet_pid.clone(),
        };
        if let Some(path) = config.targets {
            let opened = tokio::task::spawn_blocking(move || TargetsFile::open(&path)).await;
            if let Ok(targets) = opened {
                sources.add(targets?, clock, &updates).await;
            }
        }
        if let Some(folders) = config.static_pods {
            sources.add(StaticPods::new(folders, config.node.clone(), kubelet_pid.clone()), clock, &updates).await;
        }
        if let Some(kubelet) = config.kubelet {
            sources.add(Kubelet::new(kubelet, config.node, kubelet_pid), clock, &updates).await;
        }
        Ok(sources)
    }

    /// How each source is, in the order file, static pods, kubelet.
    pub fn status(&self) -> Vec<SourceStatus> {
        self.statuses.iter().map(|status| lock(status).clone()).collect()
    }

    /// Somebody met a probe that no source knows: look soon, and often for a while.
    pub fn kick(&self) {
        self.kick.send_replace(());
    }

    /// The kubelet has restarted, or was found or lost.
    pub fn set_kubelet_pid(&self, pid: Option<u32>) {
        self.kubelet_pid.0.store(pid.unwrap_or(0), Ordering::Relaxed);
        self.kick.send_replace(());
    }

    /// Ends the tasks and waits for them.
    pub async fn stop(mut self) {
        self.stop.send_replace(());
        while self.tasks.join_next().await.is_some() {}
    }

    async fn add<S: Source>(&mut self, source: S, clock: ClockFn, updates: &mpsc::Sender<SpecUpdate>) {
        let status = Arc::new(Mutex::new(SourceStatus {
            source: S::SOURCE,
            name: source.name(),
            state: SourceState::Absent,
            probes: 0,
            problems: 0,
            changed_at_ns: None,
            remark: None,
        }));
        self.statuses.push(Arc::clone(&status));
        let mut task = Task { status, clock, updates: updates.clone(), last: None };
        let (source, looked) = source.look().await;
        let first = task.absorb(&source, looked);
        let (stop, kick) = (self.stop.subscribe(), self.kick.subscribe());
        self.tasks.spawn(task.run(source, first, stop, kick));
    }
}

fn lock(status: &Mutex<SourceStatus>) -> std::sync::MutexGuard<'_, SourceStatus> {
    status.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a source's task holds besides the source.
struct Task {
    status: Arc<Mutex<SourceStatus>>,
    clock: ClockFn,
    updates: mpsc::Sender<SpecUpdate>,
    last: Option<Manifests>,
}

impl Task {
    /// Sends the first update, then looks until the stop.
    async fn run<S: Source>(
        mut self,
        source: S,
        first: Option<SpecUpdate>,
        mut stop: watch::Receiver<()>,
        kick: watch::Receiver<()>,
    ) {
        tokio::select! {
            _ = stop.changed() => {}
            () = self.look_on(source, first, kick) => {}
        }
    }

    async fn look_on<S: Source>(
        &mut self,
        mut source: S,
        mut update: Option<SpecUpdate>,
        mut kick: watch::Receiver<()>,
    ) {
        loop {
            let looked_at = Instant::now();
            if let Some(update) = update.take()
                && self.updates.send(update).await.is_err()
            {
                return; // nobody listens any more
            }
            tokio::select! {
                () = sleep(source.interval()) => {}
                Ok(()) = kick.changed() => {
                    source.kicked();
                    sleep_until(looked_at + MIN_LOOK_GAP.min(source.interval())).await;
                }
            }
            let looked;
            (source, looked) = source.look().await;
            update = self.absorb(&source, looked);
        }
    }

    /// Notes the outcome; an update where the specs or their problems have changed.
    fn absorb<S: Source>(&mut self, source: &S, looked: Looked) -> Option<SpecUpdate> {
        let at_ns = (self.clock)();
        let mut status = lock(&self.status);
        (status.name, status.state, status.remark) = (source.name(), looked.state, looked.remark);
        let manifests = looked.manifests.filter(|manifests| self.last.as_ref() != Some(manifests))?;
        status.probes = manifests.probes.len();
        status.problems = manifests.problems.len();
        status.changed_at_ns = Some(at_ns);
        let Manifests { probes, problems, .. } = manifests.clone();
        self.last = Some(manifests);
        Some(SpecUpdate { at_ns, source: S::SOURCE, probes, problems })
    }
}

#[cfg(test)]
mod tests;
