//! A sink on a thread of its own: a terminal that is stopped (Ctrl-S) or a pipe that nobody reads must not hold up
//! tracing. The queue is bounded; what does not fit is counted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::{clock, record::Record};

use super::{Flow, Sink, SinkError};

/// Records that wait for a slow output.
const QUEUE: usize = 4096;
/// Between two ticks of the sink.
const TICK: Duration = Duration::from_millis(100);

/// Handle of the thread.
pub struct Background {
    queue: SyncSender<Option<Record>>,
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
    /// Closed when the thread has ended.
    ended: Receiver<()>,
}

#[derive(Default)]
struct Shared {
    dropped: AtomicU64,
    failed: AtomicU64,
    ending: AtomicU8,
}

/// Why the output wants the run to end; both are no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The user asked for it.
    Quit,
    /// The reader is gone.
    ClosedPipe,
}

/// Records that were not given out, for `health` (`sink_dropped`, `sink_failed`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unsent {
    /// The queue was full.
    pub dropped: u64,
    /// The output gave an error.
    pub failed: u64,
}

impl Background {
    /// Starts the thread.
    pub fn spawn(sink: Box<dyn Sink>) -> std::io::Result<Self> {
        let (queue, records) = sync_channel(QUEUE);
        let (alive, ended) = sync_channel(1);
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("sink".to_owned()).spawn(move || {
            work(sink, &records, &of_thread);
            drop(alive);
        })?;
        Ok(Self { queue, shared, thread, ended })
    }

    /// Queues one record; never waits.
    pub fn send(&self, record: Record) {
        match self.queue.try_send(Some(record)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Whether the run should end; ask now and then.
    pub fn ending(&self) -> Option<Ending> {
        match self.shared.ending.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(Ending::Quit),
            _ => Some(Ending::ClosedPipe),
        }
    }

    /// So far.
    pub fn unsent(&self) -> Unsent {
        Unsent {
            dropped: self.shared.dropped.load(Ordering::Relaxed),
            failed: self.shared.failed.load(Ordering::Relaxed),
        }
    }

    /// Gives out what is queued and ends the sink, waiting at most `patience` for an output that takes nothing; then
    /// the thread is left behind, for the process to end it.
    pub fn finish(self, patience: Duration) -> Unsent {
        let deadline = Instant::now() + patience;
        // A full queue has room again as soon as the output takes one record.
        let mut farewell = None;
        while let Err(TrySendError::Full(message)) = self.queue.try_send(farewell) {
            farewell = message;
            if Instant::now() >= deadline {
                return self.unsent();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let has_ended = self.ended.recv_timeout(left) == Err(RecvTimeoutError::Disconnected);
        let unsent = self.unsent();
        if has_ended && self.thread.join().is_err() {
            tracing::error!("the thread of the output ended with a panic");
        }
        unsent
    }
}

/// The thread: until it is told to end, or the output says so.
fn work(mut sink: Box<dyn Sink>, records: &Receiver<Option<Record>>, shared: &Shared) {
    let mut next_tick = Instant::now();
    let mut was_told = false;
    loop {
        let until_tick = next_tick.saturating_duration_since(Instant::now());
        let result = if until_tick.is_zero() {
            next_tick = Instant::now() + TICK;
            sink.tick(clock::mono_now_ns())
        } else {
            match records.recv_timeout(until_tick) {
                Ok(Some(record)) => sink.record(&record).map(|()| Flow::Continue),
                Ok(None) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => continue,
            }
        };
        match result {
            Ok(Flow::Continue) => {}
            Ok(Flow::Quit) => shared.ending.store(1, Ordering::Relaxed),
            Err(SinkError::ClosedPipe) => {
                shared.ending.store(2, Ordering::Relaxed);
                break;
            }
            Err(error) => {
                shared.failed.fetch_add(1, Ordering::Relaxed);
                if !was_told {
                    tracing::error!("{error}");
                }
                was_told = true;
            }
        }
    }
    match sink.finish() {
        Ok(()) => {}
        Err(SinkError::ClosedPipe) => shared.ending.store(2, Ordering::Relaxed),
        Err(error) => tracing::error!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, sync::mpsc};

    use super::*;
    use crate::sink::{Jsonl, samples};

    /// Tells each call, and takes records only while it gets permits.
    struct Gated(mpsc::Sender<&'static str>, Receiver<Result<Flow, SinkError>>);

    impl Sink for Gated {
        fn record(&mut self, _: &Record) -> Result<(), SinkError> {
            self.0.send("record").unwrap();
            self.1.recv().unwrap_or(Ok(Flow::Continue)).map(|_| ())
        }

        fn finish(&mut self) -> Result<(), SinkError> {
            self.0.send("finish").unwrap();
            Ok(())
        }
    }

    fn gated() -> (Background, Receiver<&'static str>, mpsc::Sender<Result<Flow, SinkError>>) {
        let (calls, seen) = mpsc::channel();
        let (permits, gate) = mpsc::channel();
        (Background::spawn(Box::new(Gated(calls, gate))).unwrap(), seen, permits)
    }

    #[test]
    fn a_stuck_output_holds_nothing_up_and_the_loss_is_counted() {
        let (background, calls, permits) = gated();
        background.send(samples::health());
        assert_eq!(calls.recv().unwrap(), "record");
        for _ in 0..QUEUE + 5 {
            background.send(samples::health());
        }
        assert_eq!(background.unsent().dropped, 5);
        let unsent = background.finish(Duration::from_millis(20));
        assert_eq!(unsent, Unsent { dropped: 5, failed: 0 });
        drop(permits);
    }

    #[test]
    fn all_queued_records_come_before_the_end() {
        let (background, calls, permits) = gated();
        (0..10).for_each(|_| background.send(samples::health()));
        drop(permits);
        background.finish(Duration::from_secs(10));
        let calls: Vec<_> = calls.iter().collect();
        assert_eq!(calls.iter().filter(|call| **call == "record").count(), 10);
        assert_eq!(calls.last(), Some(&"finish"));
    }

    #[test]
    fn errors_are_counted_and_it_goes_on() {
        let (background, _calls, permits) = gated();
        permits.send(Err(SinkError::Full("x".into()))).unwrap();
        permits.send(Ok(Flow::Continue)).unwrap();
        (0..2).for_each(|_| background.send(samples::health()));
        assert_eq!(background.finish(Duration::from_secs(10)), Unsent { dropped: 0, failed: 1 });
    }

    #[test]
    fn a_closed_pipe_asks_for_the_end() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let background = Background::spawn(Box::new(Jsonl::new(writer, "pipe"))).unwrap();
        background.send(samples::health());
        let mut byte = [0];
        reader.read_exact(&mut byte).unwrap();
        assert_eq!((byte, background.ending()), (*b"{", None));
        drop(reader);
        background.send(samples::health());
        // The thread ends by itself.
        assert_eq!(background.ended.recv(), Err(mpsc::RecvError));
        assert_eq!(background.ending(), Some(Ending::ClosedPipe));
    }
}
