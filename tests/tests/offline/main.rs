//! Tests of the middle on recordings of real runs, and of parsers on any bytes: no root, no kernel, no clock.

#![cfg(test)]

mod bytes;
mod golden;
mod recordings;
mod removal;
