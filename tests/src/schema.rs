//! The contract as the committed JSON Schema says it.

use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, bail};
use jsonschema::Validator;

const SCHEMA: &str = include_str!("../schema/record.schema.json");

static VALIDATOR: OnceLock<Validator> = OnceLock::new();

/// Checks one line of `probetrace` or of a tool that checks it.
///
/// # Errors
/// It is no JSON, or not as the schema says: each place and what is wrong there.
pub fn check(line: &str) -> Result<()> {
    let value = serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))?;
    let wrong: Vec<String> =
        validator()?.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    if !wrong.is_empty() {
        bail!("not as tests/schema/record.schema.json says: {}\n{line}", wrong.join("; "));
    }
    Ok(())
}

fn validator() -> Result<&'static Validator> {
    if let Some(validator) = VALIDATOR.get() {
        return Ok(validator);
    }
    let schema = serde_json::from_str(SCHEMA).context("the schema")?;
    let validator = jsonschema::draft202012::new(&schema).map_err(|error| anyhow!("the schema: {error}"))?;
    Ok(VALIDATOR.get_or_init(|| validator))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_another_shape_is_refused() {
        assert!(check("{").is_err());
        assert!(check(r#"{"type":"nothing"}"#).is_err());
        let node =
            r#"{"type":"node","schema":1,"node":"n","at":"2026-01-01T00:00:00Z","kernel":"6","hooks":[],"lacks":[]}"#;
        check(node).unwrap();
        assert!(check(&node.replace(r#""schema":1,"#, "")).is_err());
    }
}
