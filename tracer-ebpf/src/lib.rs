//! Kernel programs of probetrace. As a library (any target, `no_std`): the ABI that both sides share.
#![no_std]

pub mod abi;
