//! A CA that takes its time, or that acts and does not say so: one order comes to one certificate.

use super::faults::{Log, Vault, boot, once, pause_after};
use super::scripted::{CA, Faulty, ScriptedCa};
use super::*;

/// A CA that looks at the answer 4 s after the challenge was posted.
fn slow_ca(retry_after: Option<u64>) -> ScriptedCa {
    let ca = ScriptedCa::new();
    ca.state().validates_after = Some(4);
    ca.state().pending_retry_after = retry_after;
    ca
}

/// Seconds at which a path was asked for.
fn times(ca: &ScriptedCa, path: &str) -> Vec<u64> {
    ca.state().seen.iter().filter(|(_, seen)| seen == path).map(|(at, _)| *at).collect()
}

#[tokio::test(start_paused = true)]
async fn retry_after_of_a_pending_authorization_does_not_withdraw_its_answer() {
    for (retry_after, polled_after) in [(None, 2), (Some(70), 70), (Some(86_400), 600)] {
        let ca = slow_ca(retry_after);
        let vault = Vault::new(&ca);
        vault.certified().await;
        assert_eq!((vault.counts(), vault.shared.status().failures), ((1, 1), 0), "{retry_after:?}");
        // The first is the look before the challenge is posted, the second comes at once after it.
        let polls = times(&ca, "/auth/0-0");
        assert_eq!(polls[2] - polls[1], polled_after, "{retry_after:?}");
        assert!(vault.shared.challenge(NAME).is_none(), "the answer ends with the authorization");
    }
}

/// Fault of a poll that comes before the CA looks at the answer; the CA looks while the vault waits for its next attempt.
#[tokio::test(start_paused = true)]
async fn a_fault_while_polling_does_not_withdraw_an_answer() {
    for fault in [
        || Faulty::Problem(503, "x", Some("70".into())),
        || Faulty::Problem(429, "rateLimited", Some("100000".into())),
        || Faulty::Late(503, "x"),
        || Faulty::Lost,
    ] {
        let ca = slow_ca(None);
        ca.state().fault = Some(Box::new(move |path, times| (path == "/auth/0-0" && times == 2).then(fault)));
        let vault = Vault::new(&ca);
        vault.certified().await;
        assert_eq!(vault.counts(), (1, 1), "{:?}", ca.state().seen);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_there_between_attempts_and_after_a_restart() {
    // Longer than an attempt polls.
    let ca = slow_ca(None);
    ca.state().validates_after = Some(3630);
    let vault = Vault::new(&ca);
    let status = vault.failed(1).await;
    assert_eq!(status.last_failure.as_deref(), Some("the CA did not come to an end in time"));
    assert!(vault.shared.challenge(NAME).is_some());
    vault.certified().await;
    assert_eq!(vault.counts(), (1, 1));
    // Polls without `Retry-After` come more and more seldom.
    let polls = times(&ca, "/auth/0-0").len();
    assert!((20..100).contains(&polls), "{polls}");

    let (ca, log) = (slow_ca(Some(70)), Log::default());
    ca.state().validates_after = Some(100);
    let first = boot(&ca, &log, |_| ());
    first.until(|vault| vault.shared.challenge(NAME).is_some()).await;
    drop(first);
    let second = boot(&ca, &log, |_| ());
    second.certified().await;
    assert_eq!(second.counts(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn answers_end_with_their_order() {
    let ca = slow_ca(None);
    ca.state().validates_after = Some(u64::from(u32::MAX));
    let vault = Vault::new(&ca);
    vault.until(|vault| vault.shared.challenge(NAME).is_some()).await;
    ca.state().orders[0].status = "invalid";
    ca.state().fault = Some(once("/auth", 404, "malformed", None));
    vault.failed(1).await;
    assert!(vault.shared.challenge(NAME).is_none(), "the order was given up");
}

/// The CA takes the answer to a challenge, and its own answer is lost: it refuses the same challenge afterwards.
#[tokio::test(start_paused = true)]
async fn a_challenge_that_was_taken_is_not_refused() {
    for fault in [|| Faulty::Late(504, "x"), || Faulty::Late(500, "serverInternal"), || Faulty::Lost] {
        let ca = ScriptedCa::new();
        ca.state().fault = Some(Box::new(move |path, times| (path == "/chall/0-0" && times == 1).then(fault)));
        let vault = Vault::new(&ca);
        vault.certified().await;
        assert_eq!(vault.counts(), (1, 1), "{:?}", ca.state().seen);
    }
}

/// The CA acts on a finalization and does not say so: it refuses the next one, and the order is valid.
#[tokio::test(start_paused = true)]
async fn a_finalization_that_was_taken_comes_to_its_certificate() {
    for fault in [
        || Faulty::Late(504, "x"),
        || Faulty::Late(503, "x"),
        || Faulty::Late(500, "serverInternal"),
        || Faulty::Late(403, "orderNotReady"),
        || Faulty::Late(400, "malformed"),
        || Faulty::Lost,
    ] {
        for processing in [(0, None), (3, Some(30))] {
            let ca = ScriptedCa::new();
            ca.state().processing = processing;
            ca.state().fault = Some(Box::new(move |path, times| (path == "/finalize/0" && times == 1).then(fault)));
            let vault = Vault::new(&ca);
            vault.certified().await;
            assert_eq!((vault.counts(), vault.shared.status().failures), ((1, 1), 0), "{:?}", ca.state().seen);
            assert_eq!(times(&ca, "/finalize/0").len(), 1, "the order says what is to be done");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_that_is_ready_is_finalized_again_a_bounded_number_of_times() {
    let refused = |most: usize| -> ScriptedCa {
        let ca = ScriptedCa::new();
        ca.state().fault = Some(Box::new(move |path, times| {
            (path == "/finalize/0" && times <= most).then_some(Faulty::Problem(403, "orderNotReady", None))
        }));
        ca
    };
    let ca = refused(1);
    let vault = Vault::new(&ca);
    vault.certified().await;
    assert_eq!((vault.counts(), vault.shared.status().failures), ((1, 1), 0));
    assert_eq!(times(&ca, "/finalize/0").len(), 2);
    // Six times in each of ten attempts, then another order.
    let ca = refused(usize::MAX);
    let vault = Vault::new(&ca);
    let status = vault.failed(1).await;
    assert_eq!(status.last_failure.as_deref(), Some("the CA cannot answer now: orderNotReady"));
    vault.certified().await;
    assert_eq!((vault.counts(), times(&ca, "/finalize/0").len()), ((2, 1), 60));
}

/// What a proxy before the CA says about a directory says nothing about an order.
#[tokio::test(start_paused = true)]
async fn a_directory_that_is_refused_ends_no_order() {
    let ca = ScriptedCa::new();
    ca.state().fault = Some(Box::new(|path, times| match path {
        "/certificate/0" if times == 1 => Some(Faulty::Problem(503, "x", Some("100".into()))),
        "/directory" if times == 3 => Some(Faulty::Problem(403, "x", None)),
        _ => None,
    }));
    let vault = Vault::new(&ca);
    let status = vault.failed(2).await;
    assert_eq!(status.last_failure.as_deref(), Some("the CA refused its directory or a nonce: x"));
    vault.certified().await;
    assert_eq!(vault.counts(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_first_poll_waits_as_long_as_the_answer_before_it_asks() {
    for (asked, waited) in [(0, 1), (15, 15), (86_400, 600)] {
        let ca = ScriptedCa::new();
        ca.state().finalize_retry_after = Some(asked);
        let vault = Vault::new(&ca);
        vault.certified().await;
        assert_eq!((vault.counts(), pause_after(&ca, "/finalize")), ((1, 1), waited), "finalize: {asked}");

        let ca = ScriptedCa::new();
        ca.state().challenge_retry_after = Some(asked);
        let vault = Vault::new(&ca);
        vault.certified().await;
        assert_eq!((vault.counts(), pause_after(&ca, "/chall")), ((1, 1), waited), "challenge: {asked}");
    }
    // An order that a resumed attempt finds in processing.
    let (ca, log) = (ScriptedCa::new(), Log::default());
    ca.state().processing = (3, Some(70));
    let first = boot(&ca, &log, |_| ());
    first.until(|_| ca.state().issued == 1).await;
    drop(first);
    let before = times(&ca, "/order/0").len();
    let second = boot(&ca, &log, |_| ());
    second.certified().await;
    let polls = times(&ca, "/order/0")[before..].to_vec();
    assert!(polls.windows(2).all(|pair| pair[1] - pair[0] == 70), "{polls:?}");
    assert_eq!((second.counts(), log.replayed().1), ((1, 1), None));
    assert_eq!(log.replayed().0.account, format!("{CA}/account/1").into_bytes());
}
