//! Getting the enclave to speak with somebody who is not on its list.

use std::time::{Duration, Instant};

use adyton_policy::Policy;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::Attempt;
use crate::drill::detector::Hits;
use crate::drill::relay::locked;
use crate::drill::report::{ClosedBy, Expected, Finding};
use crate::drill::stack::Unusual;
use crate::drill::{Drill, Error, http};
use crate::laptop::override_key;

/// The attempts.
pub(super) const ATTEMPTS: [Attempt; 3] = [
    Attempt {
        id: "egress-rebinding",
        what: "Lets a carrier's name lead to a server of the insider's",
        expected: Expected::Closed,
        run: |drill| Box::pin(rebinding(drill)),
    },
    Attempt {
        id: "egress-addresses",
        what: "Names addresses in place of names in the policy, mapped and disguised ones too",
        expected: Expected::Closed,
        run: |drill| Box::pin(async { addresses(drill) }),
    },
    Attempt {
        id: "egress-redirect",
        what: "Has the carrier send the vault elsewhere",
        expected: Expected::Closed,
        run: |drill| Box::pin(redirect(drill)),
    },
];

/// Longest wait for an attempt to deliver.
const PATIENCE: Duration = Duration::from_secs(15);

async fn rebinding(drill: &mut Drill) -> Result<Finding, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let heard = crate::processes::Collected::default();
    let into = heard.clone();
    // He listens, and has no certificate that the policy trusts.
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = vec![0; 64 * 1024];
            if let Ok(Ok(count)) = tokio::time::timeout(Duration::from_millis(200), stream.read(&mut buffer)).await {
                locked(&into).extend_from_slice(&buffer[..count]);
            }
        }
    });
    let stack = drill.another("rebinding", Unusual { carrier: Some(address), ..Unusual::default() }).await?;
    let to = drill.planted.number()?;
    let finding = async {
        let service = stack.serving.tenant.service_sid.clone().ok_or("the tenant has no service")?;
        let path = format!("/v2/Services/{service}/Verifications");
        stack.tenant(201, "POST", &path, &[("To", &to), ("Channel", "sms")]).await?;
        let began = Instant::now();
        while locked(&heard).is_empty() {
            if began.elapsed() > PATIENCE {
                return Err("nobody called the insider's server".into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // The name that TLS asks for.
        let detector = drill.detector(&["carrier.adyton.test"])?;
        let mut hits = Hits::default();
        detector.search(&locked(&heard), &mut hits);
        drill.judge(&detector.verdict(&hits)?, ClosedBy::Tls)
    };
    let finding = finding.await;
    stack.stop();
    server.abort();
    finding
}

/// Spellings of addresses, of this machine and of a cloud's metadata service.
const ADDRESSES: [&str; 14] = [
    "127.0.0.1",
    "127.1",
    "0x7f000001",
    "2130706433",
    "0177.0.0.1",
    "::1",
    "[::1]",
    "::ffff:127.0.0.1",
    "[::ffff:7f00:1]",
    "169.254.169.254",
    "[fd00:ec2::254]",
    "localhost",
    "carrier.adyton.test:444",
    "user@carrier.adyton.test",
];

fn addresses(drill: &Drill) -> Result<Finding, Error> {
    let text = std::fs::read_to_string(drill.stack.folders.data.join("adyton.toml"))?;
    Policy::parse(text.as_bytes())?;
    for address in ADDRESSES {
        for (key, table) in [("custody.host", "[custody]"), ("host", "[[routes]]")] {
            let edited = match table {
                "[custody]" => override_key(&text, key, &format!("{address:?}")),
                _ => text.replace("host = \"carrier.adyton.test\"", &format!("host = {address:?}")),
            };
            if edited == text {
                return Err(format!("the policy names no {key}").into());
            }
            if Policy::parse(edited.as_bytes()).is_ok() {
                return Ok(Finding::leak(format!("a policy with {address} for a host is one")));
            }
        }
    }
    Ok(Finding::closed(ClosedBy::Policy, format!("{} spellings are refused, for carriers and KMS", ADDRESSES.len())))
}

async fn redirect(drill: &mut Drill) -> Result<Finding, Error> {
    let to = drill.planted.number()?;
    let stack = drill.another("redirect", Unusual::default()).await?;
    let finding = async {
        http::put(stack.phone(), "/faults", r#"{"":"redirect"}"#).await?;
        let service = stack.serving.tenant.service_sid.clone().ok_or("the tenant has no service")?;
        let path = format!("/v2/Services/{service}/Verifications");
        let started = stack.tenant(201, "POST", &path, &[("To", &to), ("Channel", "sms")]).await?;
        let one = format!("{path}/{}", started["sid"].as_str().ok_or("no SID")?);
        let began = Instant::now();
        // Until the vault has tried, and said what came of it.
        loop {
            let shown = stack.tenant(200, "GET", &one, &[]).await?;
            let tried = shown["send_code_attempts"].as_array().and_then(|attempts| attempts.first());
            let outcome = tried.and_then(|attempt| attempt["outcome"].as_str()).unwrap_or("unknown");
            if outcome == "accepted" {
                return Ok(Finding::leak("a redirect was taken for an answer"));
            }
            if outcome != "unknown" || began.elapsed() > PATIENCE {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // Whom the enclave asked the host to dial stands in the clear between them.
        let asked = |name: &str| stack.pipes.count(name.as_bytes());
        if asked("carrier.adyton.test") == 0 {
            return Err("the enclave has not called the carrier".into());
        }
        Ok(match asked("elsewhere.adyton.test") {
            0 => Finding::closed(ClosedBy::Egress, "the enclave never asked for the name that it was sent to"),
            count => Finding::leak(format!("the enclave asked {count} times for a name that its policy does not have")),
        })
    };
    let finding = finding.await;
    stack.stop();
    finding
}
