//! Tests that run the real `probetrace` on real faults and a real kubelet. They need root; each says what it lacks.

#![cfg(test)]

mod bad_input;
mod clean;
mod common;
mod coverage;
mod demo;
mod kubelet;
mod prober;
mod signals;
mod table;
