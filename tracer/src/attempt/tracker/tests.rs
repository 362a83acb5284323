//! One test for each sentence of the kubelet's rules that the tracker relies on.

mod grouping;
mod late;
mod outcomes;
