//! Crashes: what do processes say when they die, and when they start again among ruins?
//!
//! In a vault of its own, with canaries of its own:
//!
//! 1. the enclave is ended by SIGILL while a message is on its way, and started again;
//! 2. so is the host, by SIGABRT, while a client waits;
//! 3. so is the platform, with the carrier: a message cannot be delivered, and an enclave that starts now is refused;
//! 4. all that was printed, and every file, is searched.

use rustix::process::Signal;
use tokio::time::{Duration, Instant, sleep};

use super::Attempt;
use crate::drill::canary::Planted;
use crate::drill::detector::{Detector, Hits};
use crate::drill::relay::locked;
use crate::drill::report::{ClosedBy, Expected, Finding};
use crate::drill::stack::{Stack, Unusual};
use crate::drill::{Drill, Error, haystack, http, workflows};

/// The attempt.
pub(super) const ATTEMPTS: [Attempt; 1] = [Attempt {
    id: "crash",
    what: "Crashes enclave, host and platform at work, and reads what they print and leave",
    expected: Expected::Closed,
    run: |drill| Box::pin(crash(drill)),
}];

async fn crash(drill: &mut Drill) -> Result<Finding, Error> {
    let mut stack = drill.another("crash", Unusual::default()).await?;
    let mut planted = Planted::default();
    let ended = break_all(&mut stack, &mut planted).await;
    // 4.
    let searched = ended.and_then(|()| {
        let detector = Detector::new(&planted, &["boot-phase", "adyton/", "adyton-enclave: "])?;
        let mut hits = Hits::default();
        detector.search(&locked(&stack.output), &mut hits);
        haystack::folder(&stack.folders.data, &detector, &mut hits)?;
        haystack::folder(&stack.working, &detector, &mut hits)?;
        stack.pipes.search(&detector, &mut hits);
        detector.verdict(&hits)
    });
    stack.stop();
    drill.judge(&searched?, ClosedBy::ClosedOutputs)
}

async fn break_all(stack: &mut Stack, planted: &mut Planted) -> Result<(), Error> {
    let done = workflows::run(stack, planted).await?;
    let path = format!("/v2/Services/{}/Verifications", done.service);
    http::put(stack.phone(), "/faults", r#"{ "": "slow" }"#).await?;
    // 1. and 2.
    for (enclave, signal) in [(true, Signal::ILL), (false, Signal::ABORT)] {
        let number = planted.number()?;
        stack.tenant(201, "POST", &path, &[("To", &number), ("Channel", "sms")]).await?;
        let process = if enclave { stack.vault.enclave.process() } else { &mut stack.vault.host };
        if !process.end(signal) {
            return Err("a process did not end by its signal".into());
        }
        stack.restart().await?;
    }
    // 3.
    if !stack.pretend.end(Signal::ILL) {
        return Err("the platform did not end by its signal".into());
    }
    let number = planted.number()?;
    stack.tenant(201, "POST", &path, &[("To", &number), ("Channel", "sms")]).await?;
    until(stack, |stack| said(stack, "delivery-failed")).await?;
    stack.vault.enclave.end(Signal::ILL);
    stack.vault.start_enclave()?;
    until(stack, |stack| stack.vault.enclave.ended() && said(stack, "adyton-enclave: ")).await
}

fn said(stack: &Stack, text: &str) -> bool {
    locked(&stack.output).windows(text.len()).any(|window| window == text.as_bytes())
}

async fn until(stack: &mut Stack, mut so: impl FnMut(&mut Stack) -> bool) -> Result<(), Error> {
    let began = Instant::now();
    while !so(stack) {
        if began.elapsed() > Duration::from_secs(30) {
            return Err("what a crash should bring about did not come in time".into());
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
