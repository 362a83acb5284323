//! Which records the user wants to see.

use crate::record::{AttemptRecord, Outcome, Record};

/// `-n`, `--pod`, `--kind`, `--failures`: they narrow the output, never what is traced or recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Filters (of the output only)")]
pub struct Filter {
    /// Only pods of this namespace (repeatable)
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Vec<String>,
    /// Only this pod; `web-*` takes all that begin with `web-` (repeatable)
    #[arg(long, value_name = "NAME")]
    pub pod: Vec<String>,
    /// Only probes of this kind (repeatable)
    #[arg(long, value_name = "KIND", value_parser = ["liveness", "readiness", "startup", "other"])]
    pub kind: Vec<String>,
    /// Only attempts that did not pass: failure, timeout, error
    #[arg(long)]
    pub failures: bool,
}

impl Filter {
    /// Whether this record is wanted. Lines that are about no attempt (health, node) always are.
    pub fn keeps(&self, record: &Record) -> bool {
        match record {
            Record::Attempt(attempt) => self.keeps_attempt(attempt),
            Record::Health(_) | Record::Node(_) => true,
        }
    }

    fn keeps_attempt(&self, attempt: &AttemptRecord) -> bool {
        let pod = attempt.kubernetes.as_ref();
        let kind = attempt.probe.as_ref().map_or("other", |probe| probe.kind.as_str());
        let by_namespace = |wanted: &String| pod.is_some_and(|pod| pod.namespace == *wanted);
        let by_pod = |wanted: &String| pod.is_some_and(|pod| matches(wanted, &pod.pod));
        any(&self.namespace, by_namespace)
            && any(&self.pod, by_pod)
            && any(&self.kind, |wanted| wanted == kind)
            && (!self.failures || is_failure(attempt.outcome))
    }
}

/// An attempt that did not pass; one that was cut off is neither.
fn is_failure(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Failure | Outcome::Timeout | Outcome::Error)
}

/// No wish is no limit.
fn any(wanted: &[String], test: impl FnMut(&String) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(test)
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::samples;

    fn filter(change: impl FnOnce(&mut Filter)) -> Filter {
        let mut filter = Filter::default();
        change(&mut filter);
        filter
    }

    #[test]
    fn no_filter_keeps_all() {
        assert!(Filter::default().keeps(&samples::attempt("shop", "web-1", Outcome::Success)));
        assert!(Filter::default().keeps(&samples::unattributed()));
    }

    #[test]
    fn every_filter_narrows_and_they_combine() {
        let success = samples::attempt("shop", "web-1", Outcome::Success);
        let timeout = samples::attempt("shop", "web-1", Outcome::Timeout);
        assert!(filter(|f| f.namespace = vec!["other".into(), "shop".into()]).keeps(&success));
        assert!(!filter(|f| f.namespace = vec!["other".into()]).keeps(&success));
        assert!(filter(|f| f.pod = vec!["web-*".into()]).keeps(&success));
        assert!(!filter(|f| f.pod = vec!["web".into()]).keeps(&success), "a name is no prefix");
        assert!(filter(|f| f.kind = vec!["liveness".into()]).keeps(&success));
        assert!(!filter(|f| f.kind = vec!["startup".into()]).keeps(&success));
        assert!(!filter(|f| f.failures = true).keeps(&success));
        assert!(filter(|f| f.failures = true).keeps(&timeout));
        assert!(
            !filter(|f| {
                f.failures = true;
                f.pod = vec!["db".into()]
            })
            .keeps(&timeout)
        );
    }

    #[test]
    fn unattributed_attempts_have_no_namespace_and_kind_other() {
        let record = samples::unattributed();
        assert!(!filter(|f| f.namespace = vec!["shop".into()]).keeps(&record));
        assert!(filter(|f| f.kind = vec!["other".into()]).keeps(&record));
    }

    #[test]
    fn health_passes_every_filter() {
        assert!(
            filter(|f| {
                f.failures = true;
                f.namespace = vec!["x".into()]
            })
            .keeps(&samples::health())
        );
    }
}
