//! Sets tracing up for `run` and `record`, runs it, and takes it down: prober, kernel programs, looks, sources of specs.

mod live;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use self::live::LiveNode;
use crate::{
    attempt::Limits,
    attribution::{
        kubelet::KubeletConfig,
        watch::{Sources, SourcesConfig},
    },
    cli::{TraceArgs, Way},
    clock,
    exit::{CantRun, Exit, Usage},
    input::{Clock, Prober, Start},
    instance::{self, Instance},
    kernel::{self, HookState, Kernel, WayChoice, look::Looker},
    pipeline::{Ended, Feeds, Outlets, Pipeline, feed},
    prober, sink,
};

/// Answers to looks, and spec updates, that may wait.
const LOOK_QUEUE: usize = 256;
const SPEC_QUEUE: usize = 16;
/// Exit code after a second Ctrl-C: 128 + SIGINT, as shells have it.
const INTERRUPTED: i32 = 130;

/// Traces until asked to stop.
///
/// # Errors
/// [`Usage`] for what the user gave, [`CantRun`] for what this node or user lacks.
pub fn trace(args: &TraceArgs, outlets: impl FnOnce() -> anyhow::Result<Outlets>) -> anyhow::Result<Exit> {
    let _instance = Instance::lock(&instance::run_dir())?;
    let found = prober::find(&args.prober).map_err(|error| CantRun(error.to_string()))?;
    tracing::info!("prober: {}", found.why);
    let kernel = Kernel::start(&kernel_config(args, &found)).map_err(|error| CantRun(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let end = runtime.block_on(run(args, found, kernel, outlets));
    runtime.shutdown_timeout(Duration::from_secs(2));
    end
}

async fn run(
    args: &TraceArgs,
    found: prober::Found,
    mut kernel: Kernel,
    outlets: impl FnOnce() -> anyhow::Result<Outlets>,
) -> anyhow::Result<Exit> {
    let stop = stop_requests(args.duration, args.ready_file.clone())?;
    let (spec_sender, specs) = mpsc::channel(SPEC_QUEUE);
    let node_name = node_name(args, &found);
    let start = start_input(&node_name, &found, &kernel);
    let is_degraded = !start.lacks.is_empty();
    let (looker, observations) = Looker::start(LOOK_QUEUE).context("starting the look thread")?;
    let reader = kernel.take_reader().context("the ring has no reader")?;
    let (feeder, kernel_messages) = feed::Feeder::start(reader).context("starting the ring's thread")?;
    let mut feeds = Feeds { kernel: kernel_messages, specs, observations };
    let sources = Sources::start(sources_config(args, &found, &node_name), clock::mono_now_ns, spec_sender)
        .await
        .map_err(|error| Usage(format!("--targets: {error}")))?;
    for status in sources.status() {
        tracing::info!(
            "specs: {}: {:?}, {} probes{}",
            status.name,
            status.state,
            status.probes,
            status.remark.map(|remark| format!(" ({remark})")).unwrap_or_default()
        );
    }
    let node = LiveNode::new(kernel, looker, found, sources, &args.prober).context("watching the prober")?;
    let mut pipeline = Pipeline::new(node, start, Limits::default(), outlets()?);
    // The first specs go in before anybody is told that we are ready.
    pipeline.take_waiting(&mut feeds);
    let ready = args.ready_file.as_deref().map(ReadyFile::write).transpose()?;
    let ended = pipeline.run(&mut feeds, stop).await;
    if ended == Ended::Asked {
        pipeline.linger(&mut feeds).await;
    }
    feeder.stop();
    let is_whole = pipeline.finish(&mut feeds).await;
    feeder.join();
    drop(ready);
    Ok(match ended {
        Ended::KernelGone => Exit::Degraded,
        Ended::Asked | Ended::ClosedPipe if !is_whole => Exit::Degraded,
        Ended::Asked | Ended::ClosedPipe if is_degraded => {
            tracing::warn!("some hooks were lacking: see `probetrace doctor`");
            Exit::Ok
        }
        Ended::Asked | Ended::ClosedPipe => Exit::Ok,
    })
}

pub(super) fn kernel_config(args: &TraceArgs, found: &prober::Found) -> kernel::Config {
    kernel::Config {
        probers: found.processes.iter().map(|process| process.pid).collect(),
        way: match args.way {
            Way::Auto => WayChoice::Auto,
            Way::Node => WayChoice::Node,
            Way::Cgroup => WayChoice::Cgroup,
        },
        ring_bytes: args.ring_bytes,
        budget_per_s: args.budget,
        #[cfg(feature = "kernel-log")]
        debug_log: args.kernel_log,
        ..kernel::Config::default()
    }
}

pub(super) fn sources_config(args: &TraceArgs, found: &prober::Found, node: &str) -> SourcesConfig {
    // A prober that is no kubelet has no pods of its own: only what the user names.
    let wants_static = found.is_kubelet || args.static_pods.is_some();
    let wants_kubelet = found.is_kubelet || args.kubelet_url.is_some();
    SourcesConfig {
        targets: args.targets.clone(),
        static_pods: wants_static.then(|| args.static_pods.clone().into_iter().collect()),
        kubelet: wants_kubelet.then(|| KubeletConfig {
            url: args.kubelet_url.clone(),
            ca: args.kubelet_ca.clone(),
            client_certificate: args.kubelet_client_certificate.clone(),
            client_key: args.kubelet_client_key.clone(),
            token_file: args.kubelet_token_file.clone(),
            insecure_token: args.kubelet_insecure_token,
        }),
        node: node.to_owned(),
        kubelet_pid: found.is_kubelet.then(|| found.processes.first().map(|process| process.pid)).flatten(),
    }
}

pub(super) fn start_input(node: &str, found: &prober::Found, kernel: &Kernel) -> Start {
    let hooks = kernel.hooks();
    let trimmed = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    Start {
        node: node.to_owned(),
        boot_id: trimmed("/proc/sys/kernel/random/boot_id"),
        kernel: trimmed("/proc/sys/kernel/osrelease"),
        clock: Clock::read(),
        probers: found
            .processes
            .iter()
            .map(|process| Prober { pid: process.pid, comm: process.comm.clone() })
            .collect(),
        is_kubelet: found.is_kubelet,
        hooks: hooks.iter().filter(|hook| hook.is_working()).map(|hook| hook.name.to_owned()).collect(),
        lacks: hooks
            .iter()
            .filter(|hook| matches!(hook.state, HookState::Failed(_) | HookState::Silent))
            .map(|hook| (hook.name.to_owned(), hook.lost_without.to_owned()))
            .collect(),
    }
}

/// --node, else the kubelet's --hostname-override, else the host's name.
pub(super) fn node_name(args: &TraceArgs, found: &prober::Found) -> String {
    let of_kubelet = || {
        let first = found.processes.first().filter(|_| found.is_kubelet)?;
        let argv = std::fs::read_to_string(format!("/proc/{}/cmdline", first.pid)).ok()?;
        let mut words = argv.split('\0');
        while let Some(word) = words.next() {
            match word.strip_prefix("--hostname-override") {
                Some("") => return words.next().map(str::to_owned),
                Some(rest) => return rest.strip_prefix('=').map(str::to_owned),
                None => {}
            }
        }
        None
    };
    let of_host = || rustix::system::uname().nodename().to_string_lossy().into_owned();
    args.node.clone().or_else(of_kubelet).filter(|name| !name.is_empty()).unwrap_or_else(of_host)
}

/// Resolves at the first SIGINT, SIGTERM or SIGHUP, or after `duration`. A second SIGINT ends the process at once: the
/// kernel takes the programs off by itself.
fn stop_requests(duration: Option<Duration>, ready_file: Option<PathBuf>) -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut hang_up = signal(SignalKind::hangup()).context("listening for SIGHUP")?;
    let (sender, mut receiver) = mpsc::channel::<()>(1);
    tokio::spawn(async move {
        let over = async {
            match duration {
                Some(duration) => tokio::time::sleep(duration).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
            () = over => {}
        }
        drop(sender);
        if interrupt.recv().await.is_some() {
            ready_file.iter().for_each(|path| remove_ready_file(path));
            sink::abandon_terminal();
            std::process::exit(INTERRUPTED);
        }
    });
    Ok(async move { while receiver.recv().await.is_some() {} })
}

/// Says that every hook is attached and self-tested; gone again at the end.
struct ReadyFile<'a>(&'a Path);

impl<'a> ReadyFile<'a> {
    fn write(path: &'a Path) -> anyhow::Result<Self> {
        std::fs::write(path, format!("{}\n", std::process::id())).map_err(|error| {
            Usage(format!("--ready-file {}: {error}; name a file in a folder that is there", path.display()))
        })?;
        Ok(Self(path))
    }
}

impl Drop for ReadyFile<'_> {
    fn drop(&mut self) {
        remove_ready_file(self.0);
    }
}

/// Only ours: another tracer may have been given the same path.
fn remove_ready_file(path: &Path) {
    if std::fs::read_to_string(path).is_ok_and(|text| text.trim() == std::process::id().to_string()) {
        // Gone already is as good.
        let _ = std::fs::remove_file(path);
    }
}
