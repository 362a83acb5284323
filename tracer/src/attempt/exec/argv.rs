//! What a command line tells: a runtime's helper, its container, a probe's command.

use crate::{attribution::cgroup_name, event::Exec};

/// Runtimes that speak runc's command line, and the monitors that call them.
const RUNTIMES: [&str; 8] =
    ["runc", "crun", "youki", "runsc", "kata-runtime", "docker-runc", "nvidia-container-runtime", "conmon"];

/// What a program is to an exec probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// `runc … exec … ID`, `conmon -c ID … -e`: with the container's id, where it was copied.
    ExecHelper(Option<String>),
    /// A runtime that does something else (create, start, delete, state).
    OtherHelper,
    /// A stage of the runtime's own (`runc init`).
    Stage,
    /// Anything else.
    Program,
}

/// Tells what this exec is.
pub fn role(exec: &Exec) -> Role {
    let Some(program) = exec.argv.first() else { return Role::Program };
    let name = base_name(program);
    let name = name.strip_suffix(".real").unwrap_or(name);
    let rest = &exec.argv[1..];
    let is_runtime = RUNTIMES.contains(&name);
    // runc's second stage is `runc init`; old ones run /proc/self/exe (opencontainers/runc#2532).
    if (is_runtime || name == "exe") && rest.len() == 1 && rest[0] == "init" {
        return Role::Stage;
    }
    if !is_runtime {
        return Role::Program;
    }
    if name == "conmon" {
        let is_exec = rest.iter().any(|arg| arg == "-e" || arg == "--exec-attach" || arg == "--exec-process-spec");
        let id = rest.iter().zip(rest.iter().skip(1)).find(|(flag, _)| *flag == "-c" || *flag == "--cid");
        return if is_exec { Role::ExecHelper(id.map(|(_, id)| id.clone())) } else { Role::OtherHelper };
    }
    if !rest.iter().any(|arg| arg == "exec") {
        return Role::OtherHelper;
    }
    Role::ExecHelper(container_of(exec))
}

/// The container's id is the last argument; where argv was cut, it stands in the path of `--log` as well
/// (containerd's shim: <bundle>/log.json).
fn container_of(exec: &Exec) -> Option<String> {
    let last = exec.argv.last().filter(|last| !last.starts_with('-') && !last.contains('/'));
    if !exec.argv_truncated
        && let Some(last) = last
    {
        return Some(last.clone());
    }
    exec.argv.iter().find_map(|arg| cgroup_name::first_hex_id(arg)).map(str::to_owned)
}

/// Whether this exec is the command of a manifest. A script shows its interpreter first (fs/binfmt_script.c), and the kernel
/// copies at most 512 bytes.
pub fn is_command(exec: &Exec, wanted: &[String]) -> bool {
    let (Some(first), false) = (wanted.first(), exec.argv.is_empty()) else { return false };
    if same_args(&exec.argv, wanted, exec.argv_truncated) {
        return true;
    }
    // Interpreter, perhaps one argument of it, the script's path, the rest.
    (1..=2).any(|skip| {
        exec.argv.get(skip).is_some_and(|script| {
            let same = script == first || (!first.contains('/') && base_name(script) == first);
            same && same_args(&exec.argv[skip + 1..], &wanted[1..], exec.argv_truncated)
        })
    })
}

fn same_args(seen: &[String], wanted: &[String], truncated: bool) -> bool {
    if !truncated {
        return seen == wanted;
    }
    // The last argument may be cut in the middle (also of a character: then its end was replaced).
    let Some((last, whole)) = seen.split_last() else { return true };
    let last = last.trim_end_matches('\u{fffd}');
    seen.len() <= wanted.len() && whole == &wanted[..whole.len()] && wanted[whole.len()].starts_with(last)
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::attempt::testkit::{CONTAINER, exec_of};

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn argv_ends_with_the_container_id() {
        let line = format!(
            "runc --root /run/containerd/runc/k8s.io --log /run/x/{CONTAINER}/log.json --log-format json exec --process /tmp/runc-process1 --detach --pid-file /run/x/{CONTAINER}/{}.pid {CONTAINER}",
            "e".repeat(64)
        );
        assert_eq!(role(&exec_of(&line)), Role::ExecHelper(Some(CONTAINER.to_owned())));
    }

    #[test]
    fn a_cut_argv_still_has_the_id_in_its_log_path() {
        let mut exec =
            exec_of(&format!("runc --log /run/x/{CONTAINER}/log.json exec --pid-file /run/x/{}", &CONTAINER[..20]));
        exec.argv_truncated = true;
        assert_eq!(role(&exec), Role::ExecHelper(Some(CONTAINER.to_owned())));
    }

    #[test]
    fn conmon_names_the_container_by_its_flag() {
        let exec = exec_of(&format!(
            "/usr/bin/conmon -c {CONTAINER} -n x -r /usr/bin/runc -e -l /tmp/log -T 1 --exec-process-spec /tmp/p"
        ));
        assert_eq!(role(&exec), Role::ExecHelper(Some(CONTAINER.to_owned())));
    }

    #[test]
    fn runc_stages_re_exec_themselves() {
        assert_eq!(role(&exec_of("runc init")), Role::Stage);
        assert_eq!(role(&exec_of("/proc/self/exe init")), Role::Stage);
        assert_eq!(role(&exec_of("runc --root /r create --bundle /b abc")), Role::OtherHelper);
        assert_eq!(role(&exec_of("/bin/calico-node -felix-live")), Role::Program);
    }

    #[test]
    fn compare_kernel_argv_with_the_expanded_spec() {
        let wanted = words("/bin/calico-node -felix-live");
        assert!(is_command(&exec_of("/bin/calico-node -felix-live"), &wanted));
        assert!(!is_command(&exec_of("/bin/calico-node -felix-ready"), &wanted));
        assert!(!is_command(&exec_of("/bin/calico-node"), &wanted));
    }

    #[test]
    fn a_script_shows_its_interpreter_first() {
        let wanted = words("check.sh -v");
        assert!(is_command(&exec_of("/bin/sh /usr/local/bin/check.sh -v"), &wanted));
        assert!(is_command(&exec_of("/bin/sh -e /usr/local/bin/check.sh -v"), &wanted));
        assert!(!is_command(&exec_of("/bin/sh /usr/local/bin/other.sh -v"), &wanted));
    }

    #[test]
    fn a_cut_command_is_compared_as_far_as_it_goes() {
        let mut exec = exec_of("sh -c abcde");
        exec.argv_truncated = true;
        assert!(is_command(&exec, &["sh".into(), "-c".into(), "abcdefgh".into()]));
        assert!(!is_command(&exec, &["sh".into(), "-c".into(), "xbcdefgh".into()]));
    }

    proptest! {
        #[test]
        fn any_argv_is_borne(argv in proptest::collection::vec(".{0,20}", 0..6),
                             wanted in proptest::collection::vec(".{0,20}", 0..6), cut: bool) {
            let mut exec = exec_of("x");
            (exec.argv, exec.argv_truncated) = (argv, cut);
            let _ = role(&exec);
            let _ = is_command(&exec, &wanted);
        }
    }
}
