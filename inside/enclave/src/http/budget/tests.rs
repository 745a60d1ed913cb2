//! Charges, and bodies that arrive.

#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use proptest::prelude::*;

use super::*;

/// The accounts' pool has 64 KiB, the others 16 KiB each.
const BYTES: usize = 96 * 1024;
const OTHERS: usize = 16 * 1024;

fn account(number: u8) -> Payer {
    Payer::User(AccountId::from_bytes([number; 16]), User::Account(AccountId::from_bytes([number; 16])))
}

fn arriving(budget: &Budget, payer: Payer, bytes: usize) -> Upload {
    let mut upload = Upload::new(budget, payer);
    upload.push(&vec![7; bytes], Some(bytes + 1)).unwrap();
    upload
}

fn made_room(upload: Upload) -> bool {
    upload.complete() == Err(UploadError::MadeRoom)
}

#[test]
fn buffers_give_their_bytes_back_with_their_last_reference() {
    let budget = Budget::new(BYTES);
    let mut answer = Vec::with_capacity(100);
    answer.extend([7; 60]);
    let answer = budget.take(account(1), 400).unwrap().hold_answer(answer);
    assert_eq!(budget.free(), BYTES - 100);
    let rest = answer.slice(59..);
    drop(answer);
    assert_eq!(budget.free(), BYTES - 100);
    drop(rest);
    assert_eq!(budget.free(), BYTES);
    let body = budget.take(account(1), 400).unwrap().hold(Zeroizing::new(vec![7; 64]));
    assert_eq!((budget.free(), &body[..]), (BYTES - 64, &[7; 64][..]));
    drop(body);
    assert_eq!(budget.free(), BYTES);
}

#[test]
fn a_body_holds_what_has_arrived_and_nothing_before() {
    let budget = Budget::new(BYTES);
    let mut upload = Upload::new(&budget, Payer::Stranger);
    assert_eq!(budget.free(), BYTES);
    upload.push(&[1], Some(10_000)).unwrap();
    assert_eq!(budget.free(), BYTES - STEP);
    upload.push(&vec![1; STEP], Some(10_000)).unwrap();
    assert_eq!(budget.free(), BYTES - 2 * STEP);
    upload.push(&vec![1; STEP], Some(10_000)).unwrap();
    assert_eq!(budget.free(), BYTES - 10_000, "no more than was announced");
    drop(upload);
    assert_eq!(budget.free(), BYTES);
    // Without a length, what is left of the last step is given back at the end.
    let mut upload = Upload::new(&budget, Payer::Stranger);
    upload.push(b"abc", None).unwrap();
    assert_eq!(budget.free(), BYTES - STEP);
    let body = upload.complete().unwrap();
    assert_eq!((&body[..], budget.free()), (&b"abc"[..], BYTES - 3));
}

#[tokio::test]
async fn the_oldest_incomplete_body_ends_and_its_reader_hears_of_it() {
    let budget = Budget::new(BYTES);
    let mut bodies: Vec<_> = (0..4).map(|_| arriving(&budget, Payer::Signer, STEP)).collect();
    // The pool is full: each further step ends one.
    let complete = arriving(&budget, Payer::Signer, STEP).complete().unwrap();
    bodies[0].ended().await;
    assert_eq!(bodies[0].push(b"x", None), Err(UploadError::MadeRoom));
    assert_eq!(budget.free(), BYTES - OTHERS);
    let answer = budget.take(Payer::Signer, 2 * STEP).unwrap();
    let last = bodies.pop().unwrap();
    assert!(bodies.into_iter().all(made_room));
    // An incomplete body makes room for its own next step last; what is complete makes none.
    assert_eq!(last.complete().unwrap().len(), STEP);
    assert_eq!(budget.free(), BYTES - 3 * STEP);
    let more = budget.take(Payer::Signer, STEP).unwrap();
    assert_eq!(budget.take(Payer::Signer, 1).err(), Some(OverShare));
    assert!(!budget.has_room(Payer::Signer, 1) && budget.has_room(Payer::Stranger, 1));
    drop((complete, answer, more));
    assert_eq!(budget.free(), BYTES);
}

#[test]
fn a_body_that_is_alone_and_too_large_for_its_share_ends_itself() {
    let budget = Budget::new(BYTES);
    let mut upload = arriving(&budget, Payer::Stranger, OTHERS);
    assert_eq!(upload.push(b"xy", None), Err(UploadError::MadeRoom));
    assert_eq!(budget.free(), BYTES);
    assert!(made_room(upload));
    let held = budget.take(Payer::Stranger, OTHERS).unwrap();
    let mut upload = Upload::new(&budget, Payer::Stranger);
    assert_eq!(upload.push(b"x", None), Err(UploadError::OverShare));
    drop((held, upload));
    assert_eq!(budget.free(), BYTES);
}

#[test]
fn concurrent_bodies_that_end_each_other_lose_no_byte() {
    let budget = Budget::new(BYTES);
    std::thread::scope(|scope| {
        for number in 0..4u8 {
            let budget = &budget;
            scope.spawn(move || {
                for round in 0..2000usize {
                    let payer = [Payer::Stranger, Payer::Signer, account(number), account(9)][round % 4];
                    let mut upload = Upload::new(budget, payer);
                    let pushed = (0..round % 6).try_for_each(|_| upload.push(&[number; 3000], Some(18_000)));
                    if pushed.is_ok()
                        && let Ok(body) = upload.complete()
                    {
                        assert!(body.iter().all(|byte| *byte == number));
                    }
                }
            });
        }
    });
    assert_eq!(budget.free(), BYTES);
}

proptest! {
    #[test]
    fn a_body_is_what_was_sent_however_it_comes(
        body in prop::collection::vec(any::<u8>(), 0..15_000),
        cuts in prop::collection::vec(1usize..6000, 1..20),
        announced: bool,
    ) {
        let budget = Budget::new(BYTES);
        let (mut upload, mut rest) = (Upload::new(&budget, Payer::Stranger), &body[..]);
        for cut in cuts.iter().cycle() {
            let (now, later) = rest.split_at(rest.len().min(*cut));
            prop_assert_eq!(upload.push(now, announced.then_some(body.len())), Ok(()));
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        let whole = upload.complete().unwrap();
        prop_assert_eq!(&whole[..], &body[..]);
        prop_assert_eq!(budget.free(), BYTES - body.len());
        drop(whole);
        prop_assert_eq!(budget.free(), BYTES);
    }

    /// Whatever others have begun and not completed, a body that is sent at once is taken.
    #[test]
    fn prompt_body_is_taken_whatever_was_begun(
        begun in prop::collection::vec((0u8..4, 1usize..15_000), 0..60),
        payer in 0u8..5,
        bytes in 1usize..7000,
    ) {
        let budget = Budget::new(BYTES);
        let who = |number| match number {
            0 => Payer::Stranger,
            1 => Payer::Signer,
            number => account(number),
        };
        let _begun: Vec<_> = begun.into_iter().map(|(number, bytes)| {
            let mut upload = Upload::new(&budget, who(number));
            let _ = upload.push(&vec![0; bytes], Some(15_000));
            upload
        }).collect();
        let mut prompt = Upload::new(&budget, who(payer));
        prop_assert_eq!(prompt.push(&vec![1; bytes], Some(bytes)), Ok(()));
        prop_assert_eq!(prompt.complete().unwrap().len(), bytes);
    }
}
