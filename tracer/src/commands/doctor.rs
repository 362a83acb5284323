//! `doctor`: what this node can show, hook by hook; or, live, two probes of its own.

mod kernel_rows;
mod live;
mod own_prober;
mod own_targets;
mod spec_rows;

use std::io;

use super::trace;
use crate::{
    cli::DoctorArgs,
    doctor::{self, Options},
    exit::Exit,
    prober::{self, Found},
    sink::{Format, Surroundings},
};

/// Checks, prints, and says how it stands.
pub(super) fn doctor(args: &DoctorArgs) -> anyhow::Result<Exit> {
    if args.be_prober {
        own_prober::main()?;
        return Ok(Exit::Ok);
    }
    let surroundings = Surroundings::read();
    let json = surroundings.choose(args.output.output, false) == Format::Jsonl;
    if args.live {
        return live::live(&args.trace, json);
    }
    let found = prober::find(&args.trace.prober).unwrap_or_else(|_| nobody());
    let node = trace::node_name(&args.trace, &found);
    let mut extra_rows = spec_rows::rows(trace::sources_config(&args.trace, &found, &node));
    extra_rows.extend(kernel_rows::rows(&trace::kernel_config(&args.trace, &found)));
    let colour = surroundings.is_terminal && surroundings.colour;
    let options = Options { json, colour, prober: args.trace.prober.clone(), node, extra_rows };
    Ok(doctor::run(&options, &mut io::stdout().lock())?)
}

/// Without a prober the rest can be checked all the same; its own row says that there is none.
fn nobody() -> Found {
    Found { processes: Vec::new(), is_kubelet: false, why: String::new() }
}
