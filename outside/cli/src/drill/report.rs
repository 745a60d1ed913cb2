//! What an attempt comes to, and what the drill as a whole does.

use serde::Serialize;

/// What closes an attempt. A closed list, so that a report is not an essay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ClosedBy {
    /// TLS ends inside the enclave, or starts there.
    Tls,
    /// What is stored is encrypted inside, or never stored.
    Sealing,
    /// What leaves is a closed, typed list.
    ClosedOutputs,
    /// The KMS releases to approved code under an approved policy alone.
    KeyPolicy,
    /// The image does not become a vault.
    Image,
    /// The API refuses or does not say.
    Api,
    /// The kernel writes no core of it.
    NoCore,
    /// The measured policy.
    Policy,
    /// A signature that only its holder can make.
    Signature,
    /// Keys and values are bound to their place.
    Binding,
    /// Live codes end with their boot, and budgets begin empty.
    VoidedState,
    /// Evidence that is appraised.
    Evidence,
    /// The egress list.
    Egress,
    /// A ceiling.
    Limit,
}

/// What closes attempts that run a vault from an old folder or from a copy (DESIGN §6).
pub(crate) const REGISTER: &str =
    "a vault with a register, which remembers each log's head where the insider cannot turn it back";

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It gave the insider nothing.
    Closed(ClosedBy),
    /// It succeeded, as the profile says that it does.
    Open,
    /// It gave what nobody should have.
    Leak,
    /// This machine lacks what it takes.
    NotRun,
    /// Nothing here could show it.
    NotShown,
    /// It could not be carried out, so nothing is known.
    Failed,
}

/// An outcome, and what happened.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) outcome: Outcome,
    pub(crate) detail: String,
}

impl Finding {
    pub(crate) fn closed(by: ClosedBy, detail: impl Into<String>) -> Self {
        Self { outcome: Outcome::Closed(by), detail: detail.into() }
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.outcome, Outcome::Closed(_))
    }

    pub(crate) fn open(detail: impl Into<String>) -> Self {
        Self { outcome: Outcome::Open, detail: detail.into() }
    }

    pub(crate) fn leak(detail: impl Into<String>) -> Self {
        Self { outcome: Outcome::Leak, detail: detail.into() }
    }

    pub(crate) fn not_run(detail: impl Into<String>) -> Self {
        Self { outcome: Outcome::NotRun, detail: detail.into() }
    }

    pub(crate) fn not_shown(detail: impl Into<String>) -> Self {
        Self { outcome: Outcome::NotShown, detail: detail.into() }
    }

    pub(crate) fn failed(detail: impl Into<String>) -> Self {
        Self { outcome: Outcome::Failed, detail: detail.into() }
    }
}

/// What the profile says of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// It must not succeed.
    Closed,
    /// It succeeds, until what is named here.
    Open {
        /// The profile or mechanism that closes it.
        until: &'static str,
    },
    /// It is not made: nothing here could show what becomes of it elsewhere.
    NotShown {
        /// Why.
        why: &'static str,
    },
}

/// A line of the report.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: &'static str,
    /// What the insider tries.
    pub(crate) what: &'static str,
    pub(crate) expected: Expected,
    pub(crate) finding: Finding,
    pub(crate) seconds: f64,
}

impl Row {
    /// The outcome's word.
    pub(crate) fn word(&self) -> &'static str {
        match self.finding.outcome {
            Outcome::Closed(_) => "closed",
            Outcome::Open => "open",
            Outcome::Leak => "leak",
            Outcome::NotRun => "not_run",
            Outcome::NotShown => "not_shown",
            Outcome::Failed => "failed",
        }
    }

    /// What closes it, or will.
    pub(crate) fn closed_by(&self) -> Option<String> {
        match (&self.finding.outcome, self.expected) {
            (Outcome::Closed(by), _) => Some(serde_json::to_value(by).ok()?.as_str()?.to_owned()),
            (Outcome::Open, Expected::Open { until }) => Some(until.into()),
            _ => None,
        }
    }

    /// Why this row makes the drill fail, if it does.
    fn fault(&self, strict: bool) -> Option<String> {
        match (&self.finding.outcome, self.expected) {
            (Outcome::Closed(_), Expected::Closed)
            | (Outcome::Open, Expected::Open { .. })
            | (Outcome::NotShown, Expected::NotShown { .. }) => None,
            (Outcome::NotRun, _) if !strict => None,
            (Outcome::NotRun, _) => Some(format!("{}: not run, and --strict was given", self.id)),
            (Outcome::Leak, _) => Some(format!("{}: LEAK", self.id)),
            (Outcome::Failed, _) => Some(format!("{}: could not be carried out", self.id)),
            (Outcome::Open, Expected::Closed) => Some(format!("{}: OPEN, which the profile does not declare", self.id)),
            (Outcome::NotShown, _) | (_, Expected::NotShown { .. }) => {
                Some(format!("{}: whether it can be shown here is said twice", self.id))
            }
            (Outcome::Closed(_), Expected::Open { .. }) => {
                Some(format!("{}: declared OPEN, and was not shown to succeed", self.id))
            }
        }
    }
}

/// One detector and encoding against the leaky control.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Check {
    /// Where it searches.
    pub(crate) id: &'static str,
    /// In which encoding.
    pub(crate) encoding: &'static str,
    /// `caught` if it found every canary there, and no decoy.
    pub(crate) control: &'static str,
}

/// The whole drill.
pub(crate) struct Report {
    pub(crate) profile: &'static str,
    pub(crate) freshness: &'static str,
    pub(crate) vault_id: String,
    /// `YYYY-MM-DDTHH:MM:SSZ`.
    pub(crate) began: String,
    pub(crate) seconds: f64,
    pub(crate) canaries: usize,
    pub(crate) rows: Vec<Row>,
    pub(crate) detectors: Vec<Check>,
    pub(crate) strict: bool,
    /// Attempts that were not asked for (`--only`).
    pub(crate) left_out: usize,
}

impl Report {
    /// What the drill says nothing of, if there is such a thing.
    pub(crate) fn unsaid(&self) -> Option<String> {
        let not_run = self.count("not_run");
        match (not_run, self.left_out) {
            (0, 0) => None,
            (_, 0) => Some(format!("It says nothing of {not_run} that this machine cannot run.")),
            (0, _) => Some(format!("It says nothing of {} that were not asked for.", self.left_out)),
            _ => Some(format!(
                "It says nothing of {not_run} that this machine cannot run, and of {} that were not asked for.",
                self.left_out
            )),
        }
    }

    /// Everything that makes the drill fail; nothing if it passes.
    pub(crate) fn faults(&self) -> Vec<String> {
        let rows = self.rows.iter().filter_map(|row| row.fault(self.strict));
        let missed = self.detectors.iter().filter(|check| check.control != "caught");
        let missed =
            missed.map(|check| format!("the detector of {} missed {} in the control", check.id, check.encoding));
        let mut faults: Vec<_> = rows.chain(missed).collect();
        if self.detectors.is_empty() {
            faults.push("no detector was tested against the control".into());
        }
        faults
    }

    /// Rows of a kind.
    pub(crate) fn count(&self, word: &str) -> usize {
        self.rows.iter().filter(|row| row.word() == word).count()
    }

    /// For scripts.
    pub(crate) fn json(&self) -> serde_json::Value {
        let attempts: Vec<_> = self
            .rows
            .iter()
            .map(|row| {
                serde_json::json!({
                    "id": row.id, "outcome": row.word(), "closed_by": row.closed_by(), "detail": row.finding.detail,
                })
            })
            .collect();
        serde_json::json!({
            "profile": self.profile, "freshness": self.freshness, "vault_id": self.vault_id, "version": env!("CARGO_PKG_VERSION"),
            "began": self.began, "seconds": (self.seconds * 10.0).round() / 10.0, "canaries": self.canaries, "left_out": self.left_out,
            "attempts": attempts, "detectors": self.detectors, "faults": self.faults(),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    pub(crate) fn report(rows: Vec<Row>) -> Report {
        Report {
            profile: "dev",
            freshness: "none",
            vault_id: "ab".repeat(32),
            began: "2026-11-25T12:00:00Z".into(),
            seconds: 61.25,
            canaries: 30,
            rows,
            detectors: vec![Check { id: "memory", encoding: "raw", control: "caught" }],
            strict: false,
            left_out: 0,
        }
    }

    pub(crate) fn row(id: &'static str, expected: Expected, finding: Finding) -> Row {
        Row { id, what: "Reads <everything>", expected, finding, seconds: 0.5 }
    }

    const UNTIL: Expected = Expected::Open { until: "kms: a real enclave" };

    #[test]
    fn what_passes_and_what_does_not() {
        let fault = |expected, finding, strict| {
            let mut report = report(vec![row("x", expected, finding)]);
            report.strict = strict;
            report.faults()
        };
        let none: Vec<String> = vec![];
        assert_eq!(fault(Expected::Closed, Finding::closed(ClosedBy::Tls, ""), true), none);
        assert_eq!(fault(UNTIL, Finding::open(""), true), none);
        assert_eq!(fault(UNTIL, Finding::not_run(""), false), none);
        assert_eq!(fault(UNTIL, Finding::not_run(""), true), ["x: not run, and --strict was given"]);
        assert_eq!(fault(Expected::Closed, Finding::leak(""), false), ["x: LEAK"]);
        assert_eq!(fault(UNTIL, Finding::leak(""), false), ["x: LEAK"]);
        assert_eq!(fault(Expected::Closed, Finding::failed(""), false), ["x: could not be carried out"]);
        assert_eq!(fault(Expected::Closed, Finding::open(""), false), ["x: OPEN, which the profile does not declare"]);
        let closed = fault(UNTIL, Finding::closed(ClosedBy::Tls, ""), false);
        assert_eq!(closed, ["x: declared OPEN, and was not shown to succeed"]);
    }

    #[test]
    fn a_detector_that_missed_the_control_fails_the_drill() {
        let mut report = report(vec![]);
        report.detectors[0].control = "missed";
        assert_eq!(report.faults(), ["the detector of memory missed raw in the control"]);
        report.detectors.clear();
        assert_eq!(report.faults(), ["no detector was tested against the control"]);
    }

    #[test]
    fn what_was_not_tried_is_said() {
        let mut report = report(vec![row("x", UNTIL, Finding::not_run("no library"))]);
        assert_eq!(report.unsaid().as_deref(), Some("It says nothing of 1 that this machine cannot run."));
        report.left_out = 3;
        let both = "It says nothing of 1 that this machine cannot run, and of 3 that were not asked for.";
        assert_eq!(report.unsaid().as_deref(), Some(both));
        report.rows.clear();
        assert_eq!(report.unsaid().as_deref(), Some("It says nothing of 3 that were not asked for."));
        report.left_out = 0;
        assert_eq!(report.unsaid(), None);
    }

    #[test]
    fn the_form_for_scripts() {
        let json = report(vec![
            row("pipes", Expected::Closed, Finding::closed(ClosedBy::NoCore, "nothing")),
            row("clock", UNTIL, Finding::open("set")),
        ])
        .json();
        assert_eq!(
            json["attempts"],
            serde_json::json!([
                { "id": "pipes", "outcome": "closed", "closed_by": "no-core", "detail": "nothing" },
                { "id": "clock", "outcome": "open", "closed_by": "kms: a real enclave", "detail": "set" },
            ])
        );
        let detector = serde_json::json!({ "id": "memory", "encoding": "raw", "control": "caught" });
        assert_eq!(json["detectors"], serde_json::json!([detector]));
    }
}
