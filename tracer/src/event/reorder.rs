//! Puts events of several CPUs into the order of their time.
