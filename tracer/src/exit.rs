//! Exit codes, in one place: 0 ok, 1 failed or degraded, 2 usage, 3 can't run.

use std::{fmt, io::Write, process::ExitCode};

use crate::{instance, sink::SinkError};

/// What a command that did its work says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All went as asked (also after Ctrl-C).
    Ok,
    /// It ran, but not all of it: a hook was lost, a check failed.
    Degraded,
    /// It ran and found that nothing can be traced here.
    CantTrace,
}

/// Context of an error (`.context(exit::Usage)`): what the user gave can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage(pub String);

/// Context of an error: this node or this user can't run the command (no root, no prober, a second instance).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CantRun(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for CantRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}
impl std::error::Error for CantRun {}

/// The code for a command's end; an error is told on standard error.
pub fn code(end: anyhow::Result<Exit>) -> ExitCode {
    match end {
        Ok(Exit::Ok) => ExitCode::SUCCESS,
        Ok(Exit::Degraded) => ExitCode::from(1),
        Ok(Exit::CantTrace) => ExitCode::from(3),
        Err(error) => {
            let code = code_of(&error);
            tell(&error);
            ExitCode::from(code)
        }
    }
}

fn code_of(error: &anyhow::Error) -> u8 {
    if let Some(clap) = error.downcast_ref::<clap::Error>() {
        // 0 for --help and --version, else 2.
        return u8::try_from(clap.exit_code()).unwrap_or(2);
    }
    if is_closed_pipe(error) {
        0
    } else if error.downcast_ref::<Usage>().is_some() {
        2
    } else if error.downcast_ref::<CantRun>().is_some() || error.downcast_ref::<instance::Error>().is_some() {
        3
    } else {
        1
    }
}

/// The reader of our output left: that is its right.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<SinkError>(), Some(SinkError::ClosedPipe))
        || error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Standard error may be closed as well; then there is nobody to tell.
fn tell(error: &anyhow::Error) {
    if let Some(clap) = error.downcast_ref::<clap::Error>() {
        let _ = clap.print();
    } else if !is_closed_pipe(error) {
        let _ = writeln!(std::io::stderr(), "probetrace: {error:#}");
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn each_kind_of_error_has_its_code_through_any_context() {
        let io = |kind| anyhow::Error::from(std::io::Error::from(kind));
        let of = |error: anyhow::Error| code_of(&Err::<(), _>(error).context("while doing so").unwrap_err());
        assert_eq!(of(SinkError::ClosedPipe.into()), 0);
        assert_eq!(of(io(std::io::ErrorKind::BrokenPipe)), 0);
        assert_eq!(of(io(std::io::ErrorKind::NotFound)), 1);
        assert_eq!(of(Usage("no such file".into()).into()), 2);
        assert_eq!(of(io(std::io::ErrorKind::NotFound).context(Usage("--targets".into()))), 2);
        assert_eq!(of(CantRun("not root".into()).into()), 3);
        assert_eq!(of(instance::Error::Taken("/run/x".into(), None).into()), 3);
    }
}
