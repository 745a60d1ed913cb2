//! Asking: every endpoint that answers without a key, what errors say, the host's own channel; and support.

use adyton_ledger::{LogId, LogReader, TILE_WIDTH};
use serde_json::Value;

use super::Attempt;
use crate::drill::detector::{Detector, Hits};
use crate::drill::report::{ClosedBy, Expected, Finding};
use crate::drill::stack::Stack;
use crate::drill::{Drill, Error, http};
use crate::store::Source;

/// The attempts.
pub(super) const ATTEMPTS: [Attempt; 2] = [
    Attempt {
        id: "endpoints",
        what: "Asks every endpoint without a key or with a wrong one, the metrics, the published logs, and the host's channel for tools",
        expected: Expected::Closed,
        run: |drill| Box::pin(endpoints(drill)),
    },
    Attempt {
        id: "support",
        what: "Phishes a member of the support staff: looks at every verification, and tries what else the key does",
        expected: Expected::Closed,
        run: |drill| Box::pin(support(drill)),
    },
];

/// Paths where software tends to say more than it should.
const PATHS: [&str; 18] = [
    "/",
    "/health",
    "/ready",
    "/metrics",
    "/status",
    "/debug",
    "/debug/pprof/",
    "/debug/vars",
    "/actuator/env",
    "/server-status",
    "/.env",
    "/.well-known/adyton/evidence",
    "/.well-known/adyton/binding",
    "/adyton/v1/vault",
    "/adyton/v1/public-certificate-request",
    "/adyton/v1/account",
    "/v2/Services",
    "/v2/Services/%00",
];

async fn endpoints(drill: &mut Drill) -> Result<Finding, Error> {
    let detector = drill.detector(&["vault_id", "adyton_codes_requested_total", "adyton/"])?;
    let (mut hits, mut answers) = (Hits::default(), 0);
    let stack = &drill.stack;
    let service = &drill.done.service;
    let mut paths: Vec<String> = PATHS.iter().map(|path| (*path).to_owned()).collect();
    paths.push(format!("/v2/Services/{service}"));
    for started in &drill.done.verifications {
        paths.push(format!("/v2/Services/{service}/Verifications/{}", started.sid));
        paths.push(format!("/adyton/v1/support/{}", started.sid));
    }
    let account = &stack.serving.tenant.account_sid;
    let wrong = format!("Basic {}", data_encoding::BASE64.encode(format!("{account}:{}", "0".repeat(32)).as_bytes()));
    for path in &paths {
        for (method, authorization) in [("GET", ""), ("GET", &wrong[..]), ("TRACE", ""), ("DELETE", "Bearer x")] {
            let (status, body) = stack.ask(method, path, &[], authorization).await?;
            if path.contains(service) && (200..300).contains(&status) {
                return Ok(Finding::leak(format!("{method} {path} answered {status} to somebody without a key")));
            }
            detector.search(&body, &mut hits);
            answers += 1;
        }
    }
    // A guess at a live verification, by somebody who has no key: what does the refusal say?
    let check = format!("/v2/Services/{service}/VerificationCheck");
    for started in &drill.done.verifications {
        let guess = [("VerificationSid", &started.sid[..]), ("Code", "0000000000")];
        detector.search(&stack.ask("POST", &check, &guess, &wrong).await?.1, &mut hits);
        answers += 1;
    }
    let metrics = stack.vault.metrics.parse()?;
    for path in PATHS {
        for method in ["GET", "POST"] {
            detector.search(&http::get(metrics, method, path).await?.1, &mut hits);
            answers += 1;
        }
    }
    answers += published(stack, &detector, &mut hits).await?;
    let source = Source::open(&stack.folders.data)?;
    for log in [LogId::GOV, LogId::ops(0)] {
        detector.search(source.status(log)?.head.as_bytes(), &mut hits);
        let mut next = 0;
        loop {
            let records = source.read(log, next, 1024, 8 << 20)?;
            for record in &records {
                detector.search(record.entry.as_bytes(), &mut hits);
                record.hot.iter().chain(&record.kept).for_each(|body| detector.search(body, &mut hits));
            }
            next += records.len() as u64;
            answers += 1;
            if records.is_empty() {
                break;
            }
        }
    }
    let mut finding = drill.judge(&detector.verdict(&hits)?, ClosedBy::ClosedOutputs)?;
    finding.detail += &format!("; {answers} answers");
    Ok(finding)
}

/// Everything that the published logs show, without a key; how many answers that were.
async fn published(stack: &Stack, detector: &Detector, hits: &mut Hits) -> Result<usize, Error> {
    let mut answers = 0;
    for (address, log) in [(&stack.vault.tiles, "gov"), (&stack.vault.tiles_ops, "ops-0")] {
        let address = address.parse()?;
        let checkpoint = http::get(address, "GET", &format!("/{log}/checkpoint")).await?.1;
        let text = String::from_utf8_lossy(&checkpoint).into_owned();
        let size: usize =
            text.lines().rev().nth(3).and_then(|size| size.parse().ok()).ok_or("the checkpoint has no size")?;
        detector.search(&checkpoint, hits);
        answers += 1;
        for kind in ["0", "entries"] {
            for from in (0..size).step_by(TILE_WIDTH) {
                let kind = format!("/{log}/tile/{kind}/{:03}", from / TILE_WIDTH);
                let partial = size - from;
                let path = if partial < TILE_WIDTH { format!("{kind}.p/{partial}") } else { kind };
                let (status, tile) = http::get(address, "GET", &path).await?;
                if status != 200 {
                    return Err(format!("{path} was answered with {status}").into());
                }
                detector.search(&tile, hits);
                answers += 1;
            }
        }
    }
    Ok(answers)
}

async fn support(drill: &mut Drill) -> Result<Finding, Error> {
    let key = drill.done.support.as_ref().ok_or("the workflows made no support key")?.basic();
    let stack = &drill.stack;
    let service = &drill.done.service;
    // One of a live verification: it shows that looking works.
    let detector = drill.detector(&["pending"])?;
    let (mut hits, mut looks) = (Hits::default(), 0);
    for started in &drill.done.verifications {
        let (status, body) = stack.ask("GET", &format!("/adyton/v1/support/{}", started.sid), &[], &key).await?;
        if status != 200 {
            return Err(format!("a support look was answered with {status}").into());
        }
        detector.search(&body, &mut hits);
        looks += 1;
        let view: Value = serde_json::from_slice(&body)?;
        if let Some(digits) = longest_digits(&view).filter(|digits| *digits > 3) {
            return Ok(Finding::leak(format!("a support look shows {digits} digits in a row")));
        }
    }
    let live = drill.done.verifications.iter().find(|started| started.live).ok_or("no verification is live")?;
    let one = format!("/v2/Services/{service}/Verifications/{}", live.sid);
    let (start, check) =
        (format!("/v2/Services/{service}/Verifications"), format!("/v2/Services/{service}/VerificationCheck"));
    type Request<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);
    let others: [Request<'_>; 7] = [
        ("GET", "/v2/Services", &[]),
        ("GET", &one, &[]),
        ("POST", &one, &[("Status", "canceled")]),
        ("POST", &start, &[("To", &live.to), ("Channel", "sms")]),
        ("POST", &check, &[("To", &live.to), ("Code", &live.code)]),
        ("POST", "/v2/Services", &[("FriendlyName", "x")]),
        ("GET", "/adyton/v1/account", &[]),
    ];
    for (method, path, form) in others {
        let (status, body) = stack.ask(method, path, form, &key).await?;
        detector.search(&body, &mut hits);
        if !matches!(status, 401 | 403 | 404) {
            return Ok(Finding::leak(format!("{method} {path} with a support key was answered with {status}")));
        }
    }
    let mut finding = drill.judge(&detector.verdict(&hits)?, ClosedBy::Api)?;
    finding.detail +=
        &format!("; {looks} looks without a digit of number or code, {} other requests refused", others.len());
    Ok(finding)
}

/// The longest row of digits in what a look says, the SID aside, which was known before.
fn longest_digits(view: &Value) -> Option<usize> {
    let members = view.as_object()?.iter().filter(|(name, _)| *name != "sid");
    let text: Vec<String> = members.map(|(_, value)| value.to_string()).collect();
    let longest = |text: &String| text.split(|char: char| !char.is_ascii_digit()).map(str::len).max();
    text.iter().filter_map(longest).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_a_number_are_seen_and_those_of_a_sid_are_not() {
        let view = serde_json::json!({ "sid": "VE00001111", "country": "+44", "attempts": ["accepted"] });
        assert_eq!(longest_digits(&view), Some(2));
        let view = serde_json::json!({ "sid": "VE0", "to": "+1202...0123", "attempts": [] });
        assert_eq!(longest_digits(&view), Some(4));
    }
}
