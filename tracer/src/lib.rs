//! probetrace: why a Kubernetes probe failed, from the kernel's own evidence.

pub mod attempt;
pub mod attribution;
pub mod event;
pub mod input;
pub mod observation;
pub mod record;
