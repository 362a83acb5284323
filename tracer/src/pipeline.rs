//! Runs the corridor live: what the kernel, the sources of specs and the looks say goes into the middle in one order;
//! records go out to the sink, requests back to the node.

pub mod feed;
mod housekeeping;

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use tokio::sync::mpsc;

use crate::{
    attempt::{Limits, Request},
    attribution::spec::SpecUpdate,
    clock,
    event::{Event, reorder::Reorder},
    filters::Filter,
    input::{Clock, Input, Losses, Prober, Start},
    middle::{Middle, Output},
    observation::Observation,
    record::Record,
    recording,
    sink::{Background, Ending},
};

use feed::KernelMessage;

/// Events that are put into order at one time.
const REORDER_EVENTS: usize = 65_536;
/// Between two readings of the loss counters: a verdict waits for the next.
const LOSSES_EVERY_NS: u64 = 200_000_000;
/// Between two rounds of housekeeping.
const HOUSE_EVERY_NS: u64 = 1_000_000_000;
/// How long, after being asked to stop, the evidence of open attempts is waited for.
const LINGER: Duration = Duration::from_millis(400);
/// Between two readings of the clocks, and two health records.
const CLOCK_EVERY_NS: u64 = 10_000_000_000;
/// Longer than an event takes from its hook to the middle.
const SETTLE_NS: u64 = 60_000_000;
/// Messages taken at once.
const BATCH: usize = 512;

/// The node, as the pipeline needs it: implemented by the kernel side, and by tests.
pub trait Node {
    /// Asks for a look; false: no room, it is lost and counted.
    fn ask(&mut self, request: Request) -> bool;
    /// Watches these endpoints; how many did not fit.
    fn set_targets(&mut self, targets: &[(IpAddr, u16)]) -> usize;
    /// Counters of the kernel programs.
    fn losses(&mut self) -> Losses;
    /// The sources that ran out of their budget, and what was left out of each; few, the worst first.
    fn over_budget(&mut self) -> Vec<(String, u64)>;
    /// Called about once a second with the number of connections that no source of specs knows: follow a restarted prober,
    /// look for new pods. The probers, where they changed.
    fn housekeeping(&mut self, unattributed: u64) -> Option<Vec<Prober>>;
}

/// What comes in.
pub struct Feeds {
    /// From the kernel programs.
    pub kernel: mpsc::Receiver<KernelMessage>,
    /// From the sources of specs.
    pub specs: mpsc::Receiver<SpecUpdate>,
    /// Answers to looks.
    pub observations: mpsc::Receiver<Observation>,
}

/// Where it goes.
pub struct Outlets {
    /// Records.
    pub sink: Option<Background>,
    /// Which records.
    pub filter: Filter,
    /// A recording of all inputs.
    pub recording: Option<recording::Writer>,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Asked to (signal, `q`, --duration).
    Asked,
    /// The reader of the output is gone.
    ClosedPipe,
    /// The kernel side ended by itself.
    KernelGone,
}

/// The live run.
pub struct Pipeline<N> {
    node: N,
    middle: Middle,
    reorder: Reorder,
    outlets: Outlets,
    name: String,
    outputs: Vec<Output>,
    ordered: Vec<Event>,
    losses: Losses,
    /// Requests that found no room, targets that did not fit.
    looks_dropped: u64,
    targets_dropped: u64,
    /// Problems by source, as told last.
    problems: BTreeMap<&'static str, Vec<String>>,
    next_losses_ns: u64,
    next_clock_ns: u64,
    next_house_ns: u64,
    last_tick_ns: u64,
}

impl<N: Node> Pipeline<N> {
    /// Begins with `start` as the first input.
    pub fn new(node: N, start: Start, limits: Limits, outlets: Outlets) -> Self {
        let now_ns = start.clock.mono_ns;
        let mut pipeline = Self {
            node,
            middle: Middle::new(limits),
            reorder: Reorder::new(REORDER_EVENTS),
            outlets,
            name: start.node.clone(),
            outputs: Vec::new(),
            ordered: Vec::new(),
            losses: Losses::default(),
            looks_dropped: 0,
            targets_dropped: 0,
            problems: BTreeMap::new(),
            next_losses_ns: now_ns,
            next_clock_ns: now_ns + CLOCK_EVERY_NS,
            next_house_ns: now_ns + HOUSE_EVERY_NS,
            last_tick_ns: 0,
        };
        pipeline.feed(&Input::Start(start));
        pipeline
    }

    /// Runs until `stop` resolves or the output ends; then drains what the kernel still has and closes every attempt.
    pub async fn run(&mut self, feeds: &mut Feeds, stop: impl Future<Output = ()>) -> Ended {
        tokio::pin!(stop);
        let mut batch = Vec::with_capacity(BATCH);
        let mut every = tokio::time::interval(Duration::from_millis(200));
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            self.keep_house();
            tokio::select! {
                biased;
                () = &mut stop => return Ended::Asked,
                Some(update) = feeds.specs.recv() => self.learn(update),
                Some(observation) = feeds.observations.recv() => self.observe(observation),
                count = feeds.kernel.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        return Ended::KernelGone;
                    }
                    for message in batch.drain(..) {
                        self.take(message);
                    }
                }
                _ = every.tick() => {}
            }
            match self.outlets.sink.as_ref().and_then(Background::ending) {
                Some(Ending::Quit) => return Ended::Asked,
                Some(Ending::ClosedPipe) => return Ended::ClosedPipe,
                None => {}
            }
        }
    }

    /// After a stop was asked for: lets looks answer and deadlines pass that are due now, so that what ended just before
    /// is judged by its evidence. At most [`LINGER`].
    pub async fn linger(&mut self, feeds: &mut Feeds) {
        let until = tokio::time::sleep(LINGER);
        tokio::pin!(until);
        let settled_ns = clock::mono_now_ns() + SETTLE_NS;
        while self.middle.counters().open > 0 || clock::mono_now_ns() < settled_ns {
            self.keep_house();
            tokio::select! {
                biased;
                () = &mut until => return,
                Some(observation) = feeds.observations.recv() => self.observe(observation),
                Some(message) = feeds.kernel.recv() => self.take(message),
                else => return,
            }
        }
    }

    /// Takes what is left in the channels, ends the middle and the outlets. Call after the kernel side was stopped. False:
    /// an output or the recording failed, and records or inputs are missing there.
    pub async fn finish(mut self, feeds: &mut Feeds) -> bool {
        while let Some(message) = feeds.kernel.recv().await {
            self.take(message);
        }
        while let Ok(observation) = feeds.observations.try_recv() {
            self.observe(observation);
        }
        let now_ns = clock::mono_now_ns();
        self.reorder.drain(&mut self.ordered);
        self.deliver();
        self.read_losses(now_ns);
        self.feed(&Input::Stop { now_ns });
        self.emit_health();
        self.end_outlets()
    }

    fn take(&mut self, message: KernelMessage) {
        match message {
            KernelMessage::Event(event) => {
                self.reorder.push(event, &mut self.ordered);
                self.deliver();
            }
            KernelMessage::Drained { at_ns } => {
                self.reorder.release(at_ns, &mut self.ordered);
                self.deliver();
                self.tick(at_ns);
            }
        }
    }

    /// Gives the middle the events whose turn has come.
    fn deliver(&mut self) {
        let mut ordered = std::mem::take(&mut self.ordered);
        for event in ordered.drain(..) {
            self.feed(&Input::Event(event));
        }
        self.ordered = ordered;
    }

    /// Takes what waits already, without waiting: the first specs, before anybody is told that we are ready.
    pub fn take_waiting(&mut self, feeds: &mut Feeds) {
        while let Ok(update) = feeds.specs.try_recv() {
            self.learn(update);
        }
    }

    fn learn(&mut self, update: SpecUpdate) {
        self.tell_problems(&update);
        self.feed(&Input::Specs(update));
    }

    /// A tick only where somebody waits for it: an idle node's recording stays small.
    fn tick(&mut self, now_ns: u64) {
        let is_due = self.middle.next_deadline().is_some_and(|deadline_ns| deadline_ns <= now_ns);
        if is_due || now_ns >= self.last_tick_ns + HOUSE_EVERY_NS {
            self.last_tick_ns = now_ns;
            self.feed(&Input::Tick { now_ns });
        }
    }

    fn feed(&mut self, input: &Input) {
        self.record(input);
        let mut outputs = std::mem::take(&mut self.outputs);
        self.middle.feed(input, &mut outputs);
        for output in outputs.drain(..) {
            match output {
                Output::Record(record) => self.emit(record),
                Output::Ask(request) => {
                    if !self.node.ask(request) {
                        self.looks_dropped += 1;
                    }
                }
                Output::Targets(targets) => self.targets_dropped = self.node.set_targets(&targets) as u64,
            }
        }
        self.outputs = outputs;
    }

    fn observe(&mut self, observation: Observation) {
        self.feed(&Input::Observation(observation));
    }

    fn emit(&self, record: Record) {
        if let Some(sink) = &self.outlets.sink
            && self.outlets.filter.keeps(&record)
        {
            sink.send(record);
        }
    }

    fn read_clock(&mut self) {
        let clock = Clock::read();
        self.feed(&Input::Clock(clock));
    }
}
