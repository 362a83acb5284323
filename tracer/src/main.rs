//! The `probetrace` command.
fn main() {}
