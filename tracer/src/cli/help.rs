//! Texts of `--help`, the first documentation that people read.

/// Version, and the commit where the build knew it: it sets this variable to text such as `0.1.0 (1a2b3c4)`.
pub const LONG_VERSION: &str = match option_env!("PROBETRACE_VERSION_LONG") {
    Some(text) => text,
    None => env!("CARGO_PKG_VERSION"),
};

pub const ABOUT: &str = "Tells why a Kubernetes probe failed, from the kernel's own evidence";

pub const LONG_ABOUT: &str = "\
Tells why a Kubernetes probe failed, from the kernel's own evidence.

\"Liveness probe failed: context deadline exceeded\" says that a second went by, not where. probetrace watches the \
kubelet's sockets and commands on this node and says of each attempt how long it took, in which stage the time went, \
whose probe it was, and what the cause is: with the evidence, and how sure that is.";

pub const AFTER: &str = "\
Examples:
  probetrace doctor                    what this node can show, and what to do about the rest
  sudo probetrace run                  a live table of this node's probes
  sudo probetrace run --failures -o json | jq .verdict

Settings: flag, else PROBETRACE_<FLAG> (--ready-file is PROBETRACE_READY_FILE), else the settings file, else the default. \
Other variables: NO_COLOR, RUST_LOG, PROBETRACE_RUN_DIR (of a second tracer on one node; default /run/probetrace).

Exit codes: 0 ok (also after Ctrl-C, or when the reader of the output left), 1 failed or degraded, 2 usage, 3 can't run here.";

pub const RUN: &str = "\
Trace probes on this node: each attempt with its latency, its stages and why it failed.

On a terminal a live table (q quits, arrows select a probe), in a pipe one JSON object a line; a summary on standard \
error at the end. Needs root, or CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_SYS_PTRACE and CAP_SYS_ADMIN.

Probes are known from --targets, from the kubelet's static-pod manifests and from the kubelet itself. Attempts that match \
no probe are shown as unattributed, never guessed.

Examples:
  probetrace run
  probetrace run -n shop --failures -o json > failures.jsonl
  probetrace run --targets pods.yaml --prober curl --duration 5m

Exit codes: 0 ended as asked, 1 degraded (a hook was lost on the way), 2 usage, 3 can't run (no root, no prober, a second \
instance).";

pub const DOCTOR: &str = "\
Say what this node can show and what it can't, hook by hook: which rung of each ladder works, what is lost without it, \
and what to do. Changes nothing.

Examples:
  probetrace doctor
  probetrace doctor --live             one passing and one refused probe of its own, with both verdicts
  probetrace doctor -o json

Exit codes: 0 all there, 1 something is lost, 2 usage, 3 nothing can be traced here.";

pub const RECORD: &str = "\
Trace as `run` does, and keep every input in FILE: kernel events, what was known of the pods, what was read from the node. \
`replay` makes the same records of it, on any machine. Of requests only method and path are in it, of commands only those \
of the prober's tree.

Examples:
  probetrace record /tmp/node.ptrec --duration 10m
  probetrace record /tmp/curl.ptrec --targets pods.yaml --prober curl
  probetrace record /tmp/node.ptrec; probetrace replay /tmp/node.ptrec --failures

Exit codes: 0 ended as asked, 1 the recording is not whole (disk full), 2 usage, 3 can't run.";

pub const REPLAY: &str = "\
Give the records of a recording again: no root, no kernel, the same lines with the same ids. A torn end (the tracer was \
killed, the disk was full) is cut, and how much is told.

Examples:
  probetrace replay node.ptrec
  probetrace replay node.ptrec --failures -o json | jq -r .verdict.cause | sort | uniq -c
  ssh node cat /tmp/node.ptrec | probetrace replay - --pod 'web-*'

Exit codes: 0 ok, 1 corrupt or unreadable recording, 2 usage.";

pub const COMPLETIONS: &str = "\
Print a completion script.

Examples:
  probetrace completions bash > /etc/bash_completion.d/probetrace
  probetrace completions zsh > /usr/local/share/zsh/site-functions/_probetrace
  probetrace completions fish > ~/.config/fish/completions/probetrace.fish";

pub const MAN: &str = "\
Print a manual page.

Examples:
  probetrace man | man -l -
  probetrace man run | man -l -
  probetrace man > /usr/local/share/man/man1/probetrace.1";
