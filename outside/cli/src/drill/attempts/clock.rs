//! The clock: on a laptop it is the laptop's (DESIGN §5).
//!
//! A library that is loaded before all others (libfaketime) gives enclave and platform the time that a file says.
//!
//! 1. the time is set eleven minutes on: the right code of a moment ago is refused;
//! 2. it is set back: the enclave's clock goes below no time that it has seen, and so stands still. A code then lives as long
//!    as the insider likes.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::time::{Duration, sleep};

use super::Attempt;
use crate::drill::report::{Expected, Finding};
use crate::drill::stack::{Stack, Unusual};
use crate::drill::{Drill, Error, workflows};

/// The attempt.
pub(super) const ATTEMPTS: [Attempt; 1] = [Attempt {
    id: "clock",
    what: "Sets the enclave's clock: ends a code at once, and keeps another alive",
    expected: Expected::Open { until: "an enclave, by the platform's clock" },
    run: |drill| Box::pin(set_the_clock(drill)),
}];

async fn set_the_clock(drill: &mut Drill) -> Result<Finding, Error> {
    let Some(library) = library() else {
        return Ok(Finding::not_run("libfaketime is not installed (Debian: faketime)"));
    };
    let file = drill.scratch.join("clock.txt");
    fs::write(&file, "+0")?;
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let environment = vec![
        variable("LD_PRELOAD", &library.display().to_string()),
        variable("FAKETIME_TIMESTAMP_FILE", &file.display().to_string()),
        variable("FAKETIME_NO_CACHE", "1"),
        // Waits are counted by another clock.
        variable("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        variable("DONT_FAKE_MONOTONIC", "1"),
    ];
    let stack = drill.another("clock", Unusual { environment, ..Unusual::default() }).await?;
    let found = with_clock(drill, &stack, &file).await;
    stack.stop();
    found
}

async fn with_clock(drill: &mut Drill, stack: &Stack, file: &Path) -> Result<Finding, Error> {
    let service = stack.tenant(201, "POST", "/v2/Services", &[("FriendlyName", "Clock"), ("CodeLength", "10")]).await?;
    let service = service["sid"].as_str().ok_or("the service has no SID")?;
    let mut planted = std::mem::take(&mut drill.planted);
    let [first, second] = [planted.number()?, planted.number()?];
    let started = workflows::start(stack, &mut planted, service, &first, "sms").await;
    drill.planted = planted;
    let started = started?;
    // 1.
    fs::write(file, "+660")?;
    let check = format!("/v2/Services/{service}/VerificationCheck");
    let form = [("To", &first[..]), ("Code", &started.code[..])];
    let (status, _) = stack.ask("POST", &check, &form, &stack.serving.tenant.basic()).await?;
    if status != 404 {
        return Ok(Finding::failed(format!("eleven minutes on, the right code was answered with {status}")));
    }
    // 2.
    fs::write(file, "-3600")?;
    let path = format!("/v2/Services/{service}/Verifications");
    let started = stack.tenant(201, "POST", &path, &[("To", &second), ("Channel", "sms")]).await?;
    sleep(Duration::from_millis(2200)).await;
    let again = stack.tenant(201, "POST", &path, &[("To", &second), ("Channel", "sms")]).await?;
    let time = |of: &Value| of["date_updated"].as_str().map(str::to_owned);
    let (before, after) = (time(&started), time(&again));
    if before.is_none() || before != after {
        return Ok(Finding::failed(format!("time went on from {before:?} to {after:?} after it was set back")));
    }
    Ok(Finding::open(
        "eleven minutes on at a stroke, the right code was refused; set back an hour, the enclave's time stood still for \
         as long as was waited (2.2 s), and with it the life of a code",
    ))
}

/// libfaketime, where Debian and its relatives put it.
fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
    let folders =
        folders.chain([PathBuf::from("/usr/lib"), PathBuf::from("/usr/lib64"), PathBuf::from("/usr/local/lib")]);
    let names = ["faketime/libfaketimeMT.so.1", "faketime/libfaketime.so.1"];
    folders.flat_map(|folder| names.map(|name| folder.join(name))).find(|path| path.is_file())
}
