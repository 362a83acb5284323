//! Lab and harness.
