//! The reader of the ring: a plain thread of the caller's waits, decodes and hands on.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use aya::maps::{MapData, RingBuf};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::{control::Control, decode::Decoder, now_ns};
use crate::event::{Event, What};

/// How often it is said that the ring is empty when there are no events: time-outs are declared from that.
const IDLE: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// The same right after events: the wait for others of their time is over then.
const AFTER_EVENTS: Timespec = Timespec { tv_sec: 0, tv_nsec: 6_000_000 };

/// What comes out of the ring.
#[derive(Clone, Debug, PartialEq)]
pub enum Ringed {
    /// An event.
    Event(Event),
    /// All events that were in the ring at this time (CLOCK_MONOTONIC) have been given.
    Drained {
        /// Before the ring was found empty.
        at_ns: u64,
    },
}

/// Ends [`EventReader::run`] from any thread.
#[derive(Clone)]
pub struct Stopper(Arc<OwnedFd>);

impl Stopper {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)))
    }

    /// Ends it; what is in the ring is still delivered.
    pub fn stop(&self) {
        // It fails only when it has been written so often that it is readable anyway.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }
}

/// Delivers events.
pub struct EventReader {
    pub(super) ring: RingBuf<MapData>,
    pub(super) decoder: Decoder,
    pub(super) stopper: Stopper,
    pub(super) control: Arc<Mutex<Control>>,
    pub(super) undecodable: Arc<AtomicU64>,
    /// Older events are the self-test's.
    pub(super) ready_ns: u64,
}

impl EventReader {
    /// What ends [`Self::run`].
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Blocks; gives each event to `each` as it comes, nearly in the order of time, until it is stopped. After each time
    /// that the ring was found empty, at least every 20 ms, [`Ringed::Drained`].
    ///
    /// # Errors
    /// Waiting failed.
    pub fn run(&mut self, mut each: impl FnMut(Ringed)) -> io::Result<()> {
        let mut patience = IDLE;
        loop {
            // Before the ring: what came before the stop is delivered.
            let stopped = self.wait(patience)?;
            let at_ns = now_ns();
            patience = if self.drain(&mut each) { AFTER_EVENTS } else { IDLE };
            each(Ringed::Drained { at_ns });
            self.pass_time();
            if stopped {
                return Ok(());
            }
        }
    }

    /// True where it was stopped.
    fn wait(&self, patience: Timespec) -> io::Result<bool> {
        let ring = self.ring.as_fd();
        let mut fds = [PollFd::new(&ring, PollFlags::IN), PollFd::new(&self.stopper.0, PollFlags::IN)];
        match poll(&mut fds, Some(&patience)) {
            Ok(_) => Ok(!fds[1].revents().is_empty()),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// True where there was something.
    fn drain(&mut self, each: &mut impl FnMut(Ringed)) -> bool {
        let mut any = false;
        while let Some(bytes) = self.ring.next() {
            any = true;
            let event = self.decoder.decode(&bytes);
            drop(bytes);
            let Ok(event) = event else {
                self.undecodable.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            let born_ns = if let What::Sock(sock) = &event.what { sock.born_ns } else { event.at_ns };
            if event.at_ns < self.ready_ns || born_ns < self.ready_ns {
                continue;
            }
            if let What::Sock(sock) = &event.what {
                let mut control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(order) = control.ways.observe(sock, event.at_ns) {
                    control.obey(order);
                }
            }
            each(Ringed::Event(event));
        }
        any
    }

    fn pass_time(&self) {
        let mut control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(order) = control.ways.tick(now_ns()) {
            control.obey(order);
        }
    }
}
