//! What two images differ in.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets an impossible value should stop")]

use adyton_image::ramdisk::pack;
use adyton_image::{Comparison, Content, Difference, Eif, Entry, Measurements, assemble, compare};

const POLICY: &str = include_str!("adyton.toml");

fn image(kernel: &str, init: &str, policy: &str) -> Eif {
    assemble(kernel.as_bytes(), init.as_bytes(), policy.as_bytes()).unwrap()
}

fn measured(a: &Eif, b: &Eif) -> Vec<Difference> {
    let Comparison { measured, not_measured } = compare(a, b);
    assert!(not_measured.is_empty());
    measured
}

#[test]
fn the_same_parts_make_the_same_image() {
    let (one, two) = (image("k", "i", POLICY), image("k", "i", POLICY));
    assert_eq!(one.write().unwrap(), two.write().unwrap());
    assert_eq!(compare(&one, &two), Comparison { measured: vec![], not_measured: vec![] });
}

#[test]
fn what_is_not_measured_is_named_apart() {
    let one = image("k", "i", POLICY);
    let two = Eif { metadata: b"{}".to_vec(), signature: Some(b"s".to_vec()), processors: 4, ..one.clone() };
    let expected = vec!["metadata", "signature", "memory and processors"];
    assert_eq!(compare(&one, &two), Comparison { measured: vec![], not_measured: expected });
}

#[test]
fn each_file_is_named_and_the_policy_put_in_words() {
    let one = image("k", "i", POLICY);
    let [Difference::Kernel { a, b }] = &measured(&one, &image("kk", "i", POLICY))[..] else { panic!() };
    assert_eq!((a.size, b.size), (1, 2));
    let [Difference::File { ramdisk: 2, name, a: Some(a), b: Some(b) }] =
        &measured(&one, &image("k", "xyz", POLICY))[..]
    else {
        panic!("unexpected")
    };
    assert_eq!((&name[..], a.size, b.size, a.note.as_deref()), ("init", 1, 3, Some("file 0755")));
    let longer = POLICY.replace("retention_days = 30", "retention_days = 60");
    let found = measured(&one, &image("k", "i", &longer));
    let [Difference::File { name, .. }, Difference::Policy { changes: Ok(changes) }] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!((&name[..], changes.len()), ("adyton.toml", 1));
    assert!(changes[0].words.contains("retention_days"), "{}", changes[0].words);
    let Difference::Policy { changes: Err(why) } = &measured(&one, &image("k", "i", "x"))[1] else { panic!() };
    assert!(why.starts_with("the second policy: "), "{why}");
}

#[test]
fn ramdisks_are_compared_as_far_as_they_can_be_read() {
    let one = image("k", "i", POLICY);
    let with = |ramdisks: Vec<Vec<u8>>| Eif { ramdisks, ..one.clone() };
    let [Difference::Ramdisk { number: 2, a: Some(_), b: None, why }] =
        &measured(&one, &with(one.ramdisks[..1].to_vec()))[..]
    else {
        panic!("unexpected")
    };
    assert_eq!(why, "only one image has it");
    let [Difference::Ramdisk { number: 1, why, .. }] =
        &measured(&one, &with(vec![b"x".to_vec(), one.ramdisks[1].clone()]))[..]
    else {
        panic!("unexpected")
    };
    assert_eq!(why, "its files cannot be listed: the gzip header is not in the one form");
    let folder = |name: &str| Entry { name: name.into(), permissions: 0o755, content: Content::Folder };
    let first = |names: &[&str]| {
        let entries: Vec<Entry> = names.iter().map(|name| folder(name)).collect();
        with(vec![pack(&entries).unwrap(), one.ramdisks[1].clone()])
    };
    assert_eq!(measured(&first(&["dev", "x"]), &first(&["x", "dev"])), [Difference::Order { ramdisk: 1 }]);
    let [Difference::File { ramdisk: 1, name, a: None, b: Some(b) }] = &measured(&one, &first(&["dev", "x"]))[..]
    else {
        panic!("unexpected")
    };
    assert_eq!((&name[..], b.note.as_deref()), ("x", Some("folder 0755")));
}

/// The registers are hashes over the parts one after the other, without their lengths (page 11, "What is not measured").
#[test]
fn the_border_between_kernel_and_command_line_is_not_measured() {
    let one = image("k", "i", POLICY);
    let (word, rest) = one.command_line.split_once(' ').unwrap();
    let kernel = [&one.kernel[..], word.as_bytes(), b" "].concat();
    let two = Eif { kernel, command_line: rest.into(), ..one.clone() };
    assert_eq!(Measurements::of(&one), Measurements::of(&two));
    let found = measured(&one, &two);
    assert!(matches!(found[..], [Difference::Kernel { .. }, Difference::CommandLine { .. }, Difference::Borders]));
}
