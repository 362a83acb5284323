//! The settings file: TOML whose keys are the long names of the flags. Its values become the flags' defaults, so that
//! each is checked by the flag's own rules.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{Arg, ArgAction};

use crate::exit::Usage;

/// Read where it exists and no other file is named.
const DEFAULT_PATH: &str = "/etc/probetrace/config.toml";
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Flags that make no sense in the file.
const NOT_IN_FILE: [&str; 3] = ["config", "help", "version"];

/// A file that was read.
#[derive(Clone, Debug)]
pub struct File {
    path: PathBuf,
    values: toml::Table,
}

/// Reads `named`, which must exist, or the default file, which need not.
pub fn load(named: Option<PathBuf>) -> anyhow::Result<Option<File>> {
    let is_named = named.is_some();
    let path = named.unwrap_or_else(|| PathBuf::from(DEFAULT_PATH));
    match read(&path) {
        Ok(text) => parse(path, &text).map(Some),
        Err(error) if !is_named && error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context(Usage(format!("settings file {}", path.display()))),
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(std::io::Error::other("longer than 1 MiB: this is no settings file"));
    }
    Ok(text)
}

fn parse(path: PathBuf, text: &str) -> anyhow::Result<File> {
    // The error shows line and column.
    let values = text.parse().with_context(|| Usage(format!("settings file {}", path.display())))?;
    Ok(File { path, values })
}

/// Makes the file's values the defaults of all flags of that name. A key that no command has, or a value that its flag
/// refuses, is an error.
pub fn apply(command: clap::Command, file: &File) -> anyhow::Result<clap::Command> {
    let flags = flags_of(&command);
    let mut defaults = Vec::new();
    for (key, value) in &file.values {
        let long = key.replace('_', "-");
        let flag = flags.iter().find(|flag| flag.get_long() == Some(long.as_str()));
        let Some(flag) = flag else { bail!(Usage(unknown_key(&file.path, key, &flags))) };
        let wrong = |why: &str| Usage(format!("settings file {}: {key}: {why}", file.path.display()));
        let words = words_of(flag, value).map_err(|why| wrong(&why))?;
        check(flag, &words).map_err(|why| wrong(&why))?;
        defaults.push((long, words));
    }
    Ok(with_defaults(command, &defaults))
}

fn with_defaults(command: clap::Command, defaults: &[(String, Vec<String>)]) -> clap::Command {
    let set = |arg: Arg| match defaults.iter().find(|(long, _)| arg.get_long() == Some(long)) {
        Some((_, words)) => arg.default_values(words.clone()),
        None => arg,
    };
    command.mut_args(set).mut_subcommands(|below| with_defaults(below, defaults))
}

/// Flags of the command and all below it that a file may set.
fn flags_of(command: &clap::Command) -> Vec<Arg> {
    let own = command.get_arguments().filter(|arg| arg.get_long().is_some_and(|long| !NOT_IN_FILE.contains(&long)));
    own.cloned().chain(command.get_subcommands().flat_map(flags_of)).collect()
}

/// The value as words of a command line. A list is for flags that can be repeated.
fn words_of(flag: &Arg, value: &toml::Value) -> Result<Vec<String>, String> {
    let is_switch = matches!(flag.get_action(), ArgAction::SetTrue);
    let is_list = matches!(flag.get_action(), ArgAction::Append);
    match value {
        toml::Value::Boolean(value) if is_switch => Ok(vec![value.to_string()]),
        _ if is_switch => Err("write true or false".to_owned()),
        toml::Value::Array(values) if is_list => values.iter().map(word_of).collect(),
        toml::Value::Array(_) => Err("takes one value, no list".to_owned()),
        value => Ok(vec![word_of(value)?]),
    }
}

fn word_of(value: &toml::Value) -> Result<String, String> {
    match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        other => Err(format!("a {} is no value of a flag: write text in quotes, or a number", other.type_str())),
    }
}

/// Lets clap judge the values, on a command with nothing but this flag.
fn check(flag: &Arg, words: &[String]) -> Result<(), String> {
    if matches!(flag.get_action(), ArgAction::SetTrue) {
        return Ok(());
    }
    // Rules between flags are for the real command.
    let alone = Arg::new(flag.get_id().clone()).long("x").action(flag.get_action().clone());
    let command = clap::Command::new("check").arg(alone.value_parser(flag.get_value_parser().clone()));
    let line = ["check".to_owned()].into_iter().chain(words.iter().map(|word| format!("--x={word}")));
    match command.try_get_matches_from(line) {
        Ok(_) => Ok(()),
        Err(error) => Err(first_line(&error)),
    }
}

/// clap's `error: invalid value 'x' for '--x <way>'` without what is not the user's.
fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    match (line.find(" for '--x"), line.rfind("'")) {
        (Some(start), Some(end)) if end > start => {
            let tail = line[start..].find("': ").map_or("", |at| &line[start + at + 1..]);
            format!("{}{tail}", &line[..start])
        }
        _ => line.to_owned(),
    }
}

fn unknown_key(path: &Path, key: &str, flags: &[Arg]) -> String {
    let names = flags.iter().filter_map(Arg::get_long);
    let distance = |name: &&str| strsim::damerau_levenshtein(name, &key.replace('_', "-"));
    let nearest = names.min_by_key(distance).unwrap_or_default();
    format!("settings file {}: no setting is named `{key}`; the nearest is `{nearest}`", path.display())
}

#[cfg(test)]
mod tests;
