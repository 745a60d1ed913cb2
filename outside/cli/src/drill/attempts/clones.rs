//! Copies of one vault that run at once: each has the whole of every limit that is counted in a vault's memory or its log.
//!
//! 1. a vault of its own gets a support key and is stopped; its folder is copied as often as there are [`COPIES`];
//! 2. all copies run at once, each with its own host, ports and enclave, over one platform, KMS and carrier;
//! 3. to one number each copy sends as many messages as the policy allows in an hour, and answers as many support looks as one
//!    tenant has in an hour; the next one is refused by that copy alone;
//! 4. once each copy has a try, all compare a wrong code for that number, within less time than one vault needs for its next try;
//! 5. each copy's log is checked as `adyton log check` does, while it runs, and no two have the same entries.
//!
//! What it does not need: the platform's folder or a tenant's secret. The host decides which copy a client's connection reaches; the
//! drill uses the tenant's token because it has no clients to redirect.

use std::path::{Path, PathBuf};
use std::time::Duration;

use adyton_api::ChangeKeys;
use adyton_ledger::{Hash, LogId};
use adyton_seal::RecipientPublicKey;
use rustix::process::Signal;
use serde_json::Value;
use tokio::time::{Instant, sleep_until, timeout};

use super::Attempt;
use crate::client::{Client, expect};
use crate::drill::report::{Expected, Finding, REGISTER};
use crate::drill::stack::{Stack, Unusual, copy_folder};
use crate::drill::{Drill, Error, http};
use crate::emulated;
use crate::keys::{KeyFile, new_key};
use crate::log_check;
use crate::processes::Collected;
use crate::store::Source;
use crate::tenant::{TenantKey, change_keys};
use crate::vault::{Vault, Wiring};

/// The attempt.
pub(super) const ATTEMPTS: [Attempt; 1] = [Attempt {
    id: "cloned-vault",
    what: "Runs three copies of one vault at once, to multiply guesses, messages and support looks",
    expected: Expected::Open { until: REGISTER },
    run: |drill| Box::pin(cloned(drill)),
}];

/// How many copies run.
const COPIES: usize = 3;
/// Messages in an hour to one number, by the policy of this vault.
const SENDS: usize = 2;
/// Support looks of one tenant in an hour (`docs/LIMITS.md`).
const LOOKS: usize = 600;
/// Further looks until the next one must be refused: where an hour begins meanwhile, the ceiling gives back a few.
const MORE_LOOKS: usize = 10;
/// How long a spent try takes to come back, by the policy of this vault.
const REFILL: Duration = Duration::from_secs(10);
/// Longest time for the whole attempt.
const PATIENCE: Duration = Duration::from_secs(240);

/// One running copy.
struct Copy {
    vault: Vault,
    client: Client,
    data: PathBuf,
}

async fn cloned(drill: &mut Drill) -> Result<Finding, Error> {
    let limits = [
        "limits.failed_checks=1".to_owned(),
        format!("limits.failed_checks_refill_seconds={}", REFILL.as_secs()),
        format!("limits.sends_per_destination_hour={SENDS}"),
    ];
    // 1.
    let mut stack = drill.another("cloned", Unusual { policy: limits.into(), ..Unusual::default() }).await?;
    let to = drill.planted.number()?;
    let finding = timeout(PATIENCE, multiply(&mut stack, drill, &to)).await;
    stack.stop();
    finding.map_err(|_| format!("the copies did not do their work in {} s", PATIENCE.as_secs()))?
}

async fn multiply(stack: &mut Stack, drill: &Drill, to: &str) -> Result<Finding, Error> {
    let support = support_key(stack).await?;
    stack.vault.enclave.end(Signal::KILL);
    stack.vault.host.end(Signal::KILL);
    // 2.
    let mut copies = Vec::new();
    for number in 1..=COPIES {
        copies.push(Copy::start(stack, drill, &drill.scratch.join(format!("clone-{number}")))?);
    }
    let began = Instant::now();
    for copy in &mut copies {
        copy.vault.answers(&copy.client, began).await?;
    }
    let all_run = Instant::now();
    // 3.
    let mut sent = 0;
    let mut verifications = Vec::new();
    for copy in &copies {
        verifications.push(send(copy, stack, to, &mut sent).await?);
    }
    let [first, second, third] = &copies[..] else { return Err("there are not three copies".into()) };
    let look = |copy, at: usize| look(copy, &support, &verifications[at]);
    let looks = tokio::try_join!(look(first, 0), look(second, 1), look(third, 2))?;
    let looks = looks.0 + looks.1 + looks.2;
    // 4.
    sleep_until(all_run + REFILL + Duration::from_secs(2)).await;
    let began = Instant::now();
    let guess = |copy| guess(copy, stack, to);
    let compared = tokio::try_join!(guess(first), guess(second), guess(third))?;
    let compared = compared.0 + compared.1 + compared.2;
    if began.elapsed() >= REFILL {
        return Err("this machine is too slow: one vault would have had another try meanwhile".into());
    }
    let sent = sent.max(http::count(stack.phone(), to).await?);
    // 5.
    let mut roots = copies.iter().map(Copy::checked_root).collect::<Result<Vec<_>, _>>()?;
    roots.sort_unstable();
    roots.dedup();
    let told = format!(
        "{COPIES} copies at once compared {compared} wrong codes for one number where one vault compares 1, sent it {sent} \
         messages where the policy allows {SENDS} an hour, and answered {looks} support looks where one vault answers {LOOKS} an hour; \
         adyton log check calls each of the {} logs sound",
        roots.len()
    );
    copies.into_iter().for_each(|copy| copy.vault.stop());
    Ok(judge(compared, sent, looks, roots.len(), told))
}

/// OPEN if everything was multiplied by the number of copies; LEAK if by more.
fn judge(compared: usize, sent: usize, looks: usize, logs: usize, told: String) -> Finding {
    let most_looks = COPIES * (LOOKS + MORE_LOOKS);
    if compared > COPIES || sent > COPIES * SENDS || looks > most_looks {
        Finding::leak(told)
    } else if (compared, sent, logs) == (COPIES, COPIES * SENDS, COPIES) && looks >= COPIES * LOOKS {
        Finding::open(told)
    } else {
        Finding::failed(told)
    }
}

/// An API key of the tenant's that may look.
async fn support_key(stack: &Stack) -> Result<KeyFile, Error> {
    let vault_key = RecipientPublicKey(stack.serving.genesis.hpke_key);
    let (file, new) = new_key(&stack.serving.tenant, &vault_key, &["support".to_owned()])?;
    let changes = ChangeKeys { add: vec![new], ..ChangeKeys::default() };
    let key = TenantKey { key: stack.serving.folder.join("tenant"), sequence: 1 };
    change_keys(stack.client(), &stack.serving.tenant, &changes, &key).await?;
    Ok(file)
}

impl Copy {
    /// Copies the stopped vault's folder and starts it, over the platform that runs already.
    fn start(of: &Stack, drill: &Drill, at: &Path) -> Result<Self, Error> {
        let (data, runtime) = (at.join("vault"), at.join("run"));
        std::fs::create_dir_all(&runtime)?;
        copy_folder(&of.folders.data, &data)?;
        let mut wiring = Wiring::direct(&runtime, &of.ready, ([127, 0, 0, 1], 0).into())?;
        if let Some(parts) = &drill.site.parts {
            emulated::wire(&mut wiring, emulated::plan(parts, &runtime, &of.ready)?);
        }
        let output = Collected::default();
        wiring.host.output = Some(output.clone());
        wiring.enclave.output = Some(output);
        let vault = Vault::start(&data, wiring)?;
        let client = Client::new(vault.listen, &of.serving.genesis.ca_certificate)?;
        Ok(Self { vault, client, data })
    }

    /// A client's request: whether it was carried out, and the body. A refusal by a limit has status 429.
    async fn allowed(
        &self,
        method: &str,
        path: &str,
        form: &[(&str, &str)],
        authorization: &str,
    ) -> Result<Option<Value>, Error> {
        let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", authorization)];
        match self.client.request(method, path, &headers, body).await? {
            (200 | 201, body) => Ok(Some(serde_json::from_slice(&body)?)),
            (429, _) => Ok(None),
            answer => Err(expect(200, answer).err().unwrap_or_else(|| "the answer is of no use".into())),
        }
    }

    /// The root of its operations log, once its logs were checked.
    fn checked_root(&self) -> Result<Hash, Error> {
        let report = log_check::sound(&Source::open(&self.data)?)?;
        let ops = report.logs.iter().find(|log| log.log != LogId::GOV).ok_or("there is no operations log")?;
        Ok(ops.root)
    }
}

/// 3. Sends until the copy refuses; each message arrives before the next one is asked for. The SID of the verification.
async fn send(copy: &Copy, stack: &Stack, to: &str, sent: &mut usize) -> Result<String, Error> {
    let token = stack.serving.tenant.basic();
    let path = format!("/v2/Services/{}/Verifications", service(stack)?);
    let mut verification = None;
    for _ in 0..=SENDS {
        if let Some(started) = copy.allowed("POST", &path, &[("To", to), ("Channel", "sms")], &token).await? {
            *sent += 1;
            http::message(stack.phone(), to, *sent).await?;
            verification = Some(started);
        }
    }
    let verification = verification.ok_or("a copy sent nothing")?;
    Ok(verification["sid"].as_str().ok_or("the verification has no SID")?.to_owned())
}

/// 3. Looks until the copy refuses; how many looks it answered.
async fn look(copy: &Copy, support: &KeyFile, verification: &str) -> Result<usize, Error> {
    let (path, token) = (format!("/adyton/v1/support/{verification}"), support.basic());
    let mut looks = 0;
    while looks < LOOKS + MORE_LOOKS && copy.allowed("GET", &path, &[], &token).await?.is_some() {
        looks += 1;
    }
    Ok(looks)
}

/// 4. Tries two wrong codes; how many of them the copy compared.
async fn guess(copy: &Copy, stack: &Stack, to: &str) -> Result<usize, Error> {
    let path = format!("/v2/Services/{}/VerificationCheck", service(stack)?);
    let token = stack.serving.tenant.basic();
    let mut compared = 0;
    // A code has six digits, so a shorter one is wrong.
    for code in ["0000", "0001"] {
        let answer = copy.allowed("POST", &path, &[("To", to), ("Code", code)], &token).await?;
        compared += usize::from(answer.is_some());
    }
    Ok(compared)
}

fn service(stack: &Stack) -> Result<&str, Error> {
    Ok(stack.serving.tenant.service_sid.as_deref().ok_or("the tenant has no service")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::report::Outcome;

    #[test]
    fn only_a_full_multiplication_is_open_and_more_is_a_leak() {
        let outcome = |compared, sent, looks, logs| judge(compared, sent, looks, logs, String::new()).outcome;
        assert_eq!(outcome(3, 6, 1800, 3), Outcome::Open);
        for (compared, sent, looks, logs) in [(2, 6, 1800, 3), (3, 5, 1800, 3), (3, 6, 1799, 3), (3, 6, 1800, 2)] {
            assert_eq!(outcome(compared, sent, looks, logs), Outcome::Failed);
        }
        for (compared, sent, looks) in [(4, 6, 1800), (3, 7, 1800), (3, 6, 1831)] {
            assert_eq!(outcome(compared, sent, looks, 3), Outcome::Leak);
        }
    }
}
