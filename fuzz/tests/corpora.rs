//! Every committed input runs; every parser takes some of its own.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;

use adyton_fuzz::corpus::{Seed, folder, load};
use adyton_fuzz::run::{Budget, Options, run};
use adyton_fuzz::{TARGETS, seeds, target};

#[test]
fn every_corpus_runs_and_some_of_it_is_accepted() {
    let work = TARGETS.iter().map(|target| (*target, load(&folder(), target).unwrap())).collect();
    let options =
        Options { budget: Budget::Runs(200), seed: 1, patience: std::time::Duration::from_secs(60), trace: None };
    for count in run(work, &options).unwrap() {
        assert!(count.accepted > 0, "{}: no input is accepted", count.target);
    }
}

#[test]
fn every_target_has_a_corpus_and_every_corpus_a_target() {
    let folders: BTreeSet<String> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let names: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(names.len(), TARGETS.len(), "two targets have one name");
    assert_eq!(folders, names);
}

#[test]
fn the_committed_seeds_are_those_that_are_made() {
    let seeds = seeds::all();
    let places: BTreeSet<_> = seeds.iter().map(|(target, seed)| (target, &seed.name)).collect();
    assert_eq!(places.len(), seeds.len(), "two seeds have one name");
    for (name, seed) in &seeds {
        assert!(target(name).is_some(), "no target {name}");
        let path = folder().join(name).join(&seed.name);
        let committed = fs::read(&path).unwrap_or_default();
        assert!(committed == seed.input, "{name}/{} differs: run adyton-fuzz --write-corpus", seed.name);
    }
}

/// The bounds of `cargo xtask fuzz --keep` (`xtask/src/fuzz.rs`) are those of the inputs that it found.
#[test]
fn corpora_stay_within_their_bounds() {
    let mut total = 0;
    for target in TARGETS {
        let (found, made): (Vec<_>, Vec<_>) =
            load(&folder(), target).unwrap().into_iter().partition(|seed| seed.name.starts_with("found_"));
        let bytes = |seeds: &[Seed]| seeds.iter().map(|seed| seed.input.len()).sum::<usize>();
        // Attestation documents carry certificates.
        let most = if target.name == "evidence" { 48 } else { 16 };
        assert!(bytes(&made) <= most * 1024, "{}: {} bytes of seeds", target.name, bytes(&made));
        assert!(bytes(&found) <= 32 * 1024, "{}: {} bytes were found", target.name, bytes(&found));
        assert!(found.iter().all(|seed| seed.input.len() <= 4096), "{}: a long input was kept", target.name);
        total += bytes(&made) + bytes(&found);
    }
    assert!(total <= 2 * 1024 * 1024, "{total} bytes in all");
}
