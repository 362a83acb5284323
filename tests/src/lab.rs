//! Runs scenarios against the real tracer and judges what it says.

pub mod command;
pub mod coverage;
pub mod join;
pub mod judge;
pub mod tracer;
pub mod world;
