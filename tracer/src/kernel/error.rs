//! Why tracing can't start, each with what to do about it.

use std::fmt;

use super::btf::BtfError;

/// Why the kernel programs could not be started.
#[derive(Debug)]
pub enum StartError {
    /// Capabilities that are missing (`CAP_BPF` …).
    Privilege(Vec<&'static str>),
    /// /sys/kernel/btf/vmlinux can't be read.
    NoBtf(std::io::Error),
    /// The kernel's types are not as the programs need them.
    Types(BtfError),
    /// No tracefs, and it could not be mounted privately.
    NoTracefs(String),
    /// The kernel is locked down against reading its memory.
    Lockdown(String),
    /// Maps or programs could not be created: out of locked memory (before Linux 5.11).
    Memlock(String),
    /// The kernel has no ring buffer, or not of this size.
    Ring(String),
    /// The object was refused for another reason.
    Load(String),
    /// The hook without which nothing is seen could not be attached.
    Hook {
        /// Its name.
        name: &'static str,
        /// The kernel's words.
        why: String,
    },
    /// No hook fired in the self-test.
    SelfTest(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Privilege(missing) => write!(
                f,
                "not permitted to load kernel programs: {} missing; run as root, in a pod with `privileged: true` \
                 or with these capabilities",
                missing.join(", ")
            ),
            Self::NoBtf(error) => write!(
                f,
                "the kernel's types can't be read (/sys/kernel/btf/vmlinux: {error}); a kernel with \
                 CONFIG_DEBUG_INFO_BTF=y is needed, and in a container /sys of the host"
            ),
            Self::Types(error) => write!(f, "this kernel is not supported: {error}; please report it with `uname -r`"),
            Self::NoTracefs(why) => write!(
                f,
                "tracefs is not mounted and can't be mounted privately ({why}); \
                 run `mount -t tracefs tracefs /sys/kernel/tracing`"
            ),
            Self::Lockdown(mode) => write!(
                f,
                "the kernel is locked down (/sys/kernel/security/lockdown: {mode}), which forbids programs to read \
                 kernel memory; boot with lockdown=integrity or none"
            ),
            Self::Memlock(why) => {
                write!(f, "out of locked memory ({why}); raise it: `ulimit -l unlimited`, or LimitMEMLOCK=infinity")
            }
            Self::Ring(why) => write!(
                f,
                "the ring buffer can't be created ({why}); Linux 5.8 or newer is needed, and memory for its size"
            ),
            Self::Load(why) => write!(f, "the kernel refused the programs: {why}"),
            Self::Hook { name, why } => write!(f, "{name} can't be attached, without it no probe is seen: {why}"),
            Self::SelfTest(why) => write!(
                f,
                "the programs are attached, but none fired for a loopback connection of our own: {why}; \
                 `ip link set lo up` if it is down"
            ),
        }
    }
}

impl std::error::Error for StartError {}

/// An error with all its causes in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    // The verifier's log can be long; its last lines say why.
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    match lines.as_slice() {
        [first, .., last] if lines.len() > 3 => format!("{first} … {last}"),
        _ => lines.join("; "),
    }
}
