//! From the facts of one attempt to one cause. Pure: no I/O; time comes with the facts.
//!
//! Each cause is a [`engine::Rule`]: what must be seen, and which rivals must be excluded. How a rival's absence is known
//! stands once for all rules, in [`rivals`]. The engine alone grants `proven`.

pub mod application;
pub mod budget;
pub mod cause;
pub mod engine;
pub mod exec;
pub mod healthy;
pub mod http;
pub mod listener;
pub mod look;
pub mod node;
pub mod path;
pub mod process_time;
pub mod refused;
pub mod rivals;
pub mod stopped;
pub mod suspects;
#[cfg(test)]
pub mod testing;
pub mod text;
pub mod unknown;
pub mod view;

#[cfg(test)]
mod properties;

pub use cause::Cause;
pub use engine::{Considered, consider, judge};

use crate::input::{Clock, Start};

/// What a verdict may know besides the attempt.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// What is true for the whole run: hooks that work, what is lacking.
    pub start: &'a Start,
    /// The newest reading of the clocks.
    pub clock: Clock,
}
