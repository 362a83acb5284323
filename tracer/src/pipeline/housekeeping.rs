//! What the pipeline does now and then: counters, clocks, health, the recording's errors.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    attribution::spec::SpecUpdate,
    clock, health,
    input::{Clock, Input},
    record::{AttemptsRecord, Record},
    sink::Ending,
};

use super::{CLOCK_EVERY_NS, HOUSE_EVERY_NS, LOSSES_EVERY_NS, Node, Pipeline};

/// How long a slow output may take at the end.
const PATIENCE: Duration = Duration::from_secs(2);

impl<N: Node> Pipeline<N> {
    pub(super) fn keep_house(&mut self) {
        let now_ns = clock::mono_now_ns();
        if now_ns >= self.next_losses_ns {
            self.next_losses_ns = now_ns + LOSSES_EVERY_NS;
            self.read_losses(now_ns);
        }
        if now_ns >= self.next_house_ns {
            self.next_house_ns = now_ns + HOUSE_EVERY_NS;
            if let Some(probers) = self.node.housekeeping(self.middle.counters().unattributed) {
                self.feed(&Input::Probers { at_ns: now_ns, probers });
            }
            if let Some(writer) = &mut self.outlets.recording
                && let Err(error) = writer.flush()
            {
                tracing::error!("the recording is incomplete from here on: {error}");
            }
        }
        if now_ns >= self.next_clock_ns {
            self.next_clock_ns = now_ns + CLOCK_EVERY_NS;
            self.read_clock();
            self.emit_health();
        }
    }

    pub(super) fn read_losses(&mut self, now_ns: u64) {
        self.losses = self.node.losses();
        self.losses.at_ns = now_ns;
        self.losses.late = self.reorder.late();
        self.losses.channel_full = self.looks_dropped;
        let losses = self.losses;
        self.feed(&Input::Losses(losses));
    }

    pub(super) fn emit_health(&mut self) {
        let counters = self.middle.counters();
        let mut bounds: BTreeMap<String, u64> = counters.bounds.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect();
        let unsent = self.outlets.sink.as_ref().map(crate::sink::Background::unsent).unwrap_or_default();
        bounds.extend([
            ("looks_dropped".to_owned(), self.looks_dropped),
            ("recording_failed".to_owned(), self.recording_dropped()),
            ("sink_dropped".to_owned(), unsent.dropped),
            ("sink_failed".to_owned(), unsent.failed),
            ("targets_dropped".to_owned(), self.targets_dropped),
        ]);
        if self.losses.over_budget > 0 {
            let sources = self.node.over_budget();
            bounds.extend(sources.into_iter().map(|(source, dropped)| (format!("over_budget {source}"), dropped)));
        }
        let attempts = AttemptsRecord {
            open: counters.open,
            closed: counters.closed,
            unattributed: counters.unattributed,
            ambiguous: counters.ambiguous,
            dropped: counters.dropped,
        };
        let at = clock::rfc3339(Clock::read().wall_ns);
        let own = health::OwnCost::read();
        self.emit(Record::Health(health::health_record(&self.name, at, &self.losses, attempts, bounds, own)));
    }

    /// A full disk ends the recording's growth, not the tracing: said once, counted for each input.
    pub(super) fn record(&mut self, input: &Input) {
        let Some(writer) = &mut self.outlets.recording else { return };
        if let Err(error) = writer.write(input) {
            tracing::error!("the recording is incomplete from here on: {error}");
        }
    }

    /// Inputs that are missing in the recording.
    fn recording_dropped(&self) -> u64 {
        self.outlets.recording.as_ref().map(|writer| writer.written().dropped).unwrap_or_default()
    }

    /// Whether all that came went out.
    pub(super) fn end_outlets(self) -> bool {
        let mut is_whole = true;
        if let Some(writer) = self.outlets.recording {
            match writer.finish() {
                Ok(written) if written.dropped == 0 => tracing::info!(?written, "recording closed"),
                Ok(written) => {
                    is_whole = false;
                    tracing::error!("the recording is not whole: {} inputs are missing at its end", written.dropped);
                }
                Err(error) => {
                    is_whole = false;
                    tracing::error!("the recording's end is missing: {error}");
                }
            }
        }
        if let Some(sink) = self.outlets.sink {
            let has_reader = sink.ending() != Some(Ending::ClosedPipe);
            let unsent = sink.finish(PATIENCE);
            if unsent.failed > 0 {
                is_whole = false;
                tracing::error!("{} records were not given out: the output failed", unsent.failed);
            }
            if unsent.dropped > 0 && has_reader {
                tracing::warn!("{} records were not given out: the output was too slow", unsent.dropped);
            }
        }
        is_whole
    }

    /// Says what is wrong with what a source says of pods and probes; again only after a change.
    pub(super) fn tell_problems(&mut self, update: &SpecUpdate) {
        let told = self.problems.entry(update.source.name()).or_default();
        for problem in update.problems.iter().filter(|problem| !told.contains(problem)) {
            tracing::warn!("specs from {}: {problem}", update.source.name());
        }
        told.clone_from(&update.problems);
    }
}
