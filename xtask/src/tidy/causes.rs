//! Each cause has a scenario that provokes it, or stands in `NOT_PROVOKED` with a reason.

use std::collections::BTreeSet;

use anyhow::Result;

use super::Finding;
use super::source::Tree;

const CAUSES: &str = "tracer/src/verdict/cause.rs";
const SCENARIOS: &str = "tests/src/scenario";

pub fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let Some(table) = tree.rust.iter().find(|file| file.path == CAUSES) else {
        return Ok(vec![Finding::new(CAUSES, "is not there")]);
    };
    let texts: Vec<&str> = table.tokens.iter().map(|token| token.text.as_str()).collect();
    let excused = excused(&texts);
    let scenarios = tree.rust.iter().filter(|file| file.path.starts_with(SCENARIOS));
    let provoked: BTreeSet<&str> = scenarios.flat_map(|file| &file.tokens).filter_map(|t| literal(&t.text)).collect();
    let mut findings = Vec::new();
    for (name, id) in declared(&texts) {
        match (excused.contains(name), provoked.contains(id)) {
            (false, false) => {
                findings.push(Finding::new(CAUSES, format!("`{id}` has no scenario and is not in NOT_PROVOKED")))
            }
            (true, true) => {
                findings.push(Finding::new(CAUSES, format!("`{id}` has a scenario: take it out of NOT_PROVOKED")))
            }
            _ => {}
        }
    }
    Ok(findings)
}

/// `Name = "id",` of the table: the variant and its id.
fn declared<'a>(texts: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    let windows = texts.windows(4).filter(|w| w[1] == "=" && w[3] == ",");
    windows.filter_map(|w| Some((w[0], literal(w[2])?))).collect()
}

/// `(Cause::Name, "reason")` after `NOT_PROVOKED`.
fn excused<'a>(texts: &[&'a str]) -> BTreeSet<&'a str> {
    let from = texts.iter().position(|text| *text == "NOT_PROVOKED").unwrap_or(texts.len());
    let list = &texts[from..];
    let end = list.iter().position(|text| *text == ";").unwrap_or(list.len());
    let entries = list[..end].windows(7).filter(|w| w[0] == "(" && w[2] == ":" && w[3] == ":" && w[5] == ",");
    entries.filter(|w| literal(w[6]).is_some_and(|reason| reason.len() > 10)).map(|w| w[4]).collect()
}

fn literal(token: &str) -> Option<&str> {
    token.strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::source::File;

    fn findings(scenario: &str) -> Vec<Finding> {
        let cause = "causes! { \"a\" { First = \"first\", \"One.\"; Second = \"second\", \"Two.\"; } }\n\
                     pub const NOT_PROVOKED: &[(Cause, &str)] = &[(Cause::Second, \"needs a broken network card\")];";
        let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
        check(&Tree::of(vec![file(CAUSES, cause), file("tests/src/scenario/a.rs", scenario)]).unwrap()).unwrap()
    }

    #[test]
    fn a_cause_needs_a_scenario_or_a_reason_and_not_both() {
        assert_eq!(findings("fn f() { g(\"first\") }"), []);
        assert!(findings("fn f() {}")[0].what.contains("`first` has no scenario"));
        assert!(findings("fn f() { g(\"first\", \"second\") }")[0].what.contains("take it out"));
    }
}
