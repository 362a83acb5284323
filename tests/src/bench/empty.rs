//! Empty programs on the tracer's hooks, held by a process of their own.

use std::{
    fs::File,
    io::{BufRead, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use aya::{
    Btf, Ebpf,
    programs::{CgroupAttachMode, Program},
};
use serde::{Deserialize, Serialize};

use crate::process::Talker;

/// The tracer's programs in the order in which they are loaded, and their hooks.
pub const PROGRAMS: &[(&str, &str)] = &[
    ("sched_process_fork", "sched:sched_process_fork"),
    ("sched_process_exec", "sched:sched_process_exec"),
    ("sched_process_exit", "sched:sched_process_exit"),
    ("tcp_retransmit_skb", "tcp:tcp_retransmit_skb"),
    ("tcp_receive_reset", "tcp:tcp_receive_reset"),
    ("inet_sk_error_report", "sock:inet_sk_error_report"),
    ("tcp_send_reset", "tcp:tcp_send_reset"),
    ("tcp_retransmit_synack", "tcp:tcp_retransmit_synack"),
    ("bytes_sent", "cgroup:skb_egress"),
    ("bytes_received", "cgroup:skb_ingress"),
    ("prober_sock_ops", "cgroup:sock_ops"),
    ("inet_sock_set_state", "sock:inet_sock_set_state"),
];

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Which {
    /// All; those of a cgroup only where there is one.
    All,
    /// Only those of the cgroup.
    OfCgroup,
}

/// What the process is told.
#[derive(Debug, Serialize, Deserialize)]
struct Plan {
    object: PathBuf,
    cgroup: Option<PathBuf>,
    which: Which,
}

/// The process; its programs go with it.
pub struct Empty(Talker);

impl Empty {
    /// Returns when all are attached.
    ///
    /// # Errors
    /// The object is missing, or the kernel refuses a program: the process says which.
    pub fn start(object: &Path, cgroup: Option<&Path>, which: Which) -> Result<Self> {
        let plan = Plan { object: object.to_owned(), cgroup: cgroup.map(Path::to_owned), which };
        let mut talker = Talker::start("empty")?;
        talker.say(&serde_json::to_string(&plan)?).context("empty programs")?;
        Ok(Self(talker))
    }

    /// Whose programs they are.
    pub fn pid(&self) -> u32 {
        self.0.process.id()
    }
}

/// The process: attaches, and ends with its standard input.
///
/// # Errors
/// As [`Empty::start`].
pub fn main() -> Result<()> {
    let mut lines = std::io::stdin().lock().lines();
    let plan: Plan = serde_json::from_str(&lines.next().context("no plan")??)?;
    let object = std::fs::read(&plan.object).with_context(|| plan.object.display().to_string())?;
    let mut ebpf = Ebpf::load(&object).context("empty programs")?;
    let btf = Btf::from_sys_fs().context("/sys/kernel/btf/vmlinux")?;
    for (name, hook) in PROGRAMS {
        let is_of_cgroup = hook.starts_with("cgroup:");
        if is_of_cgroup && plan.cgroup.is_none() || !is_of_cgroup && plan.which == Which::OfCgroup {
            continue;
        }
        let program = ebpf.program_mut(name).with_context(|| format!("{} has no {name}", plan.object.display()))?;
        attach(program, hook, plan.cgroup.as_deref(), &btf).with_context(|| (*name).to_owned())?;
    }
    let mut out = std::io::stdout();
    writeln!(out, "ready")?;
    out.flush()?;
    lines.for_each(drop);
    Ok(())
}

fn attach(program: &mut Program, hook: &str, cgroup: Option<&Path>, btf: &Btf) -> Result<()> {
    let (category, event) = hook.split_once(':').context("no category")?;
    let folder = || File::open(cgroup.unwrap_or(Path::new("/"))).context("cgroup");
    match program {
        Program::BtfTracePoint(program) => {
            program.load(event, btf)?;
            program.attach()?;
        }
        Program::TracePoint(program) => {
            program.load()?;
            program.attach(category, event)?;
        }
        // A link on a cgroup is always shared; `AllowMultiple` is refused for it (kernel/bpf/cgroup.c).
        Program::CgroupSkb(program) => {
            use aya::programs::CgroupSkbAttachType::{Egress, Ingress};
            program.load()?;
            let direction = if event == "skb_egress" { Egress } else { Ingress };
            program.attach(folder()?, direction, CgroupAttachMode::Single)?;
        }
        Program::SockOps(program) => {
            program.load()?;
            program.attach(folder()?, CgroupAttachMode::Single)?;
        }
        _ => anyhow::bail!("no hook of the tracer"),
    }
    Ok(())
}
