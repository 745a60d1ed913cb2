//! What people do with a vault, with canaries for everything that is secret.
//!
//! 1. settings are signed again, with the carriers' credentials sealed in them;
//! 2. a service whose codes have ten digits, with a name that only messages should show;
//! 3. verifications by SMS and e-mail: right and wrong checks, a resend, a cancellation; some stay live;
//! 4. API keys, each used once;
//! 5. a support look, a metrics scrape.
//!
//! Codes are read off the phone, as their owners would.

use serde_json::Value;

use super::canary::{Kind, Planted};
use super::stack::Stack;
use super::{Error, http};
use crate::keys::{KeyFile, new_key};
use crate::settings;
use crate::tenant::{TenantKey, change_keys};
use adyton_api::ChangeKeys;
use adyton_seal::RecipientPublicKey;

/// What attempts may use afterwards.
#[derive(Default)]
pub(crate) struct Done {
    /// The service of ten digits.
    pub(crate) service: String,
    /// Verifications, live ones first by SID, with number and code.
    pub(crate) verifications: Vec<Started>,
    /// The API key that may look.
    pub(crate) support: Option<KeyFile>,
    /// The API key that may verify.
    pub(crate) verify: Option<KeyFile>,
}

/// A verification.
#[derive(Clone)]
pub(crate) struct Started {
    pub(crate) sid: String,
    pub(crate) to: String,
    pub(crate) code: String,
    /// Whether its code still counts.
    pub(crate) live: bool,
}

/// Runs them.
pub(crate) async fn run(stack: &Stack, planted: &mut Planted) -> Result<Done, Error> {
    // 1.
    planted.plant(Kind::Token, &stack.serving.tenant.auth_token)?;
    for name in ["pretend-messages", "pretend-mail"] {
        let credential = stack.ready["credentials"][name].as_str().ok_or("adyton-pretend says too little")?;
        // `user:password`: the user is no secret.
        let password = credential.split_once(':').map_or(credential, |(_, password)| password);
        planted.plant(Kind::Credential, password)?;
    }
    let text = std::fs::read_to_string(stack.serving.folder.join("settings.toml"))?;
    settings::change(stack.client(), &stack.serving.vault_id, text, &[stack.folders.client.join("owner")]).await?;
    // 2.
    let name = planted.name()?;
    let service = stack.tenant(201, "POST", "/v2/Services", &[("FriendlyName", &name), ("CodeLength", "10")]).await?;
    let service = sid(&service)?;
    let mut done = Done { service: service.clone(), ..Done::default() };
    // 3.
    for number in 0..11 {
        let (to, channel) = if number < 8 { (planted.number()?, "sms") } else { (planted.address()?, "email") };
        let started = start(stack, planted, &service, &to, channel).await?;
        let check = format!("/v2/Services/{service}/VerificationCheck");
        let one = format!("/v2/Services/{service}/Verifications/{}", started.sid);
        let mut live = true;
        match number % 4 {
            0 => {
                let typed = planted.typed(&started.code)?;
                stack.tenant(200, "POST", &check, &[("To", &to), ("Code", &typed)]).await?;
                stack.tenant(200, "POST", &check, &[("To", &to), ("Code", &started.code)]).await?;
                live = false;
            }
            1 => {
                stack.tenant(200, "POST", &one, &[("Status", "canceled")]).await?;
                live = false;
            }
            2 => {
                let path = format!("/v2/Services/{service}/Verifications");
                stack.tenant(201, "POST", &path, &[("To", &to), ("Channel", channel)]).await?;
                http::message(stack.phone(), &to, 2).await?;
            }
            _ => drop(stack.tenant(200, "GET", &one, &[]).await?),
        }
        done.verifications.push(Started { live, ..started });
    }
    // 4.
    for scope in ["verify", "support"] {
        let (file, new) =
            new_key(&stack.serving.tenant, &RecipientPublicKey(stack.serving.genesis.hpke_key), &[scope.to_owned()])?;
        planted.plant(Kind::KeySecret, &file.key_secret)?;
        let changes = ChangeKeys { add: vec![new], ..ChangeKeys::default() };
        let key = TenantKey { key: stack.serving.folder.join("tenant"), sequence: 1 };
        change_keys(stack.client(), &stack.serving.tenant, &changes, &key).await?;
        match scope {
            "verify" => done.verify = Some(file),
            _ => done.support = Some(file),
        }
    }
    if let (Some(verify), Some(live)) = (&done.verify, done.verifications.iter().find(|started| started.live)) {
        let one = format!("/v2/Services/{service}/Verifications/{}", live.sid);
        stack.ask("GET", &one, &[], &verify.basic()).await?;
    }
    // 5.
    if let (Some(support), Some(live)) = (&done.support, done.verifications.iter().find(|started| started.live)) {
        stack.ask("GET", &format!("/adyton/v1/support/{}", live.sid), &[], &support.basic()).await?;
    }
    http::get(stack.vault.metrics.parse()?, "GET", "/metrics").await?;
    Ok(done)
}

/// Starts a verification and reads its code off the phone.
pub(crate) async fn start(
    stack: &Stack,
    planted: &mut Planted,
    service: &str,
    to: &str,
    channel: &str,
) -> Result<Started, Error> {
    let path = format!("/v2/Services/{service}/Verifications");
    let named = planted.name()?;
    let form = [("To", to), ("Channel", channel), ("CustomFriendlyName", &named[..])];
    let started = stack.tenant(201, "POST", &path, &form).await?;
    let code = http::code(&http::message(stack.phone(), to, 1).await?)?;
    planted.plant(Kind::Code, &code)?;
    Ok(Started { sid: sid(&started)?, to: to.into(), code, live: true })
}

fn sid(of: &Value) -> Result<String, Error> {
    Ok(of["sid"].as_str().ok_or("the answer has no SID")?.to_owned())
}
