//! probetrace: why a Kubernetes probe failed, from the kernel's own evidence.

pub mod assemble;
pub mod attempt;
pub mod attribution;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod doctor;
pub mod event;
pub mod exit;
pub mod filters;
pub mod health;
pub mod input;
pub mod instance;
pub mod kernel;
pub mod logging;
pub mod middle;
pub mod observation;
pub mod pipeline;
pub mod prober;
pub mod proc_dir;
pub mod record;
pub mod recording;
pub mod sink;
pub mod verdict;
