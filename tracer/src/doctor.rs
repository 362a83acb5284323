//! What this node can show and what it can't: checks as data, shown as a table or as JSON lines. Changes nothing.

mod checks;
mod render;
mod row;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

pub use row::{Need, Row, State};

use crate::{exit::Exit, proc_dir::ProcDir};

/// The groups in the order of the report.
const GROUPS: [&str; 6] = ["permissions", "kernel", "cgroups", "kubelet", "tuning", "hooks"];

/// What `doctor` is asked.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// JSON lines rather than a table.
    pub json: bool,
    /// Colours (a terminal, and `NO_COLOR` is unset).
    pub colour: bool,
    /// `--prober`.
    pub prober: Vec<String>,
    /// Name of this node in the JSON lines.
    pub node: String,
    /// Rows of others (kernel features, hooks with their rungs, sources of specs); one of the same name replaces ours.
    pub extra_rows: Vec<Row>,
}

/// The node's files; a made-up tree in tests.
#[derive(Clone, Debug)]
pub struct Node {
    /// `/proc`.
    pub proc: ProcDir,
    /// `/sys`.
    pub sys: PathBuf,
}

impl Default for Node {
    fn default() -> Self {
        Self { proc: ProcDir::default(), sys: PathBuf::from("/sys") }
    }
}

impl Node {
    /// First word of a small file; `None`: it is not there or can't be read.
    fn value(&self, path: &Path) -> Option<String> {
        let text = crate::proc_dir::read_bounded(path, crate::proc_dir::MAX_FILE_BYTES).ok()?;
        text.split_ascii_whitespace().next().map(str::to_owned)
    }

    /// A sysctl of this network namespace by its path (`net/core/somaxconn`).
    fn sysctl(&self, name: &str) -> Option<String> {
        self.value(&self.proc.path("sys").join(name))
    }
}

/// Checks and prints: whether all is there, something is lost, or nothing can be traced.
///
/// # Errors
/// `out` took no more.
pub fn run(options: &Options, out: &mut dyn Write) -> io::Result<Exit> {
    let rows = rows(&Node::default(), options);
    if options.json {
        render::json(&rows, &options.node, out)?;
    } else {
        render::table(&rows, options.colour, out)?;
    }
    Ok(match () {
        () if rows.iter().any(Row::is_fatal) => Exit::CantTrace,
        () if rows.iter().all(Row::is_fine) => Exit::Ok,
        () => Exit::Degraded,
    })
}

/// All rows: ours, and the kernel side's.
pub fn rows(node: &Node, options: &Options) -> Vec<Row> {
    let mut rows = checks::all(node, &options.prober);
    rows.retain(|row| options.extra_rows.iter().all(|other| other.name != row.name));
    rows.extend(options.extra_rows.iter().cloned());
    rows.sort_by_key(|row| GROUPS.iter().position(|group| *group == row.group));
    rows
}

#[cfg(test)]
mod tests;
