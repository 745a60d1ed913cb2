//! The report for a terminal.

use super::report::{Outcome, Report, Row};

/// Columns of the last field, so that a line is not broken within words.
const WIDTH: usize = 96;

/// The whole text.
pub(crate) fn text(report: &Report) -> String {
    let mut text = format!(
        "adyton drill {}: profile {}, freshness {}, vault {}\n\n",
        env!("CARGO_PKG_VERSION"),
        report.profile,
        report.freshness,
        &report.vault_id[..16.min(report.vault_id.len())]
    );
    let width = report.rows.iter().map(|row| row.id.len()).max().unwrap_or(0);
    for row in &report.rows {
        text += &format!("{:9} {:width$}  {}\n", word(row), row.id, row.what);
        for line in by(row).iter().chain([&row.finding.detail]).flat_map(|text| wrapped(text)) {
            text += &format!("{:9} {:width$}  {line}\n", "", "");
        }
    }
    let caught = report.detectors.iter().filter(|check| check.control == "caught").count();
    text += &format!("\nLeaky control: caught in {caught} of {} places and encodings.\n", report.detectors.len());
    for check in report.detectors.iter().filter(|check| check.control != "caught") {
        text += &format!("  MISSED {} in {}\n", check.id, check.encoding);
    }
    text += &format!(
        "{} CLOSED, {} OPEN, {} LEAK, {} NOT RUN, {} NOT SHOWN, {} FAILED; {} canaries and as many decoys; {:.0} s\n",
        report.count("closed"),
        report.count("open"),
        report.count("leak"),
        report.count("not_run"),
        report.count("not_shown"),
        report.count("failed"),
        report.canaries,
        report.seconds
    );
    let faults = report.faults();
    if faults.is_empty() {
        text += "The drill passes: nothing leaks, and what is OPEN is what this profile declares.\n";
        if report.count("open") > 0 {
            text += match report.profile {
                "dev" => "OPEN rows really succeeded: a laptop protects nothing from its own root.\n",
                _ => "OPEN rows really succeeded.\n",
            };
        }
    } else {
        text += "The drill FAILS:\n";
        faults.iter().for_each(|fault| text += &format!("  {fault}\n"));
    }
    report.unsaid().iter().for_each(|unsaid| text += &format!("{unsaid}\n"));
    text
}

/// The outcome, for the eye.
pub(crate) fn word(row: &Row) -> &'static str {
    match row.finding.outcome {
        Outcome::Closed(_) => "CLOSED",
        Outcome::Open => "OPEN",
        Outcome::Leak => "LEAK",
        Outcome::NotRun => "NOT RUN",
        Outcome::NotShown => "NOT SHOWN",
        Outcome::Failed => "FAILED",
    }
}

/// What closes the row, or what would.
pub(crate) fn by(row: &Row) -> Option<String> {
    let by = row.closed_by()?;
    Some(if row.finding.outcome == Outcome::Open {
        format!("open here; closed in {by}")
    } else {
        format!("closed by {by}")
    })
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::report::tests::{report, row};
    use crate::drill::report::{ClosedBy, Expected, Finding};

    #[test]
    fn what_a_person_reads() {
        let until = Expected::Open { until: "kms: a real enclave" };
        let passing = text(&report(vec![
            row("pipes", Expected::Closed, Finding::closed(ClosedBy::Tls, "1 MiB searched")),
            row("clock", until, Finding::open("set")),
        ]));
        assert_eq!(
            passing,
            "adyton drill 0.1.0: profile dev, freshness none, vault abababababababab\n\n\
             CLOSED    pipes  Reads <everything>\n\
             \x20                closed by tls\n\
             \x20                1 MiB searched\n\
             OPEN      clock  Reads <everything>\n\
             \x20                open here; closed in kms: a real enclave\n\
             \x20                set\n\
             \nLeaky control: caught in 1 of 1 places and encodings.\n\
             1 CLOSED, 1 OPEN, 0 LEAK, 0 NOT RUN, 0 NOT SHOWN, 0 FAILED; 30 canaries and as many decoys; 61 s\n\
             The drill passes: nothing leaks, and what is OPEN is what this profile declares.\n\
             OPEN rows really succeeded: a laptop protects nothing from its own root.\n"
        );
        let failing = text(&report(vec![row("pipes", Expected::Closed, Finding::leak("1 of 2"))]));
        assert!(failing.contains("LEAK      pipes") && failing.ends_with("The drill FAILS:\n  pipes: LEAK\n"));
    }

    #[test]
    fn long_lines_are_broken_between_words() {
        let text = "word ".repeat(60);
        assert!(wrapped(&text).iter().all(|line| line.len() <= WIDTH && !line.ends_with(' ')));
        assert_eq!(wrapped(&text).join(" "), text.trim_end());
    }
}
