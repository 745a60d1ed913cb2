//! What the enclave is built of, as it was last reviewed: `inside/enclave/dependencies.txt`, a line for each crate.
//!
//! Of crates of others it fixes version, part and every figure. Of ours only `unsafe` and build scripts, so that a line of our
//! own code is no new review. `cargo xtask licences` compares its names and versions, without a build.

use std::fmt;

use crate::tcb::image::{Crate, Part};

/// Where it stands.
pub(crate) const FILE: &str = "inside/enclave/dependencies.txt";

/// A line: `NAME VERSION PART KEY=NUMBER …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) name: String,
    /// `-` for a crate of ours.
    pub(crate) version: String,
    part: String,
    figures: Vec<(String, usize)>,
}

impl Line {
    /// What is fixed of a crate.
    pub(crate) fn of(found: &Crate) -> Self {
        let ours = found.part == Part::Ours;
        let mut figures = vec![("unsafe".to_owned(), found.uses.total())];
        if !ours {
            figures.insert(0, ("lines".to_owned(), found.lines));
        }
        figures.extend((found.foreign > 0).then(|| ("c-lines".to_owned(), found.foreign)));
        figures.extend(found.script.map(|lines| ("build-script".to_owned(), lines)));
        let part = match found.part {
            Part::Ours => "ours",
            Part::Linked => "linked",
            Part::Macro => "proc-macro",
            Part::Build => "build",
        };
        let version = if ours { "-" } else { &found.version };
        Self { name: found.name.clone(), version: version.into(), part: part.into(), figures }
    }

    /// Whether it is a crate of others.
    pub(crate) fn foreign(&self) -> bool {
        self.part != "ours"
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.name, self.version, self.part)?;
        self.figures.iter().try_for_each(|(key, number)| write!(f, " {key}={number}"))
    }
}

/// Reads the file; the error names the line.
pub(crate) fn parse(text: &str) -> Result<Vec<Line>, String> {
    let parse = |line: &str| {
        let mut words = line.split(' ').map(str::to_owned);
        let (name, version, part) = (words.next()?, words.next()?, words.next()?);
        let figure = |word: String| word.split_once('=').and_then(|(key, n)| Some((key.to_owned(), n.parse().ok()?)));
        Some(Line { name, version, part, figures: words.map(figure).collect::<Option<_>>()? })
    };
    let lines = text.lines().enumerate();
    lines.map(|(at, line)| parse(line).ok_or_else(|| format!("{FILE}:{}: {line:?} is no line of it", at + 1))).collect()
}

/// What is different, in words.
pub(crate) fn compare(known: &[Line], found: &[Line]) -> Vec<String> {
    let same = |a: &Line, b: &Line| a.name == b.name && a.version == b.version;
    let (mut new, mut differences) = (Vec::new(), Vec::new());
    for line in found {
        match known.iter().find(|other| same(other, line)) {
            Some(before) => differences.extend(changes(before, line).map(|what| format!("{}: {what}", line.name))),
            None => new.push(line),
        }
    }
    let mut gone: Vec<&Line> = known.iter().filter(|line| !found.iter().any(|other| same(other, line))).collect();
    for line in new {
        match gone.iter().position(|other| other.name == line.name) {
            Some(at) => {
                let before = gone.remove(at);
                let what = changes(before, line).unwrap_or_else(|| "the same figures".into());
                differences.push(format!("{} {} is {} now: {what}", line.name, before.version, line.version));
            }
            None => differences.push(format!("new: {line}")),
        }
    }
    differences.extend(gone.iter().map(|line| format!("gone: {line}")));
    differences
}

/// What changed of one crate, each figure with how much it grew.
fn changes(before: &Line, after: &Line) -> Option<String> {
    let mut changes = Vec::new();
    if before.part != after.part {
        changes.push(format!("{} became {}", before.part, after.part));
    }
    for (key, number) in &after.figures {
        match before.figures.iter().find(|(other, _)| other == key) {
            Some((_, old)) if old == number => {}
            Some((_, old)) if old < number => changes.push(format!("{key} {old} -> {number} (+{})", number - old)),
            Some((_, old)) => changes.push(format!("{key} {old} -> {number} (-{})", old - number)),
            None => changes.push(format!("{key} 0 -> {number} (+{number})")),
        }
    }
    let lost = before.figures.iter().filter(|(key, _)| !after.figures.iter().any(|(other, _)| other == key));
    changes.extend(lost.map(|(key, old)| format!("{key} {old} -> 0 (-{old})")));
    (!changes.is_empty()).then(|| changes.join(", "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;
    use crate::tcb::rust::Unsafe;

    const KNOWN: &str =
        "a 1.0.0 linked lines=100 unsafe=2\nb 1.0.0 build lines=10 unsafe=0 build-script=5\nours - ours unsafe=0";

    fn against(found: &str) -> Vec<String> {
        compare(&parse(KNOWN).unwrap(), &parse(found).unwrap())
    }

    #[test]
    fn the_same_is_no_difference() {
        assert_eq!(against(KNOWN), Vec::<String>::new());
        assert_eq!(parse(KNOWN).unwrap().iter().map(Line::to_string).collect::<Vec<_>>().join("\n"), KNOWN);
    }

    #[test]
    fn what_grew_is_said_in_numbers() {
        let found =
            "a 1.0.0 linked lines=90 unsafe=5 c-lines=7\nb 1.0.0 linked lines=10 unsafe=0\nours - ours unsafe=1";
        assert_eq!(
            against(found),
            [
                "a: lines 100 -> 90 (-10), unsafe 2 -> 5 (+3), c-lines 0 -> 7 (+7)",
                "b: build became linked, build-script 5 -> 0 (-5)",
                "ours: unsafe 0 -> 1 (+1)",
            ]
        );
    }

    #[test]
    fn new_crates_gone_ones_and_new_versions_are_told_apart() {
        let found = "a 1.1.0 linked lines=120 unsafe=2\nc 2.0.0 proc-macro lines=1 unsafe=0\nours - ours unsafe=0";
        assert_eq!(
            against(found),
            [
                "a 1.0.0 is 1.1.0 now: lines 100 -> 120 (+20)",
                "new: c 2.0.0 proc-macro lines=1 unsafe=0",
                "gone: b 1.0.0 build lines=10 unsafe=0 build-script=5",
            ]
        );
    }

    #[test]
    fn of_our_crates_lines_and_versions_are_not_fixed() {
        let uses = Unsafe { blocks: 1, ..Unsafe::default() };
        let found =
            |part| Crate { name: "x".into(), version: "0.1.0".into(), part, lines: 7, uses, script: None, foreign: 0 };
        assert_eq!(Line::of(&found(Part::Ours)).to_string(), "x - ours unsafe=1");
        assert_eq!(Line::of(&found(Part::Linked)).to_string(), "x 0.1.0 linked lines=7 unsafe=1");
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let refused = parse("a 1.0.0 linked lines=1\nb 1.0.0");
        assert_eq!(refused, Err("inside/enclave/dependencies.txt:2: \"b 1.0.0\" is no line of it".into()));
    }
}
