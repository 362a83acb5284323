use super::*;
use crate::cli;

fn error_of(text: &str) -> String {
    let file = parse("c.toml".into(), text);
    let error = match file {
        Ok(file) => apply(cli::command(), &file).unwrap_err(),
        Err(error) => error,
    };
    assert!(error.downcast_ref::<Usage>().is_some(), "exit code 2");
    format!("{error:#}")
}

#[test]
fn what_is_wrong_is_named() {
    for (text, parts) in [
        ("target = 'x'", &["no setting is named `target`", "nearest is `targets`"][..]),
        ("redy_file = 'x'", &["nearest is `ready-file`"]),
        ("way = 'wrong'", &["way: invalid value 'wrong'"]),
        ("budget = 0", &["budget: invalid value '0'"]),
        ("budget = true", &["budget: a boolean is no value"]),
        ("failures = 'yes'", &["failures: write true or false"]),
        ("targets = ['a', 'b']", &["targets: takes one value"]),
        ("ring-bytes = '5MiB'", &["ring-bytes: invalid value '5MiB'", "8388608"]),
        ("config = 'x'", &["no setting is named `config`"]),
        ("a = = 1", &["c.toml", "line 1"]),
    ] {
        let error = error_of(text);
        for part in parts {
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}

#[test]
fn a_named_file_must_exist_and_be_small() {
    let folder = tempfile::tempdir().unwrap();
    let missing = load(Some(folder.path().join("missing"))).unwrap_err();
    assert!(missing.downcast_ref::<Usage>().is_some());
    let long = folder.path().join("long");
    std::fs::write(&long, vec![b'#'; (MAX_FILE_BYTES + 1) as usize]).unwrap();
    assert!(format!("{:#}", load(Some(long)).unwrap_err()).contains("longer than 1 MiB"));
}
