//! `doctor --live`: one passing and one refused probe of its own through the whole corridor, with their verdicts.

use std::{
    io::{self, Write},
    net::IpAddr,
    time::Duration,
};

use anyhow::Context;
use tokio::{sync::mpsc, time::timeout};

use super::{super::trace, own_prober::OwnProber, own_targets::OwnTargets};
use crate::{
    attempt::{Limits, Request},
    cli::TraceArgs,
    exit::{CantRun, Exit},
    filters::Filter,
    input::{Losses, Prober},
    kernel::{Kernel, look::Looker},
    pipeline::{Feeds, Node, Outlets, Pipeline, feed::Feeder},
    prober,
    record::{AttemptRecord, Record},
    sink::{self, Background, Sink, SinkError, escape::for_terminal},
    verdict::Cause,
};

/// For both verdicts: an attempt's time-out of 1 s and 4 s for late evidence, the most that a verdict waits.
const PATIENCE: Duration = Duration::from_secs(5);
/// Records that may wait; there are two attempts and a few others.
const QUEUE: usize = 64;
/// What each probe must be found to be, by its kind.
const EXPECTED: [(&str, &str, Cause); 2] =
    [("liveness", "passing", Cause::None), ("readiness", "refused", Cause::NotListening)];

/// Probes, and says what was found; [`Exit::Degraded`] where that is not what was done.
///
/// # Errors
/// [`CantRun`] where no probe can be traced here.
pub(super) fn live(args: &TraceArgs, json: bool) -> anyhow::Result<Exit> {
    let prober = OwnProber::start().context("starting the prober (/proc/self/exe)")?;
    let found = prober::find(&[format!("pid:{}", prober.pid())]).map_err(|error| CantRun(error.to_string()))?;
    let kernel = Kernel::start(&trace::kernel_config(args, &found)).map_err(|error| CantRun(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let records = runtime.block_on(probe(args, &found, kernel, prober))?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    let mut out = io::stdout().lock();
    let mut all_right = true;
    for (kind, name, cause) in EXPECTED {
        let record = records.iter().find(|record| record.probe.as_ref().is_some_and(|probe| probe.kind == kind));
        match record {
            Some(record) if json => {
                let line = sink::json_line(&Record::Attempt(Box::new(record.clone())))?;
                writeln!(out, "{line}")?;
            }
            Some(record) => writeln!(out, "{name} probe: {}", in_words(record))?,
            None => {}
        }
        if let Err(wrong) = check(name, cause, record) {
            all_right = false;
            writeln!(io::stderr(), "probetrace: doctor --live: {wrong}")?;
        }
    }
    Ok(if all_right { Exit::Ok } else { Exit::Degraded })
}

fn check(name: &str, cause: Cause, record: Option<&AttemptRecord>) -> Result<(), String> {
    let expected = cause.id();
    match record {
        Some(record) if record.verdict.cause == expected => Ok(()),
        Some(record) => Err(format!(
            "the {name} probe was found to be `{}`, expected `{expected}`: do not trust verdicts on this node, and report \
             this with the output of `probetrace doctor -o json`",
            record.verdict.cause
        )),
        None => Err(format!(
            "the {name} probe was not seen within {} s: see `probetrace doctor` for hooks that are missing",
            PATIENCE.as_secs()
        )),
    }
}

/// `success after 0.4 ms: none (proven): …`
fn in_words(record: &AttemptRecord) -> String {
    let verdict = &record.verdict;
    let line = format!(
        "{} after {}: {} ({}): {}",
        sink::outcome_name(record.outcome),
        sink::duration(Some(record.latency_ns)),
        verdict.cause,
        sink::confidence_name(verdict.confidence),
        verdict.summary
    );
    for_terminal(&line, 1000)
}

/// Both probes through the pipeline; the attempts that came out of it in time.
async fn probe(
    args: &TraceArgs,
    found: &prober::Found,
    mut kernel: Kernel,
    mut prober: OwnProber,
) -> anyhow::Result<Vec<AttemptRecord>> {
    let targets = OwnTargets::open().await?;
    let start = trace::start_input(&trace::node_name(args, found), found, &kernel);
    let specs = targets.specs(&start.clock);
    let (looker, observations) = Looker::start(QUEUE).context("starting the look thread")?;
    let reader = kernel.take_reader().context("the ring has no reader")?;
    let (feeder, kernel_messages) = Feeder::start(reader).context("starting the ring's thread")?;
    let (spec_sender, spec_receiver) = mpsc::channel(1);
    spec_sender.send(specs).await.context("giving the specs")?;
    let mut feeds = Feeds { kernel: kernel_messages, specs: spec_receiver, observations };
    let (sender, mut closed) = mpsc::channel(QUEUE);
    let sink = Background::spawn(Box::new(Collect(sender))).context("starting the output")?;
    let outlets = Outlets { sink: Some(sink), filter: Filter::default(), recording: None };
    let mut pipeline = Pipeline::new(OwnNode { kernel, looker }, start, Limits::default(), outlets);
    // The targets must be known to the kernel before the probes begin.
    pipeline.take_waiting(&mut feeds);
    prober.probe(targets.passing, targets.refused).context("the prober has ended")?;
    let mut records = Vec::new();
    let all = async {
        while records.len() < EXPECTED.len()
            && let Some(record) = closed.recv().await
        {
            records.push(record);
        }
    };
    pipeline.run(&mut feeds, async { drop(timeout(PATIENCE, all).await) }).await;
    feeder.stop();
    pipeline.finish(&mut feeds).await;
    feeder.join();
    // What was still open is aborted now: that tells more than nothing.
    while let Ok(record) = closed.try_recv() {
        records.push(record);
    }
    Ok(records)
}

/// Keeps the attempts.
struct Collect(mpsc::Sender<AttemptRecord>);

impl Sink for Collect {
    fn record(&mut self, record: &Record) -> Result<(), SinkError> {
        if let Record::Attempt(attempt) = record {
            // No more than two are wanted: what does not fit is not one of them.
            let _ = self.0.try_send(attempt.as_ref().clone());
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// The node, with a prober that does not change.
struct OwnNode {
    kernel: Kernel,
    looker: Looker,
}

impl Node for OwnNode {
    fn ask(&mut self, request: Request) -> bool {
        self.looker.try_ask(request)
    }

    fn set_targets(&mut self, targets: &[(IpAddr, u16)]) -> usize {
        self.kernel.set_targets(targets)
    }

    fn losses(&mut self) -> Losses {
        self.kernel.losses()
    }

    fn over_budget(&mut self) -> Vec<(String, u64)> {
        self.kernel.over_budget()
    }

    fn housekeeping(&mut self, _unattributed: u64) -> Option<Vec<Prober>> {
        None
    }
}
