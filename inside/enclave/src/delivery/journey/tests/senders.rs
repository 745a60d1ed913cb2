//! Refusals that concern the sender, or may: the next route is tried, and they are reported.

use super::*;
use crate::delivery::lane::SENDER_REFUSED_AFTER;

#[tokio::test(start_paused = true)]
async fn a_refused_sender_fails_over_at_once_and_is_reported_once_a_minute() {
    let world = World::new(&[&[Err(Failure::Sender)], &[Ok(())]]);
    let began = Instant::now();
    for _ in 0..3 {
        assert_eq!(world.send().await, (Outcome::Accepted, Some(1)));
    }
    assert_eq!((world.calls(), began.elapsed()), (vec![3, 3], Duration::ZERO));
    assert!(!world.lanes[0].reports(Failure::Sender), "the first one was");
    sleep(MINUTE).await;
    assert!(world.lanes[0].reports(Failure::Sender));
    assert!(!world.lanes[0].reports(Failure::Sender));
}

#[tokio::test(start_paused = true)]
async fn refusal_that_may_concern_the_sender_is_reported_once_it_lasts() {
    let second = Duration::from_secs(1);
    for failure in [Failure::PerhapsSender, Failure::SenderForNow] {
        let world = World::new(&[&[Err(failure)], &[Ok(())]]);
        assert_eq!(world.send().await, (Outcome::Accepted, Some(1)), "the next route, at once");
        sleep(SENDER_REFUSED_AFTER - second).await;
        assert!(!world.lanes[0].reports(failure), "{failure:?}: too early");
        sleep(second).await;
        assert!(!world.lanes[0].reports(Failure::Busy(None)), "another failure");
        assert!(world.lanes[0].reports(failure), "{failure:?}");
        assert!(!world.lanes[0].reports(failure), "{failure:?}: within a minute");
    }
    // Only a message that is taken shows that the sender may send: an unknown mailbox is refused before quotas are looked at.
    for (between, lasts) in [
        (Ok(()), false),
        (Err(Failure::Recipient), true),
        (Err(Failure::NotThisRoute), true),
        (Err(Failure::PerhapsRecipient), true),
        (Err(DEAD), true),
    ] {
        let world = World::new(&[&[Err(Failure::PerhapsSender), between], &[Ok(())]]);
        world.send().await;
        sleep(SENDER_REFUSED_AFTER).await;
        world.send().await;
        assert_eq!(world.lanes[0].reports(Failure::PerhapsSender), lasts, "{between:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn refusal_that_may_concern_the_sender_gives_up_at_the_last_route() {
    let world = World::new(&[&[Err(Failure::PerhapsSender)]]);
    let began = Instant::now();
    assert_eq!(world.send().await, (Outcome::GaveUp, Some(0)));
    assert_eq!((world.calls(), began.elapsed()), (vec![1], Duration::ZERO));
    // One for now is asked again while the code lives.
    let world = World::new(&[&[Err(Failure::SenderForNow), Ok(())]]);
    assert_eq!(world.send().await, (Outcome::Accepted, Some(0)));
    assert_eq!(world.calls(), [2]);
}
