//! `cargo xtask tcb`: the trusted computing base, counted.
//!
//! 1. The enclave is built alone, as for an image, and what the compilers read is counted (`image`, `rust`, `text`).
//! 2. The figures are printed, crate by crate and in sums.
//! 3. Peers are counted from the sources that `--peer NAME=DIR` gives (`peer`).
//! 4. What is reviewed of the figures is compared with the committed list, or written anew (`snapshot`).
//!
//! Limits. It counts code, it does not judge it. Not counted: Rust's standard library, the C library, kernel and what boots the
//! enclave, hypervisor. Linked crates are counted whole, though the linker leaves out what no code reaches. Figures depend on
//! the compilers where a build script asks them what they can.

mod image;
mod peer;
mod rust;
pub(crate) mod snapshot;
mod text;

use std::fs;
use std::path::PathBuf;

use crate::metadata::{TARGET, output};
use crate::{Error, root};
use image::{Crate, Image, Part};
use peer::{Peer, Unsafety};
use rust::Unsafe;
use snapshot::Line;

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    accept: bool,
    peers: Vec<(String, PathBuf)>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, Error> {
        let (mut options, mut rest) = (Self::default(), arguments.iter());
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--accept" => options.accept = true,
                "--peer" => {
                    let peer = rest.next().and_then(|peer| peer.split_once('=')).ok_or("--peer wants NAME=DIR")?;
                    options.peers.push((peer.0.into(), peer.1.into()));
                }
                other => return Err(format!("tcb knows --peer NAME=DIR and --accept, not {other:?}").into()),
            }
        }
        Ok(options)
    }
}

/// Why the list cannot be compared on this machine.
pub(crate) fn elsewhere() -> Result<Option<String>, Error> {
    let host = output("rustc", &["-vV"])?;
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or("unknown");
    Ok((host != TARGET).then(|| format!("the list is for {TARGET}, this machine is {host}")))
}

/// Counts, prints and compares, or writes the list anew.
pub(crate) fn run(arguments: &[String]) -> Result<(), Error> {
    let options = Options::parse(arguments)?;
    if let Some(why) = elsewhere()? {
        return Err(why.into());
    }
    let peers: Vec<(String, Peer)> = options
        .peers
        .iter()
        .map(|(name, folder)| Ok((name.clone(), peer::count(folder)?)))
        .collect::<Result<_, Error>>()?;
    let image = image::build()?;
    println!("{}\n{}", crates(&image.crates), sums(&image, &peers));
    let path = root().join(snapshot::FILE);
    let found: Vec<Line> = image.crates.iter().map(Line::of).collect();
    if options.accept {
        fs::write(&path, found.iter().map(|line| format!("{line}\n")).collect::<String>())?;
        return Ok(());
    }
    let differences = snapshot::compare(&snapshot::parse(&fs::read_to_string(&path)?)?, &found);
    if differences.is_empty() {
        println!("tcb: as {} says", snapshot::FILE);
        return Ok(());
    }
    let differences = differences.join("\n  ");
    let file = snapshot::FILE;
    Err(format!("\n  {differences}\nthis is not what {file} says: review it, then `cargo xtask tcb --accept`").into())
}

/// A line for each crate, by part and size.
fn crates(crates: &[Crate]) -> String {
    let mut sorted: Vec<&Crate> = crates.iter().collect();
    sorted.sort_by_key(|found| (found.part, std::cmp::Reverse(found.lines + found.foreign)));
    let mut text =
        format!("{:42} {:11} {:>8} {:>8} {:>7} {:>7}\n", "crate", "part", "Rust", "C, asm", "unsafe", "script");
    for found in sorted {
        let part = match found.part {
            Part::Ours => "ours",
            Part::Linked => "linked",
            Part::Macro => "proc-macro",
            Part::Build => "build only",
        };
        let name = format!("{} {}", found.name, found.version);
        let script = found.script.map_or_else(|| "-".into(), |lines| lines.to_string());
        let (lines, foreign, uses) = (found.lines, found.foreign, found.uses.total());
        text += &format!("{name:42} {part:11} {lines:>8} {foreign:>8} {uses:>7} {script:>7}\n");
    }
    text
}

/// The sums, and the peers'.
fn sums(image: &Image, peers: &[(String, Peer)]) -> String {
    let mut text = format!(
        "{:22} {:>7} {:>8} {:>8} {:>7}  {:40} {:>7}\n",
        "", "crates", "Rust", "C, asm", "unsafe", "", "scripts"
    );
    let parts: [(&str, &[Part]); 3] = [
        ("ours", &[Part::Ours]),
        ("of others, linked", &[Part::Linked]),
        ("of others, build only", &[Part::Macro, Part::Build]),
    ];
    for (name, parts) in parts {
        let these: Vec<&Crate> = image.crates.iter().filter(|found| parts.contains(&found.part)).collect();
        let lines: usize = these.iter().map(|found| found.lines).sum();
        let foreign: usize = these.iter().map(|found| found.foreign).sum();
        let uses: Unsafe = these.iter().map(|found| found.uses).sum();
        let scripts = these.iter().filter(|found| found.script.is_some()).count();
        let (crates, total, detail) = (these.len(), uses.total(), detail(uses));
        text += &format!("{name:22} {crates:>7} {lines:>8} {foreign:>8} {total:>7}  {detail:40} {scripts:>7}\n");
    }
    text += &format!("binary: {} bytes, stripped, for {TARGET}\n", image.bytes);
    text += "peers (first-party sources as given; not built, so host side and tools are in it, and what is linked is not known):\n";
    if peers.is_empty() {
        text += "  NOT RUN: none was given; --peer NAME=DIR counts one\n";
    }
    for (name, peer) in peers {
        let (unsafety, scripts) = match &peer.unsafety {
            Unsafety::Rust(uses) => (format!("{} unsafe ({})", uses.total(), detail(*uses)), peer.scripts.unwrap_or(0)),
            Unsafety::Go(files) => (format!("{files} files import unsafe or C"), 0),
        };
        let (lines, dependencies, origin) = (peer.lines, peer.dependencies, peer.origin);
        text += &format!(
            "  {name}: {lines} lines, {unsafety}, {scripts} build scripts, {dependencies} dependencies ({origin})\n"
        );
    }
    text
}

fn detail(uses: Unsafe) -> String {
    format!("{} blocks, {} fns, {} impls, {} others", uses.blocks, uses.functions, uses.impls, uses.others)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    fn options(line: &str) -> Result<Options, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words).map_err(|error| error.to_string())
    }

    #[test]
    fn options_are_taken_or_refused_by_name() {
        let peers = vec![("A".to_owned(), PathBuf::from("a=b")), ("B".to_owned(), PathBuf::from("c"))];
        assert_eq!(options("--peer A=a=b --accept --peer B=c").unwrap(), Options { accept: true, peers });
        assert_eq!(options("--peer A"), Err("--peer wants NAME=DIR".into()));
        assert_eq!(options("--force"), Err("tcb knows --peer NAME=DIR and --accept, not \"--force\"".into()));
    }

    #[test]
    fn peers_that_were_not_given_are_not_run() {
        let uses = Unsafe { blocks: 2, ..Unsafe::default() };
        let found = Crate {
            name: "x".into(),
            version: "1.0.0".into(),
            part: Part::Linked,
            lines: 7,
            uses,
            script: Some(3),
            foreign: 5,
        };
        let image = Image { crates: vec![found], bytes: 9 };
        let text = sums(&image, &[]);
        assert!(text.contains("NOT RUN: none was given; --peer NAME=DIR counts one\n"), "{text}");
        let row = text.lines().find(|line| line.starts_with("of others, linked")).unwrap();
        let row: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(row.join(" "), "of others, linked 1 7 5 2 2 blocks, 0 fns, 0 impls, 0 others 1");
        let peer = Peer { lines: 1, unsafety: Unsafety::Go(4), scripts: None, dependencies: 2, origin: "go.mod" };
        let line = "  P: 1 lines, 4 files import unsafe or C, 0 build scripts, 2 dependencies (go.mod)\n";
        assert!(sums(&image, &[("P".into(), peer)]).ends_with(line));
    }
}
