//! Everything that knows aya: loads the kernel programs, attaches and tests them, reads what they emit.

mod btf;
mod cgroup2;
mod control;
#[cfg(feature = "kernel-log")]
mod debug_log;
mod decode;
mod error;
mod features;
mod format;
mod hooks;
mod load;
pub mod look;
mod losses;
mod maps;
mod object;
mod over_budget;
mod pidns;
mod ring;
mod selftest;
mod settings;
mod tracefs;
mod ways;

use std::{
    collections::HashSet,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use self::{
    control::Control,
    load::Loaded,
    maps::{Maps, TargetKey},
};
pub use self::{
    decode::{Decoder, Undecodable},
    error::StartError,
    features::{Answer, Feature, features},
    hooks::{HookState, HookStatus, ProgramCost},
    ring::{EventReader, Ringed, Stopper},
    selftest::bound_only,
    ways::WayChoice,
};
use crate::input::Losses;

/// Programs whose exec starts a tree of processes that may hold an exec probe: the kubelet's runtimes call them.
pub const RUNTIMES: [&str; 10] = [
    "runc",
    "crun",
    "youki",
    "conmon",
    "conmonrs",
    "docker-runc",
    "kata-runtime",
    "runsc",
    "nvidia-containe",
    "lxc-attach",
];

/// What to trace, and within which bounds.
#[derive(Clone, Debug)]
pub struct Config {
    /// Processes whose connections and children are probes, as this process sees their pids.
    pub probers: Vec<u32>,
    /// How sockets are claimed.
    pub way: WayChoice,
    /// Size of the ring, rounded up to a power of two of at least a page.
    pub ring_bytes: u32,
    /// Events per second that one source (a target's address, a tree of processes) may emit; 0: no limit.
    pub budget_per_s: u32,
    /// Names of container runtimes, cut to 15 bytes as the kernel does.
    pub runtimes: Vec<String>,
    /// The programs return at once, and nothing is tested: what the hooks themselves cost, for the bench.
    pub empty: bool,
    /// The programs' debug log goes into our own.
    #[cfg(feature = "kernel-log")]
    pub debug_log: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            probers: Vec::new(),
            way: WayChoice::Auto,
            ring_bytes: 4 << 20,
            budget_per_s: 2_000,
            runtimes: RUNTIMES.map(str::to_owned).to_vec(),
            empty: false,
            #[cfg(feature = "kernel-log")]
            debug_log: false,
        }
    }
}

/// The kernel programs at work. Dropping it detaches them all; so does the end of the process, however it ends.
pub struct Kernel {
    control: Arc<Mutex<Control>>,
    reader: Option<EventReader>,
    undecodable: Arc<AtomicU64>,
    targets: HashSet<TargetKey>,
    #[cfg(feature = "kernel-log")]
    _debug_log: Option<debug_log::DebugLog>,
}

impl Kernel {
    /// Loads, attaches and self-tests every hook; returns when all of that is done (about 0.3 s).
    ///
    /// # Errors
    /// Every [`StartError`]. A hook that is not essential is no error: see [`Self::hooks`].
    pub fn start(config: &Config) -> Result<Self, StartError> {
        let missing = features::missing_capabilities();
        if !missing.is_empty() {
            return Err(StartError::Privilege(missing));
        }
        tracefs::with(|tracefs| Self::start_with(config, tracefs))?
    }

    fn start_with(config: &Config, tracefs: &std::path::Path) -> Result<Self, StartError> {
        let loaded = load::load(config, tracefs)?;
        #[cfg(feature = "kernel-log")]
        let _debug_log = loaded.debug_log;
        let Loaded { mut control, mut ring, decoder, .. } = loaded;
        control.attach_fixed();
        if !config.empty {
            selftest::run(&mut control, &mut ring, &decoder).map_err(StartError::SelfTest)?;
        }
        let ready_ns = now_ns();
        let runtimes: Vec<_> = config.runtimes.iter().map(|name| comm(name)).collect();
        if Maps::set_keys(&mut control.maps.runtimes, &runtimes) > 0 {
            tracing::warn!("too many names of container runtimes: only the first 64 are known");
        }
        control.set_probers(&config.probers).map_err(|why| StartError::Hook { name: hooks::SET_STATE, why })?;
        let stopper = Stopper::new().map_err(|error| StartError::Load(error.to_string()))?;
        let control = Arc::new(Mutex::new(control));
        let undecodable = Arc::new(AtomicU64::new(0));
        let reader = EventReader {
            ring,
            decoder,
            stopper,
            control: Arc::clone(&control),
            undecodable: Arc::clone(&undecodable),
            ready_ns,
        };
        Ok(Self {
            control,
            reader: Some(reader),
            undecodable,
            targets: HashSet::new(),
            #[cfg(feature = "kernel-log")]
            _debug_log,
        })
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        // A panic elsewhere leaves maps and links usable.
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The events; there is one reader, `None` from the second call on.
    pub fn take_reader(&mut self) -> Option<EventReader> {
        self.reader.take()
    }

    /// Where each hook stands.
    pub fn hooks(&self) -> Vec<HookStatus> {
        self.control().hooks()
    }

    /// Which way claims new sockets, in words.
    pub fn way(&self) -> String {
        self.control().ways.describe()
    }

    /// Makes these the probers (at most 64) and attaches to their cgroups.
    ///
    /// # Errors
    /// The node-wide hook is needed for them and can't be attached.
    pub fn set_probers(&mut self, pids: &[u32]) -> Result<(), String> {
        self.control().set_probers(pids)
    }

    /// Makes these the probes' targets, whose resets and repeated SYN-ACKs are reported; returns how many did not
    /// fit (room is for 8192).
    pub fn set_targets(&mut self, targets: &[(IpAddr, u16)]) -> usize {
        let wanted: HashSet<_> = targets.iter().map(|(address, port)| TargetKey::new(*address, *port)).collect();
        let mut control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        for key in self.targets.difference(&wanted) {
            // Gone already: as wanted.
            let _ = control.maps.targets.remove(key);
        }
        let mut lost = 0;
        let mut present = HashSet::with_capacity(wanted.len());
        for key in wanted {
            if self.targets.contains(&key) || control.maps.targets.insert(key, 1, 0).is_ok() {
                present.insert(key);
            } else {
                lost += 1;
            }
        }
        drop(control);
        self.targets = present;
        lost
    }

    /// What each program has cost so far, while `sysctl kernel.bpf_stats_enabled` is 1.
    pub fn costs(&self) -> Vec<ProgramCost> {
        self.control().costs()
    }

    /// The sources that ran out of their budget, the worst first, at most 8: `10.0.0.7:8080` and what was left out.
    pub fn over_budget(&self) -> Vec<(String, u64)> {
        over_budget::worst(&self.control())
    }

    /// The loss counters since the start (the self-test's included). `late` and `channel_full` are the caller's.
    pub fn losses(&self) -> Losses {
        losses::losses(&self.control(), now_ns(), self.undecodable.load(Ordering::Relaxed))
    }
}

/// A process name as the kernel keeps it (TASK_COMM_LEN).
fn comm(name: &str) -> [u8; 16] {
    let mut comm = [0; 16];
    comm.iter_mut().take(15).zip(name.bytes()).for_each(|(to, from)| *to = from);
    comm
}

/// CLOCK_MONOTONIC.
fn now_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    (now.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(now.tv_nsec as u64)
}
