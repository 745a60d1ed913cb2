//! Another tenant, and whoever has stolen a tenant's keys.

use adyton_seal::RecipientPublicKey;
use serde_json::Value;

use super::Attempt;
use crate::client::expect;
use crate::drill::report::{ClosedBy, Expected, Finding};
use crate::drill::stack::{Stack, Unusual};
use crate::drill::{Drill, Error, http};
use crate::ssh::make_key;
use crate::tenant_file::{TenantFile, random_hex};

/// The attempts.
pub(super) const ATTEMPTS: [Attempt; 6] = [
    Attempt {
        id: "another-tenant",
        what: "Asks for a tenant's services and codes with another tenant's token",
        expected: Expected::Closed,
        run: |drill| Box::pin(another_tenant(drill)),
    },
    Attempt {
        id: "stolen-key-code",
        what: "Plants a code of its own, or approves without one, with a stolen token",
        expected: Expected::Closed,
        run: |drill| Box::pin(planted_code(drill)),
    },
    Attempt {
        id: "stolen-key-weaken",
        what: "Weakens a service with a stolen token",
        expected: Expected::Closed,
        run: |drill| Box::pin(weakened(drill)),
    },
    Attempt {
        id: "stolen-key-look",
        what: "Names another app for a message, and a name that displaces the warning, with a stolen key",
        expected: Expected::Closed,
        run: |drill| Box::pin(another_look(drill)),
    },
    Attempt {
        id: "stolen-key-retries",
        what: "Cancels and starts again, to try more codes with a stolen key",
        expected: Expected::Closed,
        run: |drill| Box::pin(retries(drill)),
    },
    Attempt {
        id: "stolen-key-others",
        what: "Wastes wrong codes on somebody's number, to close it for another tenant",
        expected: Expected::Closed,
        run: |drill| Box::pin(others(drill)),
    },
];

/// The vault's code for an error, if an answer is one.
fn code(body: &[u8]) -> Option<u64> {
    serde_json::from_slice::<Value>(body).ok()?["code"].as_u64()
}

/// A second tenant with a service of its own.
async fn second(stack: &Stack, drill: &Drill) -> Result<(TenantFile, String), Error> {
    let tenant = TenantFile::new(&stack.serving.vault_id, None)?;
    let key = make_key(&drill.scratch.join(format!("tenant-{}", random_hex()?)), "another tenant")?.parse()?;
    let request = tenant.introduction(&RecipientPublicKey(stack.serving.genesis.hpke_key), "Another", &key)?;
    let json = [("content-type", "application/json")];
    let body = serde_json::to_string(&request)?;
    expect(201, stack.client().request("POST", "/adyton/v1/tenants", &json, body).await?)?;
    let created = stack.ask("POST", "/v2/Services", &[("FriendlyName", "Another")], &tenant.basic()).await?;
    let service: Value = serde_json::from_slice(&expect(201, created)?)?;
    Ok((tenant, service["sid"].as_str().ok_or("the service has no SID")?.to_owned()))
}

async fn another_tenant(drill: &mut Drill) -> Result<Finding, Error> {
    let stack = &drill.stack;
    let (other, _) = second(stack, drill).await?;
    let live = drill.done.verifications.iter().find(|started| started.live).ok_or("no verification is live")?;
    let (service, verification) = (&drill.done.service, &live.sid);
    let (no_service, no_verification) = (format!("VA{}", random_hex()?), format!("VE{}", random_hex()?));
    let check = [("To", &live.to[..]), ("Code", &live.code[..])];
    let mut asked = 0;
    let at = |service: &str, rest: &str| format!("/v2/Services/{service}{rest}");
    for (method, theirs, nobodys, form) in [
        ("GET", at(service, ""), at(&no_service, ""), &[][..]),
        ("POST", at(service, ""), at(&no_service, ""), &[("FriendlyName", "Mine")][..]),
        ("DELETE", at(service, ""), at(&no_service, ""), &[]),
        ("POST", at(service, "/VerificationCheck"), at(&no_service, "/VerificationCheck"), &check),
        (
            "GET",
            at(service, &format!("/Verifications/{verification}")),
            at(&no_service, &format!("/Verifications/{no_verification}")),
            &[],
        ),
        (
            "POST",
            at(service, &format!("/Verifications/{verification}")),
            at(&no_service, &format!("/Verifications/{no_verification}")),
            &[("Status", "canceled")],
        ),
    ] {
        let (status, body) = stack.ask(method, &theirs, form, &other.basic()).await?;
        let (unknown, nothing) = stack.ask(method, &nobodys, form, &other.basic()).await?;
        let said = (status, code(&body));
        if said != (404, Some(20404)) || said != (unknown, code(&nothing)) {
            return Ok(Finding::leak(format!("{method} answered {said:?} for another's, {unknown} for nobody's")));
        }
        asked += 1;
    }
    Ok(Finding::closed(ClosedBy::Api, format!("{asked} requests, each answered as if nothing of that name existed")))
}

async fn planted_code(drill: &mut Drill) -> Result<Finding, Error> {
    let to = drill.planted.number()?;
    let live = drill.done.verifications.iter().find(|started| started.live).ok_or("no verification is live")?;
    let path = format!("/v2/Services/{}/Verifications", drill.done.service);
    let one = format!("{path}/{}", live.sid);
    let planted = [("To", &to[..]), ("Channel", "sms"), ("CustomCode", "0123456789")];
    let token = drill.stack.serving.tenant.basic();
    for (path, form) in [(&path, &planted[..]), (&one, &[("Status", "approved")][..])] {
        let (status, body) = drill.stack.ask("POST", path, form, &token).await?;
        if (status, code(&body)) != (403, Some(60204)) {
            return Ok(Finding::leak(format!("the vault answered {status}")));
        }
    }
    Ok(Finding::closed(ClosedBy::Policy, "a code of the caller's and an approval by API are refused with 60204"))
}

async fn weakened(drill: &mut Drill) -> Result<Finding, Error> {
    let service = format!("/v2/Services/{}", drill.done.service);
    let token = drill.stack.serving.tenant.basic();
    let before = drill.stack.tenant(200, "GET", &service, &[]).await?;
    for form in [[("CodeLength", "6")], [("CustomCodeEnabled", "true")]] {
        let (status, body) = drill.stack.ask("POST", &service, &form, &token).await?;
        if !matches!((status, code(&body)), (403, Some(20403 | 60204))) {
            return Ok(Finding::leak(format!("{} was answered with {status}", form[0].0)));
        }
    }
    let after = drill.stack.tenant(200, "GET", &service, &[]).await?;
    if before != after {
        return Ok(Finding::leak("the service is another one now"));
    }
    Ok(Finding::closed(ClosedBy::Signature, "shorter codes and codes of callers need the tenant's SSH key, and wait"))
}

/// A service with a warning and a domain, and requests that would have neither in the message.
async fn another_look(drill: &mut Drill) -> Result<Finding, Error> {
    let to = drill.planted.number()?;
    let stack = &drill.stack;
    let bound =
        [("FriendlyName", "Bank"), ("DoNotShareWarningEnabled", "true"), ("WebOtpDomain", "login.bank.example")];
    let service = stack.tenant(201, "POST", "/v2/Services", &bound).await?;
    let path = format!("/v2/Services/{}/Verifications", service["sid"].as_str().ok_or("the service has no SID")?);
    let token = stack.serving.tenant.basic();
    let app = [("To", &to[..]), ("Channel", "sms"), ("AppHash", "He42w354ol9")];
    let (status, body) = stack.ask("POST", &path, &app, &token).await?;
    if (status, code(&body)) != (400, Some(60200)) {
        return Ok(Finding::leak(format!("an app that the service does not list was answered with {status}")));
    }
    // As it is, and with a full-width letter that a carrier may replace.
    for name in ["He42w354ol9", "\u{FF28}e42w354ol9"] {
        let named = [("To", &to[..]), ("Channel", "sms"), ("CustomFriendlyName", name)];
        let (status, body) = stack.ask("POST", &path, &named, &token).await?;
        if (status, code(&body)) != (400, Some(60200)) {
            return Ok(Finding::leak(format!("an app's hash as the name {name} was answered with {status}")));
        }
    }
    // The longest names in and outside the alphabet of text messages.
    let names = ["\u{e9}".repeat(30), "\u{416}".repeat(15)];
    for (before, name) in names.iter().enumerate() {
        let form = [("To", &to[..]), ("Channel", "sms"), ("CustomFriendlyName", name)];
        stack.tenant(201, "POST", &path, &form).await?;
        let message = http::message(stack.phone(), &to, before + 1).await?;
        let bound = message.lines().next_back().is_some_and(|line| line.starts_with("@login.bank.example #"));
        if !message.contains("Do not share it with anyone.") || !bound {
            return Ok(Finding::leak(format!("a name of {} bytes displaced the warning or the domain", name.len())));
        }
    }
    Ok(Finding::closed(
        ClosedBy::Api,
        "the app is refused, as a name too, and messages under the longest names keep warning and domain",
    ))
}

/// A policy under which nothing is given back while an attempt lasts.
fn patient() -> Unusual {
    Unusual {
        policy: vec!["limits.failed_checks_refill_seconds=120".into(), "limits.failed_checks=7".into()],
        ..Unusual::default()
    }
}

/// Starts and checks wrong codes until none is compared any more, and says how many were.
async fn try_wrong(stack: &Stack, token: &str, service: &str, to: &str) -> Result<usize, Error> {
    let (path, check) =
        (format!("/v2/Services/{service}/Verifications"), format!("/v2/Services/{service}/VerificationCheck"));
    let mut compared = 0;
    for round in 0..10 {
        let started = stack.ask("POST", &path, &[("To", to), ("Channel", "sms")], token).await?;
        let started: Value = serde_json::from_slice(&expect(201, started)?)?;
        let sid = started["sid"].as_str().ok_or("the verification has no SID")?;
        for number in 0..5 {
            let guess = format!("{:06}", round * 5 + number);
            match stack.ask("POST", &check, &[("To", to), ("Code", &guess)], token).await? {
                (200, _) => compared += 1,
                (429, body) if code(&body) == Some(60202) => return Ok(compared),
                (status, _) => return Err(format!("a check was answered with {status}").into()),
            }
        }
        expect(200, stack.ask("POST", &format!("{path}/{sid}"), &[("Status", "canceled")], token).await?)?;
    }
    Ok(compared)
}

async fn retries(drill: &mut Drill) -> Result<Finding, Error> {
    let stack = drill.another("retries", patient()).await?;
    let service = stack.serving.tenant.service_sid.clone().ok_or("the tenant has no service")?;
    let to = drill.planted.number()?;
    let compared = try_wrong(&stack, &stack.serving.tenant.basic(), &service, &to).await;
    stack.stop();
    match compared? {
        7 => {
            Ok(Finding::closed(ClosedBy::Limit, "7 wrong codes were compared, as the policy says, however often begun"))
        }
        got => Ok(Finding::leak(format!("{got} wrong codes were compared where the policy says 7"))),
    }
}

async fn others(drill: &mut Drill) -> Result<Finding, Error> {
    let stack = drill.another("others", patient()).await?;
    let to = drill.planted.number()?;
    let finding = close_for_others(&stack, drill, &to).await;
    stack.stop();
    finding
}

async fn close_for_others(stack: &Stack, drill: &Drill, to: &str) -> Result<Finding, Error> {
    let (thief, his) = second(stack, drill).await?;
    let wasted = try_wrong(stack, &thief.basic(), &his, to).await?;
    let service = stack.serving.tenant.service_sid.clone().ok_or("the tenant has no service")?;
    let before = http::count(stack.phone(), to).await?;
    let (path, check) =
        (format!("/v2/Services/{service}/Verifications"), format!("/v2/Services/{service}/VerificationCheck"));
    stack.tenant(201, "POST", &path, &[("To", to), ("Channel", "sms")]).await?;
    let message = http::message(stack.phone(), to, before + 1).await?;
    let code = message.split(|char: char| !char.is_ascii_digit()).find(|word| word.len() == 6);
    let checked = stack.tenant(200, "POST", &check, &[("To", to), ("Code", code.ok_or("no code")?)]).await?;
    Ok(if checked["status"] == "approved" {
        Finding::closed(
            ClosedBy::Limit,
            format!("{wasted} wrong codes by one tenant, and the other's person still gets in"),
        )
    } else {
        Finding::leak(format!("after {wasted} wrong codes by one tenant the other's check is {}", checked["status"]))
    })
}
