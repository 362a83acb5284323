//! Runs scenarios against the real tracer and judges what it says.

pub mod command;
pub mod join;
pub mod judge;
pub mod tracer;
pub mod world;
