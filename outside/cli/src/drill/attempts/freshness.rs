//! Starting again, and bringing back what was, to get back what was used up.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use super::Attempt;
use crate::client::expect;
use crate::drill::relay::locked;
use crate::drill::report::{ClosedBy, Expected, Finding, REGISTER};
use crate::drill::stack::{Stack, Unusual};
use crate::drill::{Drill, Error};

/// The attempts.
pub(super) const ATTEMPTS: [Attempt; 3] = [
    Attempt {
        id: "restarts",
        what: "Restarts the enclave again and again, to try more codes",
        expected: Expected::Closed,
        run: |drill| Box::pin(restarts(drill)),
    },
    Attempt {
        id: "restored-folder",
        what: "Puts an old folder back, to get back wrong codes that were counted",
        expected: Expected::Closed,
        run: |drill| Box::pin(restored_guesses(drill)),
    },
    Attempt {
        id: "restored-service",
        what: "Puts an old folder back, to get back a service that was weaker then",
        expected: Expected::Open { until: REGISTER },
        run: |drill| Box::pin(restored_service(drill)),
    },
];

/// Boots of an hour that are not held back, the first included.
const QUICK_BOOTS: usize = 12;

fn patient() -> Unusual {
    Unusual { policy: vec!["limits.failed_checks_refill_seconds=120".into()], ..Unusual::default() }
}

fn service(stack: &Stack) -> Result<String, Error> {
    Ok(stack.serving.tenant.service_sid.clone().ok_or("the tenant has no service")?)
}

/// Tries one wrong code on a new verification; whether it was compared.
async fn is_compared(stack: &Stack, to: &str) -> Result<bool, Error> {
    let service = service(stack)?;
    let path = format!("/v2/Services/{service}/Verifications");
    stack.tenant(201, "POST", &path, &[("To", to), ("Channel", "sms")]).await?;
    let check = format!("/v2/Services/{service}/VerificationCheck");
    let answer = stack.ask("POST", &check, &[("To", to), ("Code", "000000")], &stack.serving.tenant.basic()).await?;
    match answer {
        (200, _) => Ok(true),
        (429, body) if serde_json::from_slice::<Value>(&body)?["code"] == 60202 => Ok(false),
        (status, _) => Err(format!("a check was answered with {status}").into()),
    }
}

/// In the profile that is drilled restarts give no try. Profile `dev` never holds a boot back, so the delay is shown by a vault of
/// profile `kms`.
async fn restarts(drill: &mut Drill) -> Result<Finding, Error> {
    let to = drill.planted.number()?;
    let mut stack = drill.another("restarts", patient()).await?;
    let gained = tries_gained(&mut stack, &to).await;
    let gained = match gained {
        Ok(0) if drill.site.parts.is_none() => {
            stack.stop();
            stack = drill.another("restarts-kms", Unusual { kms: true, ..patient() }).await?;
            tries_gained(&mut stack, &to).await
        }
        gained => gained,
    };
    let finding = match gained {
        Ok(0) => is_held_back(&mut stack).await,
        Ok(gained) => Ok(Finding::leak(format!("{gained} codes were compared in {} restarts", QUICK_BOOTS - 1))),
        Err(error) => Err(error),
    };
    stack.stop();
    finding
}

/// Codes that were compared after restarts, of as many as are not held back.
async fn tries_gained(stack: &mut Stack, to: &str) -> Result<usize, Error> {
    if !is_compared(stack, to).await? {
        return Err("no code could be tried before the first restart".into());
    }
    let mut gained = 0;
    for _ in 1..QUICK_BOOTS {
        stack.vault.enclave.end(Signal::KILL);
        stack.restart().await?;
        gained += usize::from(is_compared(stack, to).await?);
    }
    Ok(gained)
}

/// Whether the next boot waits, and says so.
async fn is_held_back(stack: &mut Stack) -> Result<Finding, Error> {
    stack.vault.enclave.end(Signal::KILL);
    stack.vault.start_enclave()?;
    let began = Instant::now();
    while !String::from_utf8_lossy(&locked(&stack.output)).contains("boot-delayed") {
        if began.elapsed() > Duration::from_secs(20) {
            return Ok(Finding::leak(format!("{QUICK_BOOTS} restarts in an hour, and none was held back")));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let hours = 1000 / 60;
    Ok(Finding::closed(
        ClosedBy::VoidedState,
        format!(
            "{} restarts gave no try, though a wait of 120 s gives one. In profile kms further ones wait a minute each, so \
             that 1,000 take {hours} hours, and waiting so long gives 500; profile dev holds none back",
            QUICK_BOOTS - 1
        ),
    ))
}

async fn restored_guesses(drill: &mut Drill) -> Result<Finding, Error> {
    let mut stack = drill.another("restored", patient()).await?;
    let to = drill.planted.number()?;
    let aside = drill.scratch.join("restored-aside");
    let finding = async {
        let data = stack.folders.data.clone();
        stack.exchange(&data, &aside)?;
        stack.restart().await?;
        is_compared(&stack, &to).await?;
        // What was counted since is gone with the folder that is put back.
        stack.exchange(&aside, &data)?;
        stack.restart().await?;
        let compared = is_compared(&stack, &to).await?;
        Ok(if compared {
            Finding::leak("a code was compared right after an old folder was put back")
        } else {
            Finding::closed(ClosedBy::VoidedState, "an old folder boots, and every destination begins with no try")
        })
    };
    let finding = finding.await;
    stack.stop();
    finding
}

async fn restored_service(drill: &mut Drill) -> Result<Finding, Error> {
    let mut stack = drill.another("older", Unusual::default()).await?;
    let aside = drill.scratch.join("older-aside");
    let finding = async {
        let data = stack.folders.data.clone();
        let path = format!("/v2/Services/{}", service(&stack)?);
        let before = stack.tenant(200, "GET", &path, &[]).await?["code_length"].clone();
        stack.exchange(&data, &aside)?;
        stack.restart().await?;
        let token = stack.serving.tenant.basic();
        let stronger = expect(200, stack.ask("POST", &path, &[("CodeLength", "10")], &token).await?)?;
        if serde_json::from_slice::<Value>(&stronger)?["code_length"] != 10 {
            return Err("the service did not become stronger".into());
        }
        stack.exchange(&aside, &data)?;
        stack.restart().await?;
        let after = stack.tenant(200, "GET", &path, &[]).await?["code_length"].clone();
        Ok(if after == before {
            Finding::open(format!("codes of 10 digits are of {after} again, and the vault does not know it"))
        } else {
            Finding::failed(format!("codes are of {after} digits"))
        })
    };
    let finding = finding.await;
    stack.stop();
    finding
}
