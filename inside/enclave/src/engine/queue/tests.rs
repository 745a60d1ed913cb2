#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use proptest::prelude::*;

use super::*;

const PAYERS: [Payer; 5] =
    [Payer::Id([1; 16]), Payer::Id([2; 16]), Payer::Unauthenticated, Payer::Owners, Payer::Internal];
const MAX_COST: usize = 40 * 1024;
const SMALL: Bounds = Bounds { payer: 120 * 1024, all: 200 * 1024 };

/// One command in the queue, as the model knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Item {
    number: usize,
    payer: Payer,
    bytes: usize,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Push(usize, usize),
    Pop,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bytes = prop_oneof![4 => 1024..4096usize, 1 => 1024..MAX_COST];
    let step = prop_oneof![3 => (0..PAYERS.len(), bytes).prop_map(|(payer, bytes)| Step::Push(payer, bytes)), 2 => Just(Step::Pop)];
    proptest::collection::vec(step, 1..400)
}

fn length(waiting: &[Item], payer: Payer) -> usize {
    waiting.iter().filter(|item| item.payer == payer).map(|item| item.bytes).sum()
}

fn outer(waiting: &[Item]) -> usize {
    waiting.iter().filter(|item| item.payer != Payer::Internal).map(|item| item.bytes).sum()
}

proptest! {
    /// Each is taken out once or refused once, in its payer's order; both bounds hold; a refusal is that of the payer who asks or of
    /// one who has more waiting; the enclave's own are never refused.
    #[test]
    fn lanes_are_bounded_and_only_the_longest_are_refused(steps in steps()) {
        let mut queue = Queue::new(SMALL);
        let mut waiting: Vec<Item> = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Push(payer, bytes) => {
                    let item = Item { number, payer: PAYERS[payer], bytes };
                    let before = waiting.clone();
                    let asked = length(&before, item.payer) + bytes;
                    let refused = queue.push(Cost { payer: item.payer, bytes }, item);
                    waiting.push(item);
                    for refused in refused {
                        prop_assert_ne!(refused.payer, Payer::Internal);
                        if refused == item {
                            let others = PAYERS.into_iter().filter(|payer| *payer != Payer::Internal);
                            let longest = others.map(|payer| length(&waiting, payer)).max().unwrap();
                            prop_assert!(asked > SMALL.payer || outer(&before) + bytes > SMALL.all && asked >= longest);
                        } else {
                            prop_assert_ne!(refused.payer, item.payer);
                            prop_assert!(length(&waiting, refused.payer) > asked, "it has more waiting");
                            let last = waiting.iter().rfind(|item| item.payer == refused.payer).unwrap();
                            prop_assert_eq!(*last, refused);
                        }
                        waiting.retain(|item| *item != refused);
                    }
                    prop_assert!(length(&waiting, item.payer) <= SMALL.payer || item.payer == Payer::Internal);
                    prop_assert!(outer(&waiting) <= SMALL.all);
                }
                Step::Pop => {
                    let popped = queue.pop();
                    prop_assert_eq!(popped.is_none(), waiting.is_empty());
                    if let Some(popped) = popped {
                        let first = waiting.iter().position(|item| item.payer == popped.payer).unwrap();
                        prop_assert_eq!(waiting.remove(first), popped);
                    }
                }
            }
            prop_assert_eq!(queue.is_empty(), waiting.is_empty());
        }
    }

    /// While one payer waits, each other one gets at most as many turns as the waiting one needs, however much it has waiting.
    #[test]
    fn nobody_starves(
        crowd in proptest::collection::vec((0..64u8, 1024..MAX_COST), 0..600),
        cost in 1024..MAX_COST,
        late in 0..50usize,
    ) {
        let unbounded = Bounds { payer: usize::MAX, all: usize::MAX };
        let mut queue = Queue::new(unbounded);
        for (payer, bytes) in crowd {
            queue.push(Cost { payer: Payer::Id([payer; 16]), bytes }, (payer, bytes));
        }
        for _ in 0..late {
            queue.pop();
        }
        queue.push(Cost { payer: Payer::Unauthenticated, bytes: cost }, (99, cost));
        let turns = cost.div_ceil(QUANTUM);
        let mut served = BTreeMap::<u8, usize>::new();
        loop {
            let (payer, bytes) = queue.pop().unwrap();
            if payer == 99 {
                break;
            }
            let served = served.entry(payer).or_default();
            *served += bytes;
            // One turn may be under way, and what earlier ones left is less than the largest command.
            prop_assert!(*served < (turns + 1) * QUANTUM + MAX_COST, "{served} before {cost}");
        }
    }

    /// The enclave's own commands get every second turn, and no more while others wait.
    #[test]
    fn inner_commands_alternate_with_the_others(inner in 0..40usize, others in 0..40usize) {
        let mut queue = Queue::new(BOUNDS);
        for _ in 0..inner {
            let refused = queue.push(Cost { payer: Payer::Internal, bytes: usize::MAX }, true);
            prop_assert!(refused.is_empty());
        }
        for _ in 0..others {
            queue.push(Cost { payer: Payer::Owners, bytes: 1024 }, false);
        }
        let popped: Vec<bool> = std::iter::from_fn(|| queue.pop()).collect();
        prop_assert_eq!(popped.len(), inner + others);
        let both = 2 * inner.min(others);
        prop_assert!(popped[..both].chunks(2).all(|pair| pair[0] != pair[1]));
    }
}

#[test]
fn a_command_larger_than_a_lane_is_refused_and_takes_nothing() {
    let mut queue = Queue::new(SMALL);
    let cost = |payer, bytes| Cost { payer, bytes };
    assert_eq!(queue.push(cost(Payer::Unauthenticated, SMALL.payer + 1), 1), [1]);
    assert!(queue.is_empty() && queue.pop().is_none());
    assert!(queue.push(cost(Payer::Unauthenticated, SMALL.payer), 2).is_empty());
    assert!(queue.push(cost(Payer::Owners, 1024), 3).is_empty());
    // No room for more than that; the strangers have the longest lane.
    assert_eq!(queue.push(cost(Payer::Id([1; 16]), SMALL.all - SMALL.payer), 4), [2]);
    assert_eq!([queue.pop(), queue.pop(), queue.pop()], [Some(3), Some(4), None]);
}

#[tokio::test]
async fn a_channel_ends_when_either_side_is_gone() {
    let cost = Cost { payer: Payer::Owners, bytes: 1024 };
    let (sender, receiver) = channel(BOUNDS);
    let second = sender.clone();
    assert!(second.push(cost, 1).unwrap().is_empty());
    drop((sender, second));
    assert!(receiver.ready().await, "what was put in is taken out");
    assert_eq!(receiver.pop(), Some(1));
    assert!(!receiver.ready().await);

    let (sender, receiver) = channel(BOUNDS);
    let (waiting, mut answer) = tokio::sync::oneshot::channel::<()>();
    assert!(sender.push(cost, waiting).unwrap().is_empty());
    drop(receiver);
    assert!(answer.try_recv().is_err(), "what waits is dropped");
    assert!(sender.is_closed() && sender.push(cost, tokio::sync::oneshot::channel().0).is_err());
}

#[tokio::test]
async fn who_waits_for_the_queue_hears_of_the_next_command() {
    let (sender, receiver) = channel(BOUNDS);
    let waiting = tokio::spawn(async move { (receiver.ready().await, receiver.pop()) });
    tokio::task::yield_now().await;
    assert!(sender.push(Cost { payer: Payer::Internal, bytes: 0 }, 7).unwrap().is_empty());
    assert_eq!(waiting.await.unwrap(), (true, Some(7)));
}
