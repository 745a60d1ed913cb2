//! Thresholds of accounts and users, and who makes room, by made-up orders of what happens.

#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use adyton_vault::{AccountId, KeyId, User};
use proptest::prelude::*;

use super::super::Payer;
use super::*;

const BYTES: usize = 96_000;
/// The accounts' pool, and each of the other two.
const ACCOUNTS: usize = 64_000;
const OTHERS: usize = 16_000;

fn user(account: u8, user: u8) -> Share {
    Payer::User(AccountId::from_bytes([account; 16]), User::Key(KeyId::from_bytes([user; 16]))).share()
}

/// Takes one byte after the other until no further one fits.
fn all_that_it_can(ledger: &mut Ledger, share: &Share) -> usize {
    let mut held = 0;
    while ledger.take(share, 1).is_ok() {
        held += 1;
    }
    held
}

fn begin(ledger: &mut Ledger, share: &Share, bytes: usize) -> u64 {
    ledger.begin(share, bytes, &Arc::default()).unwrap()
}

#[test]
fn a_user_leaves_room_to_its_account_and_the_account_to_others() {
    let mut ledger = Ledger::new(BYTES);
    // A quarter, an eighth, and 3/16 for the first user of another account.
    let one = all_that_it_can(&mut ledger, &user(1, 1));
    assert_eq!(one, ACCOUNTS / 4);
    let mut others = ledger;
    let another_of_it = all_that_it_can(&mut others, &user(1, 2));
    assert_eq!(another_of_it, ACCOUNTS / 8);
    // The account as a whole keeps to its threshold, however many users it has.
    for number in 3..100 {
        all_that_it_can(&mut others, &user(1, number));
    }
    let (account, _) = others.accounts.held(&user(1, 1));
    assert!((ACCOUNTS * 2 / 5..=ACCOUNTS / 2).contains(&account) && account <= others.accounts.free, "{account}");
    // Another account finds as much free as this one holds.
    assert!(all_that_it_can(&mut others, &user(2, 1)) >= ACCOUNTS / 8);
    // None of it takes anything of the others' pools.
    assert_eq!(all_that_it_can(&mut others, &Payer::Signer.share()), OTHERS);
    assert_eq!(all_that_it_can(&mut others, &Payer::Stranger.share()), OTHERS);
}

#[test]
fn strangers_and_signers_take_nothing_of_accounts_and_of_each_other() {
    let mut ledger = Ledger::new(BYTES);
    assert_eq!(all_that_it_can(&mut ledger, &Payer::Stranger.share()), OTHERS);
    assert_eq!(all_that_it_can(&mut ledger, &Payer::Signer.share()), OTHERS);
    assert_eq!(all_that_it_can(&mut ledger, &user(1, 1)), ACCOUNTS / 4);
}

#[test]
fn the_oldest_body_of_the_largest_holder_makes_room() {
    let mut ledger = Ledger::new(BYTES);
    let (thief, own, other) = (user(1, 1), user(1, 2), user(2, 1));
    // Of two bodies of the thief the older one, though the other key of the account has an older one.
    let oldest = begin(&mut ledger, &own, 10);
    let (first, second) = (begin(&mut ledger, &thief, 2000), begin(&mut ledger, &thief, 3000));
    let kept = begin(&mut ledger, &other, 4000);
    let victim = ledger.victim(&own).unwrap();
    assert_eq!((victim.share, victim.bytes), (thief, 2000));
    assert!(!ledger.arrives(&thief, first) && ledger.arrives(&thief, second) && ledger.arrives(&own, oldest));
    // What makes room counts until it is given back.
    assert_eq!(ledger.accounts.held(&thief), (5010, 5000));
    ledger.give_back(&victim.share, victim.bytes);
    // The thief itself, whose account holds less than the other one, has the other one's ended; and then its own.
    assert_eq!(ledger.victim(&thief).unwrap().share, other);
    ledger.give_back(&other, 4000);
    assert!(!ledger.arrives(&other, kept));
    assert_eq!(ledger.victim(&thief).unwrap().share, thief);
    ledger.give_back(&thief, 3000);
    // Nobody larger and nothing of its own.
    assert!(ledger.victim(&thief).unwrap().share == own && ledger.victim(&thief).is_none());
}

#[test]
fn what_is_complete_makes_no_room_and_a_smaller_holder_neither() {
    let mut ledger = Ledger::new(BYTES);
    let (large, small) = (user(1, 1), user(2, 1));
    let body = begin(&mut ledger, &large, 500);
    ledger.take(&large, 1000).unwrap();
    assert_eq!(ledger.end(&large, body).map(|(bytes, _)| bytes), Some(500));
    begin(&mut ledger, &small, 700);
    assert!(ledger.victim(&large).is_none() && ledger.victim(&Payer::Stranger.share()).is_none());
    assert!(ledger.has_room(&large, 1) && !ledger.has_room(&large, ACCOUNTS) && ledger.has_room(&small, ACCOUNTS));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Take(Share, usize),
    Begin(Share, usize),
    Grow(usize, usize),
    /// A body is complete, or gone.
    End(usize, bool),
    GiveBack(usize),
    Victim(Share),
}

fn share() -> impl Strategy<Value = Share> {
    let users = (1u8..4, 1u8..4).prop_map(|(account, of)| user(account, of));
    prop_oneof![6 => users, 1 => Just(Payer::Signer.share()), 1 => Just(Payer::Stranger.share())]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (share(), 1usize..6000).prop_map(|(share, bytes)| Step::Take(share, bytes)),
        (share(), 1usize..6000).prop_map(|(share, bytes)| Step::Begin(share, bytes)),
        (any::<usize>(), 1usize..6000).prop_map(|(at, bytes)| Step::Grow(at, bytes)),
        (any::<usize>(), any::<bool>()).prop_map(|(at, complete)| Step::End(at, complete)),
        any::<usize>().prop_map(Step::GiveBack),
        share().prop_map(Step::Victim),
    ];
    prop::collection::vec(step, 0..200)
}

/// A model of the ledger, as two plain lists.
#[derive(Default)]
struct Model {
    charges: Vec<(Share, usize)>,
    uploads: Vec<(Share, u64, usize)>,
}

impl Model {
    fn held(&self, of: impl Fn(&Share) -> bool) -> usize {
        let charges = self.charges.iter().filter(|(share, _)| of(share)).map(|(_, bytes)| bytes);
        let uploads = self.uploads.iter().filter(|(share, ..)| of(share)).map(|(.., bytes)| bytes);
        charges.chain(uploads).sum()
    }

    fn account(&self, of: &Share) -> usize {
        self.held(|share| (share.pool, share.account) == (of.pool, of.account))
    }

    fn user(&self, of: &Share) -> usize {
        self.held(|share| share == of)
    }

    /// What was just taken keeps both thresholds.
    fn keeps_to(&self, of: &Share) -> bool {
        let pool = self.held(|share| share.pool == of.pool);
        match of.pool {
            PoolName::Accounts => {
                let left = (ACCOUNTS - pool).saturating_sub(self.account(of)) / 2;
                self.account(of) <= ACCOUNTS - pool && self.user(of) <= left
            }
            _ => pool <= OTHERS,
        }
    }
}

fn carry_out(ledger: &mut Ledger, model: &mut Model, step: Step) -> Result<(), TestCaseError> {
    let taker = match step {
        Step::Take(share, bytes) => ledger.take(&share, bytes).ok().map(|()| {
            model.charges.push((share, bytes));
            share
        }),
        Step::Begin(share, bytes) => ledger.begin(&share, bytes, &Arc::default()).ok().map(|number| {
            model.uploads.push((share, number, bytes));
            share
        }),
        Step::Grow(at, bytes) if !model.uploads.is_empty() => {
            let at = at % model.uploads.len();
            let (share, number, held) = model.uploads[at];
            ledger.grow(&share, number, bytes).ok().map(|()| {
                model.uploads[at].2 = held + bytes;
                share
            })
        }
        Step::End(at, complete) if !model.uploads.is_empty() => {
            let (share, number, held) = model.uploads.swap_remove(at % model.uploads.len());
            prop_assert_eq!(ledger.end(&share, number).map(|(bytes, _)| bytes), Some(held));
            if complete {
                model.charges.push((share, held));
            } else {
                ledger.give_back(&share, held);
            }
            None
        }
        Step::GiveBack(at) if !model.charges.is_empty() => {
            let (share, bytes) = model.charges.swap_remove(at % model.charges.len());
            ledger.give_back(&share, bytes);
            None
        }
        Step::Victim(taker) => {
            if let Some(victim) = ledger.victim(&taker) {
                let share = victim.share;
                // Its oldest, of a larger holder or of the taker.
                let of = |(of, number, _): &&(Share, u64, usize)| (*of == share).then_some(*number).is_some();
                let oldest = model.uploads.iter().filter(of).map(|(_, number, _)| *number).min().unwrap();
                let at = model.uploads.iter().position(|(.., number, _)| *number == oldest).unwrap();
                prop_assert_eq!(victim.bytes, model.uploads[at].2);
                let larger = model.account(&share) > model.account(&taker)
                    || (share.account == taker.account && model.user(&share) > model.user(&taker));
                prop_assert!(share == taker || larger, "{:?} for {:?}", share, taker);
                model.uploads.remove(at);
                ledger.give_back(&share, victim.bytes);
            }
            None
        }
        _ => None,
    };
    if let Some(share) = taker {
        prop_assert!(model.keeps_to(&share), "{:?}", step);
    }
    Ok(())
}

proptest! {
    #[test]
    fn ledger_matches_its_model(steps in steps()) {
        let (mut ledger, mut model) = (Ledger::new(BYTES), Model::default());
        for step in steps {
            carry_out(&mut ledger, &mut model, step)?;
            prop_assert_eq!(ledger.free() + model.held(|_| true), BYTES);
            for account in 1..4 {
                for of in 1..4 {
                    let share = user(account, of);
                    prop_assert_eq!(ledger.accounts.held(&share), (model.account(&share), model.user(&share)));
                }
            }
        }
        for (share, number, bytes) in model.uploads {
            prop_assert!(ledger.end(&share, number).is_some());
            ledger.give_back(&share, bytes);
        }
        model.charges.iter().for_each(|(share, bytes)| ledger.give_back(share, *bytes));
        prop_assert_eq!(ledger.free(), BYTES);
        for pool in [&ledger.accounts, &ledger.signed, &ledger.strangers] {
            prop_assert!(pool.accounts.is_empty() && pool.ranks.is_empty());
        }
    }

    /// However a key's bytes are cut, and whatever it holds of them, the account's other key gets its eighth.
    #[test]
    fn a_key_cannot_stop_its_accounts_other_key(sizes in prop::collection::vec(1usize..8192, 1..400)) {
        let mut ledger = Ledger::new(BYTES);
        for bytes in sizes {
            let _ = ledger.take(&user(1, 1), bytes);
        }
        prop_assert!(all_that_it_can(&mut ledger, &user(1, 2)) >= ACCOUNTS / 8);
    }
}
