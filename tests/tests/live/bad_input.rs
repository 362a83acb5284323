//! What a user may get wrong or run out of: each ends with a documented exit code and a message that names the fix.

use super::{common, demo};

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use rustix::process::Signal;

/// What it said, after checking its exit code.
fn said(output: &Output, code: i32, words: &[&str]) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    for word in words {
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
    assert!(!text.contains("panicked"), "{text}");
    text
}

/// `probetrace` with nothing of the user's settings, in a run directory of the test's own.
fn probetrace(folder: &Path) -> Command {
    let mut command = Command::new(demo::probetrace());
    command.env("PROBETRACE_RUN_DIR", folder.join("run")).stdin(Stdio::null());
    command
}

fn own_pid() -> String {
    format!("pid:{}", std::process::id())
}

/// Runs with this targets file and this process as the prober, which must be refused.
fn refused_targets(folder: &Path, targets: &Path, words: &[&str]) {
    let mut command = probetrace(folder);
    command.args(["run", "-o", "json", "--prober", &own_pid(), "--targets"]).arg(targets);
    said(&command.output().expect("probetrace"), 2, &[&["--targets", &targets.display().to_string()], words].concat());
}

#[test]
fn a_targets_file_that_cannot_be_used_is_named() {
    let Some(_machine) = common::root("bad_input::a_targets_file_that_cannot_be_used_is_named") else { return };
    let folder = demo::folder("targets");
    refused_targets(&folder, &folder.join("none.yaml"), &["No such file"]);
    refused_targets(&folder, &folder, &["regular file"]);
    let malformed = folder.join("malformed.yaml");
    fs::write(&malformed, "kind: Pod\n  spec: [").expect("write");
    refused_targets(&folder, &malformed, &["line"]);
    let other = folder.join("other.yaml");
    fs::write(&other, "kind: Service\n").expect("write");
    refused_targets(&folder, &other, &["Service", "Pod"]);
    let huge = folder.join("huge.yaml");
    fs::File::create(&huge).and_then(|file| file.set_len(1 << 30)).expect("sparse file");
    refused_targets(&folder, &huge, &["bytes"]);
    fs::remove_dir_all(folder).expect("remove");
}

#[test]
fn an_unknown_prober_is_named() {
    let Some(_machine) = common::root("bad_input::an_unknown_prober_is_named") else { return };
    let folder = demo::folder("prober");
    let output = probetrace(&folder).args(["run", "--prober", "no-such-prober"]).output().expect("probetrace");
    said(&output, 3, &["no-such-prober"]);
    let output = probetrace(&folder).args(["run", "--prober", "pid:0x"]).output().expect("probetrace");
    said(&output, 2, &["pid:0x"]);
    fs::remove_dir_all(folder).expect("remove");
}

#[test]
fn without_root_it_says_what_is_missing() {
    let test = "bad_input::without_root_it_says_what_is_missing";
    let Some(_machine) = common::root(test) else { return };
    if Command::new("setpriv").arg("--version").output().is_err() {
        return common::skipped(test, "setpriv");
    }
    let folder = demo::folder("nobody");
    // Nobody can't look into our folders: the binary is handed over where anybody can.
    let place = PathBuf::from(format!("/tmp/pt-lab-nobody-{}", std::process::id()));
    fs::create_dir_all(place.join("run")).expect("folder");
    fs::copy(demo::probetrace(), place.join("probetrace")).expect("copy");
    std::os::unix::fs::chown(place.join("run"), Some(65534), Some(65534)).expect("chown");
    let nobody = |run_dir: &Path| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]);
        command.arg(place.join("probetrace")).args(["run", "--prober", &own_pid()]).env("PROBETRACE_RUN_DIR", run_dir);
        command.output().expect("setpriv")
    };
    let own_folder = nobody(&place.join("run"));
    let foreign_folder = nobody(&folder);
    fs::remove_dir_all(&place).expect("remove");
    fs::remove_dir_all(folder).expect("remove");
    said(&own_folder, 3, &["CAP_BPF", "root"]);
    said(&foreign_folder, 3, &["run as root"]);
}

#[test]
fn a_manifest_without_an_address_costs_only_what_needs_one() {
    let Some(_machine) = common::root("bad_input::a_manifest_without_an_address_costs_only_what_needs_one") else {
        return;
    };
    let lab = demo::Demo::start();
    let folder = demo::folder("no-address");
    let text = fs::read_to_string(&lab.targets).expect("targets");
    let mut list: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for pod in list["items"].as_array_mut().expect("items") {
        let status = pod["status"].as_object_mut().expect("status");
        status.remove("podIP");
        status.remove("podIPs");
    }
    let targets = folder.join("targets.json");
    fs::write(&targets, list.to_string()).expect("write");
    let mut command = probetrace(&folder);
    command.args(["run", "-o", "json", "--prober", &lab.prober, "--targets"]).arg(&targets).stderr(Stdio::piped());
    let mut tracer = demo::start_ready(&mut command, &folder);
    let lines = || fs::read_to_string(folder.join("stdout")).unwrap_or_default();
    super::clean::eventually("attempts of the exec probes", || lines().contains(r#""pod":"slow-exec""#));
    demo::send(tracer.id(), Signal::INT);
    assert_eq!(tracer.wait().expect("wait").code(), Some(0));
    let messages = fs::read_to_string(folder.join("stderr")).expect("messages");
    assert!(messages.contains("refused") && messages.contains("podIP"), "{messages}");
    assert!(!lines().contains(r#""pod":"refused""#), "an attempt of a pod whose address nobody knows");
    fs::remove_dir_all(folder).expect("remove");
}

#[test]
fn a_full_disk_ends_the_recording_but_not_the_tracing() {
    let test = "bad_input::a_full_disk_ends_the_recording_but_not_the_tracing";
    let Some(_machine) = common::root(test) else { return };
    let lab = demo::Demo::start();
    let folder = demo::folder("full");
    let (ready, disk) = (folder.join("ready"), folder.join("disk"));
    fs::create_dir(&disk).expect("folder");
    // The tmpfs is in a mount namespace of its own, and goes with it.
    let script = "mount -t tmpfs -o size=16k none \"$1\" && shift && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]).arg(&disk).arg(demo::probetrace());
    command.args(["record", "--prober", &lab.prober, "--duration", "10s", "--targets"]).arg(&lab.targets);
    command.arg("--ready-file").arg(&ready).arg(disk.join("full.ptrec"));
    command.env("PROBETRACE_RUN_DIR", folder.join("run")).stdin(Stdio::null());
    said(&command.output().expect("unshare"), 1, &["no room left", "full.ptrec", "not whole"]);
    assert!(!ready.exists());
    fs::remove_dir_all(folder).expect("remove");
}

#[test]
fn a_full_output_is_told_and_counted() {
    let Some(_machine) = common::root("bad_input::a_full_output_is_told_and_counted") else { return };
    let lab = demo::Demo::start();
    let folder = demo::folder("dev-full");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let mut command = lab.tracer(&folder);
    command.args(["-o", "json", "--duration", "3s"]).stdout(full).stderr(Stdio::piped());
    let output = command.spawn().and_then(std::process::Child::wait_with_output).expect("probetrace");
    said(&output, 1, &["no room left for standard output", "records were not given out"]);
    fs::remove_dir_all(folder).expect("remove");
}

#[test]
fn a_recording_is_never_written_over() {
    let Some(_machine) = common::root("bad_input::a_recording_is_never_written_over") else { return };
    let folder = demo::folder("over");
    let file = folder.join("old.ptrec");
    fs::write(&file, "old").expect("write");
    let output = probetrace(&folder).arg("record").arg(&file).args(["--prober", &own_pid()]).output().expect("run");
    said(&output, 2, &["old.ptrec exists", "name another file"]);
    assert_eq!(fs::read_to_string(&file).expect("read"), "old");
    fs::remove_dir_all(folder).expect("remove");
}

fn replay(file: &Path) -> Output {
    Command::new(demo::probetrace()).arg("replay").arg(file).args(["-o", "json"]).output().expect("replay")
}

#[test]
fn torn_newer_corrupt_and_foreign_recordings_are_told_apart() {
    let folder = demo::folder("recordings");
    let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings/refused.ptrec");
    let text = fs::read_to_string(&good).expect("recording");
    let file = folder.join("x.ptrec");
    let with = |text: &str| {
        fs::write(&file, text).expect("write");
        replay(&file)
    };
    let whole = with(&text);
    said(&whole, 0, &[]);
    // Only Stop is torn, which begins and ends nothing by itself here.
    let torn = with(&text[..text.len() - 7]);
    said(&torn, 0, &["torn", "were cut"]);
    said(&with(&text.replacen("recording 1 ", "recording 2 ", 1)), 1, &["format 2", "or newer"]);
    said(&with(&text.replacen("\"Event\"", "\"Evemt\"", 1)), 1, &["corrupt", "checksum", "head -n"]);
    said(&with("name,value\n"), 1, &["is no recording", "probetrace record"]);
    said(&replay(&folder.join("none.ptrec")), 1, &["none.ptrec", "No such file"]);
    fs::remove_dir_all(folder).expect("remove");
}

#[test]
fn a_replay_into_a_closed_pipe_is_quiet() {
    let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings/two_probes_one_port.ptrec");
    let mut command = Command::new(demo::probetrace());
    command.arg("replay").arg(good).args(["-o", "json"]).stderr(Stdio::piped());
    let (reader, writer) = std::io::pipe().expect("pipe");
    drop(reader);
    let output = command.stdout(writer).spawn().and_then(std::process::Child::wait_with_output).expect("replay");
    said(&output, 0, &[]);
}
