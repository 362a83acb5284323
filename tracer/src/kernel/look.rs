//! Reads the node's state when the middle asks for it: a bounded queue in, a bounded queue out, one thread that may
//! enter network namespaces.

pub(crate) mod cgroup;
mod command;
mod counters;
mod listeners;
mod namespaces;
pub mod netns;
pub(crate) mod process;
pub mod sock_diag;
mod worker;

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;
use worker::Worker;

use crate::{attempt::Request, observation::Observation, proc_dir::ProcDir};

/// How often an idle worker closes what it does not need.
const IDLE_CHECK: Duration = Duration::from_secs(5);

/// Monotonic counters of the looks, for `health`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LookCounters {
    /// Requests that found room.
    pub asked: u64,
    /// Requests that did not.
    pub queue_full: u64,
    /// Answers given.
    pub answered: u64,
    /// Answers that nobody took in time.
    pub answers_dropped: u64,
    /// Answers that lack something.
    pub incomplete: u64,
    /// Looks that ran out of their time.
    pub cut_short: u64,
    /// Walks of /proc.
    pub proc_walks: u64,
    /// Processes, cgroups and namespaces that did not fit the index.
    pub index_full: u64,
    /// sock_diag sockets closed for others.
    pub sockets_evicted: u64,
    /// Time spent.
    pub busy_ns: u64,
    /// The longest look.
    pub longest_ns: u64,
}

/// The side that asks.
pub struct Looker {
    requests: SyncSender<Request>,
    counters: Arc<Mutex<LookCounters>>,
    worker: JoinHandle<()>,
}

impl Looker {
    /// Starts the worker; at most `queue` requests and as many answers wait.
    pub fn start(queue: usize) -> io::Result<(Self, mpsc::Receiver<Observation>)> {
        Self::start_on(ProcDir::default(), queue)
    }

    /// The same over another proc file system (`/host/proc`).
    pub fn start_on(proc: ProcDir, queue: usize) -> io::Result<(Self, mpsc::Receiver<Observation>)> {
        let (requests, incoming) = sync_channel(queue);
        let (answers, outgoing) = mpsc::channel(queue.max(1));
        let counters = Arc::default();
        let worker = std::thread::Builder::new().name("look".to_owned()).spawn({
            let counters = Arc::clone(&counters);
            move || run(Worker::new(proc), &incoming, &answers, &counters)
        })?;
        Ok((Self { requests, counters, worker }, outgoing))
    }

    /// Never blocks; false: the queue is full (counted).
    pub fn try_ask(&self, request: Request) -> bool {
        let fits = self.requests.try_send(request).is_ok();
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        *(if fits { &mut counters.asked } else { &mut counters.queue_full }) += 1;
        fits
    }

    /// As of the last look.
    pub fn counters(&self) -> LookCounters {
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers what waits, then ends.
    pub fn stop(self) {
        drop(self.requests);
        if self.worker.join().is_err() {
            tracing::error!("the look thread ended by a panic");
        }
    }
}

fn run(
    mut worker: Worker,
    requests: &Receiver<Request>,
    answers: &mpsc::Sender<Observation>,
    counters: &Mutex<LookCounters>,
) {
    loop {
        match requests.recv_timeout(IDLE_CHECK) {
            Ok(request) => {
                let answer = worker.answer(&request);
                let mut counters = counters.lock().unwrap_or_else(PoisonError::into_inner);
                count(&mut counters, &worker, &answer);
                *(if answers.try_send(answer).is_ok() {
                    &mut counters.answered
                } else {
                    &mut counters.answers_dropped
                }) += 1;
            }
            Err(RecvTimeoutError::Timeout) => worker.diag.close_idle(Instant::now()),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn count(counters: &mut LookCounters, worker: &Worker, answer: &Observation) {
    let took = answer.done_ns.saturating_sub(answer.at_ns);
    counters.incomplete += u64::from(!answer.failures.is_empty());
    counters.cut_short = worker.cut_short;
    counters.proc_walks = worker.index.refreshes;
    counters.index_full = worker.index.cut;
    counters.sockets_evicted = worker.diag.evicted;
    counters.busy_ns += took;
    counters.longest_ns = counters.longest_ns.max(took);
}
