//! The thread between the kernel's ring and the pipeline: a bounded channel, so that a slow middle holds up the ring,
//! where the kernel counts what it loses.

use std::{io, thread::JoinHandle};

use tokio::sync::mpsc;

use crate::{
    event::Event,
    kernel::{EventReader, Ringed, Stopper},
};

/// Messages that may wait for the pipeline.
const QUEUE: usize = 8192;

/// What the thread sends.
#[derive(Clone, Debug, PartialEq)]
pub enum KernelMessage {
    /// One event.
    Event(Event),
    /// All events that were in the ring at `at_ns` (CLOCK_MONOTONIC) have been sent.
    Drained {
        /// Before the ring was found empty.
        at_ns: u64,
    },
}

/// The thread.
pub struct Feeder {
    stopper: Stopper,
    thread: JoinHandle<()>,
}

impl Feeder {
    /// Starts it; the receiver ends when the thread does.
    ///
    /// # Errors
    /// No thread.
    pub fn start(mut reader: EventReader) -> io::Result<(Self, mpsc::Receiver<KernelMessage>)> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let stopper = reader.stopper();
        let thread = std::thread::Builder::new().name("ring".to_owned()).spawn(move || {
            let result = reader.run(|ringed| {
                let message = match ringed {
                    Ringed::Event(event) => KernelMessage::Event(event),
                    Ringed::Drained { at_ns } => KernelMessage::Drained { at_ns },
                };
                // The receiver is gone only when the run is over.
                let _ = sender.blocking_send(message);
            });
            if let Err(error) = result {
                tracing::error!("reading the ring: {error}");
            }
        })?;
        Ok((Self { stopper, thread }, receiver))
    }

    /// Ends the thread once what is in the ring has been sent; the receiver must go on taking.
    pub fn stop(&self) {
        self.stopper.stop();
    }

    /// Waits for its end.
    pub fn join(self) {
        if self.thread.join().is_err() {
            tracing::error!("the ring's thread ended by a panic");
        }
    }
}
