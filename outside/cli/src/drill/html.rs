//! The report as a page for an auditor. To come: this is the skeleton.

use super::report::Report;

/// The page.
pub(crate) fn page(report: &Report) -> String {
    report.json().to_string()
}
