//! `-o`.

use crate::sink::Format;

/// How records are shown.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct OutputArgs {
    /// Form of the output [default: table on a terminal, json in a pipe]
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub output: Option<Format>,
}
