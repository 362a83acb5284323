//! Programs that the checks, the tests and the lab call.

use super::{Mode, State, apt};
use crate::command::which;

/// One program.
struct Tool {
    program: &'static str,
    package: &'static str,
    /// rustup's name for it, where it has one.
    component: Option<&'static str>,
    wanted_for: &'static str,
    required: bool,
}

const TOOLS: &[Tool] = &[
    tool("rustfmt", "rustfmt-web", "the format check", true, Some("rustfmt")),
    tool("cargo-clippy", "rust-web-clippy", "the lints", true, Some("clippy")),
    tool("ip", "iproute2", "the lab's namespaces", true, None),
    tool("iptables", "iptables", "the lab's scenario of a firewall", true, None),
    tool("tmux", "tmux", "the test of the live table", true, None),
    tool("bpftool", "bpftool", "a look at loaded programs by hand", false, None),
];

const fn tool(
    program: &'static str,
    package: &'static str,
    wanted_for: &'static str,
    required: bool,
    component: Option<&'static str>,
) -> Tool {
    Tool { program, package, component, wanted_for, required }
}

/// Looks at each, installs what is required, and tells.
pub fn all(mode: Mode, tell: &mut dyn FnMut(&str, &State)) {
    for tool in TOOLS {
        tell(tool.program, &one(tool, mode));
    }
}

fn one(tool: &Tool, mode: Mode) -> State {
    if let Some(found) = which(tool.program) {
        return State::Present(found.display().to_string());
    }
    let why = format!("wanted for {}", tool.wanted_for);
    let fix = match tool.component {
        Some(component) if which("rustup").is_some() => format!("rustup component add {component}"),
        _ => format!("apt-get install {}", tool.package),
    };
    if !tool.required {
        return State::Optional { why, fix };
    }
    if mode == Mode::Check {
        return State::Missing { why, fix };
    }
    if let Err((failed, fix)) = install(tool) {
        return State::Missing { why: format!("{why}; {failed}"), fix };
    }
    match which(tool.program) {
        Some(found) => State::Installed(found.display().to_string()),
        None => State::Missing { why: format!("{} was installed but has no {}", tool.package, tool.program), fix },
    }
}

fn install(tool: &Tool) -> Result<(), (String, String)> {
    if let Some(component) = tool.component.filter(|_| which("rustup").is_some()) {
        let mut rustup = std::process::Command::new("rustup");
        return crate::command::run(rustup.args(["component", "add", component]))
            .map_err(|error| (format!("{error:#}"), format!("rustup component add {component}")));
    }
    apt::install(&[tool.package])
}
