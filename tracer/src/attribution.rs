//! Whose probe an event belongs to.

pub mod manifest;
pub mod spec;
