//! What is not confirmed, and its repeats at a carrier that deduplicates.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_letter_that_was_not_confirmed_goes_nowhere_else() {
    let world = World::new(&[&[Err(Failure::Unconfirmed), Ok(())], &[Ok(())]]);
    assert_eq!(world.send().await, (Outcome::Unconfirmed, Some(0)));
    assert_eq!(world.calls(), [1, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_carrier_that_deduplicates_gets_two_repeats_each_counted_before() {
    for (most, calls, outcome) in
        [(0, 1, Outcome::Unconfirmed), (1, 2, Outcome::Unconfirmed), (2, 3, Outcome::Unconfirmed)]
    {
        let world = World::deduplicating(&[&[Err(Failure::Unconfirmed)], &[Ok(())]]);
        let vault = Vault { most, ..Vault::default() };
        let (_sender, stop) = oneshot::channel();
        let began = Instant::now();
        let arrival = world.begin("+15550100123").unwrap().run(&vault, stop).await;
        assert_eq!((arrival, world.calls()), ((outcome, Some(0)), vec![calls, 0]), "{most} may be counted");
        assert_eq!(vault.counted.load(Ordering::Relaxed), (most + 1).min(2));
        let waited = if most == 0 { REPEAT_AFTER[0] } else { REPEAT_AFTER[0] + REPEAT_AFTER[1] };
        assert_eq!(began.elapsed(), waited);
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeat_may_do_and_one_that_did_not_leave_is_not_counted_again() {
    let script = [Err(Failure::Unconfirmed), Err(DEAD), Err(DEAD), Ok(())];
    let world = World::deduplicating(&[&script, &[Ok(())]]);
    let vault = Vault { most: 1, ..Vault::default() };
    let (_sender, stop) = oneshot::channel();
    assert_eq!(world.begin("+15550100123").unwrap().run(&vault, stop).await, (Outcome::Accepted, Some(0)));
    assert_eq!((world.calls(), vault.counted.load(Ordering::Relaxed)), (vec![4, 0], 1));
}

#[tokio::test(start_paused = true)]
async fn repeat_that_is_refused_for_now_is_used_up() {
    let busy = Err(Failure::Busy(Some(MINUTE)));
    for (script, most, outcome, calls, counted, waited) in [
        (&[Err(Failure::Unconfirmed), busy, Ok(())][..], 2, Outcome::Accepted, 3, 2, 61),
        (&[Err(Failure::Unconfirmed), busy], 2, Outcome::Unconfirmed, 3, 2, 61),
        (&[Err(Failure::Unconfirmed), busy, Ok(())], 1, Outcome::Unconfirmed, 2, 2, 61),
    ] {
        let world = World::deduplicating(&[script, &[Ok(())]]);
        let vault = Vault { most, ..Vault::default() };
        let (_sender, stop) = oneshot::channel();
        let began = Instant::now();
        assert_eq!(world.begin("+15550100123").unwrap().run(&vault, stop).await, (outcome, Some(0)));
        assert_eq!((world.calls(), vault.counted.load(Ordering::Relaxed)), (vec![calls, 0], counted));
        assert_eq!(began.elapsed(), Duration::from_secs(waited));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_repeat_does_not_undo_that_the_first_may_have_arrived() {
    for (refusal, outcome) in [
        (Failure::Recipient, Outcome::Refused),
        (Failure::NotThisRoute, Outcome::Unconfirmed),
        (Failure::Sender, Outcome::Unconfirmed),
    ] {
        let world = World::deduplicating(&[&[Err(Failure::Unconfirmed), Err(refusal)], &[Ok(())]]);
        let vault = Vault { most: 2, ..Vault::default() };
        let (_sender, stop) = oneshot::channel();
        assert_eq!(world.begin("+15550100123").unwrap().run(&vault, stop).await, (outcome, Some(0)), "{refusal:?}");
        assert_eq!(world.calls(), [2, 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_confirmed_opens_the_breaker() {
    let world = World::new(&[&[Err(Failure::Unconfirmed)], &[Ok(())]]);
    for _ in 0..5 {
        assert_eq!(world.send().await, (Outcome::Unconfirmed, Some(0)));
    }
    assert_eq!(world.send().await, (Outcome::Accepted, Some(1)));
    assert_eq!(world.calls(), [5, 1]);
}
