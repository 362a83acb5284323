//! One line of the report.

use serde::Serialize;

/// Where a facility stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// There.
    Ok,
    /// There, with something lost.
    Degraded,
    /// Not there.
    Missing,
    /// It could not be told.
    Unknown,
}

/// How much depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// Nothing can be traced without it.
    Required,
    /// Verdicts are weaker without it.
    Wanted,
    /// Good to know.
    Optional,
}

/// One facility.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// `permissions`, `kernel`, `cgroups`, `kubelet`, `tuning`, `hooks`.
    pub group: &'static str,
    /// Its name, unique in the report.
    pub name: String,
    /// Where it stands.
    pub state: State,
    /// How much depends on it.
    pub need: Need,
    /// What was found.
    pub found: String,
    /// What is lost as it stands, "" where nothing.
    pub lost: String,
    /// What to do about it, "" where nothing.
    pub fix: String,
    /// A hook's rung (`tracepoint`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rung: Option<String>,
}

impl Row {
    /// A facility that is there.
    pub fn ok(group: &'static str, name: impl Into<String>, found: impl Into<String>) -> Self {
        let (lost, fix) = (String::new(), String::new());
        Self {
            group,
            name: name.into(),
            state: State::Ok,
            need: Need::Wanted,
            found: found.into(),
            lost,
            fix,
            rung: None,
        }
    }

    /// The same, but not (wholly) there.
    #[must_use]
    pub fn but(mut self, state: State, lost: impl Into<String>, fix: impl Into<String>) -> Self {
        (self.state, self.lost, self.fix) = (state, lost.into(), fix.into());
        self
    }

    /// With another need than `Wanted`.
    #[must_use]
    pub fn need(mut self, need: Need) -> Self {
        self.need = need;
        self
    }

    /// Nothing can be traced as it stands.
    pub fn is_fatal(&self) -> bool {
        self.need == Need::Required && self.state == State::Missing
    }

    /// Nothing is lost that tracing needs or wants.
    pub fn is_fine(&self) -> bool {
        self.need == Need::Optional || matches!(self.state, State::Ok | State::Unknown)
    }
}
