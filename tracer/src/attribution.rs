//! Whose probe an event belongs to.

pub mod spec;
