//! However a tracer or a lab ends, nothing of it stays behind.

use super::{clean, common, demo};

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    process::Stdio,
};

use rustix::process::Signal;

/// Starts a tracer, ends it by `signal` and checks the kernel; returns its exit code.
fn ends_clean(test: &str, signal: Signal) -> Option<i32> {
    let lab = demo::Demo::start();
    let folder = demo::folder(test);
    let before = clean::pins_and_mounts();
    let mut tracer = demo::start_ready(lab.tracer(&folder).args(["-o", "json"]), &folder);
    let held = clean::bpf_ids(tracer.id());
    assert!(held.iter().any(|(kind, _)| kind == "prog_id"), "the tracer holds programs: {held:?}");
    demo::send(tracer.id(), signal);
    let status = tracer.wait().expect("wait");
    match clean::bpf_ids_alive() {
        Some(_) => clean::eventually("programs, links and maps are freed", || {
            clean::bpf_ids_alive().is_some_and(|alive| alive.is_disjoint(&held))
        }),
        None => common::skipped(test, "bpftool"),
    }
    if signal == Signal::KILL {
        let left = fs::read_to_string(folder.join("ready")).expect("nobody could remove it");
        assert_eq!(left.trim(), tracer.id().to_string());
        fs::remove_file(folder.join("ready")).expect("remove");
    } else {
        assert!(!folder.join("ready").exists(), "the ready file is removed");
        assert_eq!(clean::pins_and_mounts(), before);
    }
    let lines = fs::read_to_string(folder.join("stdout")).expect("lines");
    assert!(lines.is_empty() || lines.ends_with('\n') || signal == Signal::KILL, "a torn line");
    // Another one starts and says the same.
    let mut second = demo::start_ready(lab.tracer(&folder).args(["-o", "json"]), &folder);
    demo::send(second.id(), Signal::INT);
    assert_eq!(second.wait().expect("wait").code(), Some(0));
    assert_eq!(clean::pins_and_mounts(), before, "also what a killed one left");
    fs::remove_dir_all(folder).expect("remove");
    status.code()
}

#[test]
fn sigint_ends_with_0() {
    let Some(_machine) = common::root("signals::sigint_ends_with_0") else { return };
    assert_eq!(ends_clean("sigint", Signal::INT), Some(0));
}

#[test]
fn sigterm_ends_with_0() {
    let Some(_machine) = common::root("signals::sigterm_ends_with_0") else { return };
    assert_eq!(ends_clean("sigterm", Signal::TERM), Some(0));
}

#[test]
fn sigkill_leaves_nothing_in_the_kernel() {
    let Some(_machine) = common::root("signals::sigkill_leaves_nothing_in_the_kernel") else { return };
    assert_eq!(ends_clean("sigkill", Signal::KILL), None);
}

/// The first asks it to end, which waits for an output that takes nothing; the second does not wait.
#[test]
fn a_second_sigint_ends_it_at_once() {
    let Some(_machine) = common::root("signals::a_second_sigint_ends_it_at_once") else { return };
    let lab = demo::Demo::start();
    let folder = demo::folder("sigint2");
    let before = clean::pins_and_mounts();
    let mut tracer = demo::start_ready(lab.tracer(&folder).args(["-o", "json"]), &folder);
    let held = clean::bpf_ids(tracer.id());
    // Two signals of one number become one while the first is pending: send until it is gone.
    let mut ended = None;
    clean::eventually("it ends", || {
        demo::send(tracer.id(), Signal::INT);
        ended = tracer.try_wait().expect("wait");
        ended.is_some()
    });
    let code = ended.and_then(|status| status.code());
    assert_eq!(code, Some(130), "{}", fs::read_to_string(folder.join("stderr")).unwrap_or_default());
    assert!(!folder.join("ready").exists(), "the ready file is removed");
    if clean::bpf_ids_alive().is_some() {
        clean::eventually("programs, links and maps are freed", || {
            clean::bpf_ids_alive().is_some_and(|alive| alive.is_disjoint(&held))
        });
    }
    assert_eq!(clean::pins_and_mounts(), before);
    fs::remove_dir_all(folder).expect("remove");
}

#[test]
fn a_second_tracer_names_the_first() {
    let Some(_machine) = common::root("signals::a_second_tracer_names_the_first") else { return };
    let lab = demo::Demo::start();
    let folder = demo::folder("second");
    let mut first = demo::start_ready(lab.tracer(&folder).args(["-o", "json"]), &folder);
    let second = lab.tracer(&folder).args(["-o", "json"]).output().expect("probetrace");
    let message = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(3), "{message}");
    assert!(message.contains(&format!("pid {}", first.id())), "{message}");
    demo::send(first.id(), Signal::INT);
    assert_eq!(first.wait().expect("wait").code(), Some(0));
    fs::remove_dir_all(folder).expect("remove");
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let Some(_machine) = common::root("signals::a_closed_pipe_ends_it_quietly") else { return };
    let lab = demo::Demo::start();
    let folder = demo::folder("pipe");
    let mut tracer = lab
        .tracer(&folder)
        .args(["-o", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("probetrace");
    let mut lines = BufReader::new(tracer.stdout.take().expect("pipe"));
    let mut line = String::new();
    lines.read_line(&mut line).expect("a line");
    serde_json::from_str::<serde_json::Value>(&line).expect("JSON");
    drop(lines);
    let output = tracer.wait_with_output().expect("wait");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "signal {:?}: {message}", output.status.signal());
    assert!(!message.contains("panicked"), "{message}");
    fs::remove_dir_all(folder).expect("remove");
}

/// A lab of `signal`'s victim leaves nothing, or what it leaves is removed by the next.
fn lab_ends_clean(signal: Signal) {
    let lab = demo::Demo::start();
    let pid = lab.pid();
    assert!(clean::leftovers_of(pid).len() > 8, "{:?}", clean::leftovers_of(pid));
    demo::send(pid, signal);
    if signal == Signal::KILL {
        std::mem::forget(lab);
        reap(pid);
        assert!(common::lab(&["clean"]).status.success());
    } else {
        drop(lab);
    }
    assert_eq!(clean::leftovers_of(pid), Vec::<String>::new());
}

fn reap(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    rustix::process::waitpid(pid, rustix::process::WaitOptions::empty()).expect("reap");
}

#[test]
fn a_lab_ended_by_sigterm_is_gone() {
    let Some(_machine) = common::root("signals::a_lab_ended_by_sigterm_is_gone") else { return };
    lab_ends_clean(Signal::TERM);
}

#[test]
fn a_killed_lab_is_removed_by_the_next() {
    let Some(_machine) = common::root("signals::a_killed_lab_is_removed_by_the_next") else { return };
    lab_ends_clean(Signal::KILL);
}
