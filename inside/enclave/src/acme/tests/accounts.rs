//! An account that the CA does not know any more: the owners decide on another one.

use super::faults::{Log, Vault, boot, once};
use super::scripted::{CA, Faulty, ScriptedCa};
use super::*;

const UNKNOWN: &str = "the CA does not know the account https://acme.example/account/1 any more: for another account the owners sign \
                       settings with [acme] retired_account = \"https://acme.example/account/1\"";

/// Settings that retire an account come into force.
fn retire(vault: &Vault, number: usize, sequence: u64) {
    let retired_account = Some(format!("{CA}/account/{number}"));
    let effective = Effective { retired_account, sequence, ..crate::policy::tests::effective() };
    vault.effective.set(effective.into());
}

fn account(number: usize) -> String {
    format!("{CA}/account/{number}")
}

#[tokio::test(start_paused = true)]
async fn an_account_that_the_ca_forgot_is_replaced_by_the_owners_decision_only() {
    let (ca, log) = (ScriptedCa::new(), Log::default());
    ca.state().fault = Some(once("/certificate", 503, "x", Some("100".into())));
    let vault = boot(&ca, &log, |_| ());
    vault.failed(1).await;
    ca.state().forgotten.push(account(1));
    // Over a day of attempts, and over a restart.
    assert_eq!(vault.failed(6).await.last_failure.as_deref(), Some(UNKNOWN));
    drop(vault);
    let vault = boot(&ca, &log, |_| ());
    let status = vault.failed(4).await;
    assert_eq!((status.last_failure.as_deref(), status.account), (Some(UNKNOWN), Some(account(1))));
    assert_eq!(ca.state().accounts.len(), 1, "no account of the vault's own accord");
    // Settings that retire another account change nothing.
    retire(&vault, 7, 1);
    vault.failed(5).await;
    assert_eq!(ca.state().accounts.len(), 1);
    let next = vault.shared.status().renews_at.unwrap();
    retire(&vault, 1, 2);
    vault.certified().await;
    assert!(ca.clock().now() < next, "before the next attempt was due");
    let status = vault.shared.status();
    assert_eq!((status.account, status.failures, status.last_failure), (Some(account(2)), 0, None));
    assert_eq!(ca.state().accounts.len(), 2);
    // The key of the first order is used no more, and a boot under the same settings goes on with the second account.
    assert_eq!((log.replayed().0.account, log.replayed().1), (account(2).into_bytes(), None));
    drop(vault);
    let vault = boot(&ca, &log, |_| ());
    retire(&vault, 1, 2);
    vault.certified().await;
    assert_eq!((vault.shared.status().account, ca.state().accounts.len()), (Some(account(2)), 2));
}

/// The CAA record still names the first account: the certificate in force stays, over a restart too.
#[tokio::test(start_paused = true)]
async fn another_account_keeps_the_certificate_that_there_is() {
    let (ca, log) = (ScriptedCa::new(), Log::default());
    let vault = boot(&ca, &log, |_| ());
    vault.certified().await;
    let chain = log.replayed().0.chain;
    ca.state().fault = Some(Box::new(|path, _| (path == "/new-order").then_some(Faulty::Problem(403, "caa", None))));
    retire(&vault, 1, 1);
    let later = ca.clock().now() + 61 * 86_400;
    ca.clock().at_least(later);
    let said = "the CA refused: caa: a CAA record of a name does not allow this CA or this account (`adyton certificate account`)";
    assert_eq!(vault.failed(1).await.last_failure.as_deref(), Some(said));
    assert_eq!((log.replayed().0.account, log.replayed().0.chain), (account(2).into_bytes(), chain));
    drop(vault);
    let vault = boot(&ca, &log, |_| ());
    retire(&vault, 1, 1);
    vault.failed(1).await;
    assert!(vault.shared.certified(NAME).is_some());
    // The record names the second account.
    ca.state().fault = None;
    vault.until(|vault| vault.counts() == (2, 2)).await;
    assert_eq!(ca.state().accounts.len(), 2);
}

/// A CA that gives the retired address to a new key would have the vault make an account in each attempt.
#[tokio::test(start_paused = true)]
async fn a_new_account_has_another_address() {
    let ca = ScriptedCa::new();
    let vault = Vault::new(&ca);
    retire(&vault, 1, 1);
    let status = vault.failed(1).await;
    let said = "the CA: the address of a new account: not what the protocol allows";
    assert_eq!((status.last_failure.as_deref(), status.account), (Some(said), None));
    assert_eq!(vault.log.replayed().0.account, b"", "the key alone");
}

/// RFC 8555 §7.3.1: a CA gives the same account to the same key.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_a_new_account_makes_no_second_one() {
    for restarts in [false, true] {
        let (ca, log) = (ScriptedCa::new(), Log::default());
        ca.state().fault = Some(Box::new(|path, times| (path == "/new-account" && times == 1).then_some(Faulty::Lost)));
        let mut vault = boot(&ca, &log, |_| ());
        vault.failed(1).await;
        if restarts {
            drop(vault);
            vault = boot(&ca, &log, |_| ());
        }
        vault.certified().await;
        assert_eq!((vault.counts(), vault.shared.status().account), ((1, 1), Some(account(1))));
        let state = ca.state();
        assert!(
            state.account_keys.len() == 2 && state.account_keys[0] == state.account_keys[1],
            "one key, asked twice"
        );
    }
}
