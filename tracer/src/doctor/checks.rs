//! The checks by group, in the order of the report.

mod cgroups;
mod kernel;
mod kubelet;
mod tuning;

use super::{Node, Row};

/// Runs all.
pub fn all(node: &Node, prober: &[String]) -> Vec<Row> {
    let mut rows = kernel::all(node);
    rows.extend(cgroups::all(node));
    rows.extend(kubelet::all(node, prober));
    rows.extend(tuning::all(node));
    rows
}
