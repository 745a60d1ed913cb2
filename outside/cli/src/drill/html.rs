//! The report as one page for an auditor: no network, no script, everything escaped.

use std::collections::BTreeMap;

use super::report::{Check, Expected, Report, Row};
use super::table::{by, word};

const STYLE: &str = "
:root{color-scheme:light;--ink:#1a1f2b;--faint:#5b6475;--line:#d9dde5;--closed:#0a6b3d;--open:#8a5300;--leak:#a3122a;--not:#4a5468}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:2rem 1.25rem 4rem;color:var(--ink);background:#fff;font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;margin:0 0 .25rem}h2{font-size:1.15rem;margin:2.25rem 0 .5rem}
p{margin:.4rem 0;max-width:48rem}
.verdict{border-left:.4rem solid var(--closed);padding:.6rem 1rem;margin:1.25rem 0;background:#f3f8f5}
.verdict.fails{border-color:var(--leak);background:#fbf1f2}
.verdict strong{font-size:1.1rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1.25rem;margin:1rem 0}
dt{color:var(--faint)}dd{margin:0;overflow-wrap:anywhere}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.5rem .75rem .5rem 0;border-top:1px solid var(--line)}
thead th{border-top:0;color:var(--faint);font-weight:600;font-size:.85rem}
tbody th{font-weight:400}
th p{margin:.15rem 0}td p{margin:.15rem 0}.detail{color:var(--faint);font-size:.9rem;overflow-wrap:anywhere}
#attempts{table-layout:fixed}
#attempts th:nth-child(1){width:6.5rem}#attempts th:nth-child(3){width:16rem}#attempts th:nth-child(4){width:4.5rem}
code{font:.9em ui-monospace,monospace}
.word{display:inline-block;min-width:5.2rem;padding:.05rem .5rem;border-radius:.25rem;color:#fff;font-weight:600;font-size:.8rem;text-align:center;background:var(--not)}
.word.closed{background:var(--closed)}.word.open{background:var(--open)}.word.leak,.word.failed{background:var(--leak)}
.matrix th,.matrix td{padding:.3rem .5rem;font-size:.85rem;white-space:nowrap}
.missed{color:var(--leak);font-weight:700}
@media(max-width:44rem){body{padding:1rem .75rem 3rem}dl{grid-template-columns:1fr}dd{margin-bottom:.4rem}
#attempts thead{display:none}#attempts tr{display:block;border-top:1px solid var(--line);padding:.5rem 0}
#attempts th,#attempts td{display:block;border:0;padding:.1rem 0}#attempts td.seconds{display:none}}
@media print{body{padding:0}tr{break-inside:avoid}.word{border:1px solid currentColor}}
";

/// The page.
pub(crate) fn page(report: &Report) -> String {
    let faults = report.faults();
    let verdict = if faults.is_empty() {
        "<div class=\"verdict\"><strong>The drill passes.</strong> Nothing leaks, what is open is exactly what this profile \
         declares, and the control was caught in every place and encoding.</div>"
            .to_owned()
    } else {
        let faults: String = faults.iter().map(|fault| format!("<li>{}</li>", escaped(fault))).collect();
        format!("<div class=\"verdict fails\"><strong>The drill fails.</strong><ul>{faults}</ul></div>")
    };
    let unsaid =
        report.unsaid().map(|unsaid| format!("<p><strong>{}</strong></p>", escaped(&unsaid))).unwrap_or_default();
    let laptop = if report.profile == "dev" {
        "<p><strong>Profile dev is a laptop without an enclave.</strong> It shows the wall and tests it, and protects nothing \
         from this machine's root: the open rows below were attempted and succeeded.</p>"
    } else {
        ""
    };
    let facts = [
        ("Outcomes", counts(report)),
        ("Profile", format!("{}; freshness {}", report.profile, report.freshness)),
        ("Vault", report.vault_id.clone()),
        ("Began", format!("{}, took {:.0} s", report.began, report.seconds)),
        ("Version", format!("adyton {}", env!("CARGO_PKG_VERSION"))),
        ("Canaries", format!("{0}, and {0} decoys of the same shape that nobody was ever given", report.canaries)),
        (
            "Rule for rows that were not run",
            if report.strict { "they fail the drill" } else { "they are counted" }.into(),
        ),
    ];
    let facts: String =
        facts.iter().map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>", escaped(value))).collect();
    let rows: String = report.rows.iter().map(attempt).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta http-equiv=\"content-security-policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\
         <link rel=\"icon\" href=\"data:,\"><title>Adyton drill, {began}</title><style>{STYLE}</style></head>\n<body>\
         <h1>Adyton drill</h1><p>The insider's attempts against a vault, each really carried out: by somebody who holds \
         everything outside the wall.</p>\n{verdict}\n{unsaid}{laptop}\n<dl>{facts}</dl>\n\
         <h2>Attempts</h2>\n<p><b>Closed</b>: it gave the insider nothing. <b>Open</b>: it succeeded, and the profile says so; \
         the next column names what closes it. <b>Leak</b>: it gave what nobody should have.</p>\n\
         <div class=\"wide\"><table id=\"attempts\"><thead><tr><th>Outcome</th><th>Attempt</th><th>Closed by</th>\
         <th class=\"seconds\">Seconds</th></tr></thead>\n<tbody>{rows}</tbody></table></div>\n\
         <h2>Detectors</h2>\n<p>A separate process leaked every canary in every place and encoding. A detector that had \
         missed one would make every closed row above worthless.</p>\n{matrix}\n</body></html>\n",
        began = escaped(&report.began),
        matrix = matrix(&report.detectors),
    )
}

fn counts(report: &Report) -> String {
    let words = [
        ("closed", "closed"),
        ("open", "open"),
        ("leak", "leak"),
        ("not run", "not_run"),
        ("not shown", "not_shown"),
        ("failed", "failed"),
    ];
    words.map(|(name, word)| format!("{} {name}", report.count(word))).join(", ")
}

fn attempt(row: &Row) -> String {
    let declared = match row.expected {
        Expected::Closed => "",
        Expected::Open { .. } => " <span class=\"detail\">declared open</span>",
        Expected::NotShown { .. } => " <span class=\"detail\">not shown here</span>",
    };
    format!(
        "<tr id=\"{id}\"><td><span class=\"word {class}\">{word}</span></td>\
         <th scope=\"row\"><code>{id}</code>{declared}<p>{what}</p><p class=\"detail\">{detail}</p></th>\
         <td>{by}</td><td class=\"seconds\">{seconds:.1}</td></tr>\n",
        id = escaped(row.id),
        class = row.word(),
        word = word(row),
        what = escaped(row.what),
        detail = escaped(&row.finding.detail),
        by = escaped(&by(row).unwrap_or_else(|| "–".into())),
        seconds = row.seconds,
    )
}

/// Places down, encodings across.
fn matrix(checks: &[Check]) -> String {
    let mut places: Vec<(&str, BTreeMap<&str, &str>)> = Vec::new();
    let mut encodings: Vec<&str> = Vec::new();
    for check in checks {
        if !encodings.contains(&check.encoding) {
            encodings.push(check.encoding);
        }
        match places.iter_mut().find(|(place, _)| *place == check.id) {
            Some((_, found)) => drop(found.insert(check.encoding, check.control)),
            None => places.push((check.id, BTreeMap::from([(check.encoding, check.control)]))),
        }
    }
    let cell = |control: Option<&&str>| match control {
        Some(&"caught") => "<td>caught</td>".to_owned(),
        Some(other) => format!("<td class=\"missed\">{}</td>", escaped(other)),
        None => "<td>–</td>".to_owned(),
    };
    // Encodings are many and places few: the table is read down.
    let head: String = places.iter().map(|(place, _)| format!("<th>{}</th>", escaped(place))).collect();
    let line = |encoding: &&str| {
        let cells: String = places.iter().map(|(_, found)| cell(found.get(encoding))).collect();
        format!("<tr><th scope=\"row\"><code>{}</code></th>{cells}</tr>\n", escaped(encoding))
    };
    let lines: String = encodings.iter().map(line).collect();
    format!(
        "<div class=\"wide\"><table class=\"matrix\" id=\"detectors\"><thead><tr><th>Encoding</th>{head}</tr></thead>\n\
         <tbody>{lines}</tbody></table></div>"
    )
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::report::tests::{report, row};
    use crate::drill::report::{ClosedBy, Finding};

    #[test]
    fn everything_is_escaped_and_nothing_is_loaded() {
        let hostile = "<script>alert('1')</script>&\"";
        let page = page(&report(vec![row("pipes", Expected::Closed, Finding::closed(ClosedBy::Tls, hostile))]));
        assert!(page.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;"));
        assert!(page.contains("Reads &lt;everything&gt;"));
        for absent in ["<script", "http://", "https://", "src=", "url("] {
            assert!(!page.contains(absent), "{absent}");
        }
    }

    #[test]
    fn a_page_says_what_failed() {
        let leaking = page(&report(vec![row("pipes", Expected::Closed, Finding::leak("1 of 2"))]));
        assert!(leaking.contains("The drill fails.") && leaking.contains("<li>pipes: LEAK</li>"));
        let mut missed = report(vec![]);
        missed.detectors[0].control = "missed";
        assert!(page(&missed).contains("<td class=\"missed\">missed</td>"));
    }
}
