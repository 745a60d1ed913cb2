//! What runs the targets, against targets that are broken on purpose.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::time::Duration;

use adyton_fuzz::corpus::Seed;
use adyton_fuzz::run::{Budget, Cause, Failure, Options, run};
use adyton_fuzz::{Target, target};

const PATIENCE: Duration = Duration::from_secs(60);

fn options(budget: Budget) -> Options {
    Options { budget, seed: 1, patience: PATIENCE, trace: None }
}

fn seed(input: &[u8]) -> Seed {
    Seed { name: "seed".into(), input: input.to_vec() }
}

fn broken(run: fn(&[u8])) -> Target {
    Target { name: "broken", run, dictionary: &[b"magic"] }
}

#[test]
fn a_panic_of_the_corpus_ends_the_run_with_its_input() {
    let target = broken(|input| assert!(input != b"bad", "it is bad"));
    assert_eq!(run(vec![(target, vec![seed(b"good")])], &options(Budget::Runs(0))).unwrap()[0].runs, 1);
    let failure = run(vec![(target, vec![seed(b"good"), seed(b"bad")])], &options(Budget::Runs(0))).unwrap_err();
    assert_eq!((failure.target, &failure.input[..]), ("broken", &b"bad"[..]));
    let Cause::Panic(message) = &failure.cause else { panic!("{failure}") };
    assert!(message.contains("running.rs:") && message.ends_with("it is bad"), "{message}");
}

#[test]
fn mutation_reaches_faults_behind_a_word_and_a_length() {
    let target = broken(|input| {
        let Some((length, rest)) = input.split_first_chunk() else { return };
        let announced = usize::try_from(u32::from_be_bytes(*length)).unwrap();
        assert!(announced != rest.len() || rest.len() < 12 || !rest.starts_with(b"magic"), "found");
    });
    let failure = run(vec![(target, vec![seed(b"\0\0\0\x05hello")])], &options(Budget::Runs(2_000_000))).unwrap_err();
    assert!(matches!(failure.cause, Cause::Panic(_)));
    assert_eq!(failure.input[4..9], *b"magic");
}

#[test]
fn a_hang_is_a_failure() {
    let target = broken(|input| {
        if input == b"for ever" {
            loop {
                std::thread::yield_now();
            }
        }
    });
    let patience = Duration::from_millis(300);
    let options = Options { patience, ..options(Budget::Runs(0)) };
    let failure = run(vec![(target, vec![seed(b"for ever")])], &options).unwrap_err();
    let expected = Failure { target: "broken", cause: Cause::Hang(patience), input: b"for ever".to_vec() };
    assert_eq!(failure, expected);
}

#[test]
fn a_failing_input_is_kept_and_can_be_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let failure = Failure { target: "broken", cause: Cause::Panic("why".into()), input: b"bad".to_vec() };
    let path = failure.write(&folder.path().join("failures")).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"bad");
    // SHA-256 of "bad".
    assert_eq!(path.file_name().unwrap(), "broken-2f05d4b689d270ca");
}

#[test]
fn every_input_is_on_the_disk_before_it_runs_if_asked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("current");
    let target = broken(|input| assert!(input != b"second"));
    let options = Options { trace: Some(file.clone()), ..options(Budget::Runs(0)) };
    run(vec![(target, vec![seed(b"first"), seed(b"second"), seed(b"third")])], &options).unwrap_err();
    assert_eq!(fs::read(file).unwrap(), b"second");
}

/// The time is over before the first target begins, and its inputs take longer still.
#[test]
fn every_target_gets_a_mutation_whatever_the_others_took() {
    let target = |name, run| Target { name, ..broken(run) };
    let slow: fn(&[u8]) = |_| std::thread::sleep(Duration::from_millis(2));
    let work = ["slow", "quick", "last"]
        .map(|name| (target(name, if name == "slow" { slow } else { |_| {} }), vec![seed(b"x")]));
    let counts = run(work.to_vec(), &options(Budget::Time(Duration::ZERO))).unwrap();
    let mutations: Vec<_> = counts.iter().map(|count| (count.target, count.runs, count.mutations)).collect();
    assert_eq!(mutations, [("slow", 2, 1), ("quick", 2, 1), ("last", 2, 1)]);
}

#[test]
fn the_same_seed_runs_the_same_inputs() {
    let frame = *target("frame").unwrap();
    let runs = |seed_number: u64| {
        let options = Options { seed: seed_number, ..options(Budget::Runs(3000)) };
        run(vec![(frame, vec![seed(&[0x25, 0, 0, 0, 0, 0, 0, 0, 5])])], &options).unwrap()
    };
    assert_eq!(runs(1), runs(1));
    assert_ne!(runs(1), runs(2));
}
