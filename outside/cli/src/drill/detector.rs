//! Looks for all secrets in all encodings at once.
//!
//! 1. one automaton over the patterns of canaries, decoys and markers (public texts that prove that a search works);
//! 2. a haystack is fed in pieces; a pattern that lies across two pieces is found;
//! 3. what begins like a gzip member is opened, as far as it goes, and what it holds is searched too;
//! 4. the verdict: canaries against decoys.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use aho_corasick::{AhoCorasick, MatchKind};
use flate2::bufread::GzDecoder;

use super::Error;
use super::canary::{Kind, Planted, Secret};
use super::encoding::Encoding;

/// Bytes of a piece that the next one begins with: longer than any pattern, and than a small gzip member.
pub(crate) const OVERLAP: usize = 16 * 1024;
/// Most bytes that are taken from one gzip member.
const MAX_OPENED: u64 = 4 << 20;
/// How a gzip member begins (RFC 1952): its magic number, and deflate.
const GZIP: [u8; 3] = [0x1F, 0x8B, 0x08];

/// Whose pattern it is.
#[derive(Clone, Copy)]
enum Owner {
    Canary(usize, Encoding),
    Decoy(usize, Encoding),
    Marker(usize),
    Gzip,
}

/// A search for secrets.
pub(crate) struct Detector {
    automaton: AhoCorasick,
    owners: Vec<Owner>,
    markers: Vec<String>,
    kinds: Vec<Kind>,
}

/// What was found.
#[derive(Default)]
pub(crate) struct Hits {
    canaries: BTreeMap<usize, BTreeSet<Encoding>>,
    decoys: BTreeMap<usize, BTreeSet<Encoding>>,
    markers: BTreeSet<usize>,
    /// Bytes that were searched, without what was opened.
    pub(crate) searched: u64,
}

impl Detector {
    /// Looks for these secrets. Each marker must be found for a search to count ([`Detector::verdict`]).
    pub(crate) fn new(planted: &Planted, markers: &[&str]) -> Result<Self, Error> {
        let (mut patterns, mut owners) = (vec![GZIP.to_vec()], vec![Owner::Gzip]);
        let mut add = |secrets: &[Secret], owner: fn(usize, Encoding) -> Owner| {
            for (number, secret) in secrets.iter().enumerate() {
                for encoding in Encoding::ALL {
                    for pattern in encoding.patterns(&secret.value) {
                        patterns.push(pattern);
                        owners.push(owner(number, encoding));
                    }
                }
            }
        };
        add(&planted.canaries, Owner::Canary);
        add(&planted.decoys, Owner::Decoy);
        for (number, marker) in markers.iter().enumerate() {
            patterns.push(marker.as_bytes().to_vec());
            owners.push(Owner::Marker(number));
        }
        let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(&patterns)?;
        let kinds = planted.canaries.iter().map(|canary| canary.kind).collect();
        Ok(Self { automaton, owners, markers: markers.iter().map(|&marker| marker.into()).collect(), kinds })
    }

    /// Searches one whole haystack.
    pub(crate) fn search(&self, haystack: &[u8], hits: &mut Hits) {
        hits.searched += haystack.len() as u64;
        self.piece(haystack, hits, None);
    }

    /// 2. Searches what a reader gives, piece by piece.
    pub(crate) fn search_reader(&self, mut from: impl Read, hits: &mut Hits) -> std::io::Result<()> {
        const PIECE: usize = 4 << 20;
        let mut buffer = vec![0; OVERLAP + PIECE];
        let mut kept = 0;
        loop {
            let mut filled = kept;
            while filled < buffer.len() {
                match from.read(&mut buffer[filled..])? {
                    0 => break,
                    count => filled += count,
                }
            }
            if filled == kept {
                return Ok(());
            }
            hits.searched += (filled - kept) as u64;
            self.piece(&buffer[..filled], hits, None);
            let keep = filled.min(OVERLAP);
            buffer.copy_within(filled - keep..filled, 0);
            kept = keep;
        }
    }

    fn piece(&self, haystack: &[u8], hits: &mut Hits, within: Option<Encoding>) {
        for found in self.automaton.find_overlapping_iter(haystack) {
            match self.owners[found.pattern().as_usize()] {
                Owner::Canary(number, encoding) => {
                    hits.canaries.entry(number).or_default().insert(within.unwrap_or(encoding));
                }
                Owner::Decoy(number, encoding) => {
                    hits.decoys.entry(number).or_default().insert(within.unwrap_or(encoding));
                }
                Owner::Marker(number) => drop(hits.markers.insert(number)),
                // 3. One layer: a member within a member is not opened.
                Owner::Gzip if within.is_none() => {
                    let opened = opened(&haystack[found.start()..]);
                    self.piece(&opened, hits, Some(Encoding::Gzip));
                }
                Owner::Gzip => {}
            }
        }
    }

    /// 4. How many canaries and decoys were found, and whether the search can be believed.
    pub(crate) fn verdict(&self, hits: &Hits) -> Result<Verdict, Error> {
        if let Some((_, marker)) = self.markers.iter().enumerate().find(|(number, _)| !hits.markers.contains(number)) {
            return Err(format!(
                "the search of {} bytes did not even find {marker:?}, which is public and stands there",
                hits.searched
            )
            .into());
        }
        let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
        for number in hits.canaries.keys() {
            *kinds.entry(self.kinds[*number]).or_default() += 1;
        }
        let encodings: BTreeSet<Encoding> = hits.canaries.values().flatten().copied().collect();
        Ok(Verdict {
            canaries: hits.canaries.len(),
            decoys: hits.decoys.len(),
            of: self.kinds.len(),
            kinds,
            encodings,
            searched: hits.searched,
        })
    }
}

impl Hits {
    /// Whether this canary was found in this encoding.
    pub(crate) fn has(&self, canary: usize, encoding: Encoding) -> bool {
        self.canaries.get(&canary).is_some_and(|encodings| encodings.contains(&encoding))
    }

    /// Whether a canary of this value was found, in any encoding.
    pub(crate) fn has_value(&self, planted: &Planted, value: &str) -> bool {
        let number = planted.canaries.iter().position(|canary| canary.value == value);
        number.is_some_and(|number| self.canaries.contains_key(&number))
    }

    /// Distinct decoys that were found.
    pub(crate) fn decoys(&self, encoding: Encoding) -> usize {
        self.decoys.values().filter(|encodings| encodings.contains(&encoding)).count()
    }
}

/// What a search says.
pub(crate) struct Verdict {
    /// Distinct canaries that were found.
    pub(crate) canaries: usize,
    /// Distinct decoys that were found.
    pub(crate) decoys: usize,
    of: usize,
    /// Canaries that were found, by kind.
    pub(crate) kinds: BTreeMap<Kind, usize>,
    encodings: BTreeSet<Encoding>,
    searched: u64,
}

impl Verdict {
    /// Whether more canaries than decoys were found.
    pub(crate) fn leaks(&self) -> bool {
        self.canaries > self.decoys
    }

    /// In words; never a secret itself.
    pub(crate) fn describe(&self) -> String {
        let mut text = format!(
            "{} searched: {} of {} canaries, {} of {} decoys",
            size(self.searched),
            self.canaries,
            self.of,
            self.decoys,
            self.of
        );
        if self.canaries > 0 {
            let kinds: Vec<_> = self.kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
            let encodings: Vec<_> = self.encodings.iter().map(|encoding| encoding.name()).collect();
            text += &format!(" ({}; {})", kinds.join(", "), encodings.join(", "));
        }
        text
    }
}

/// A number of bytes for people.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} bytes"),
        1_024..1_048_576 => format!("{} KiB", bytes / 1_024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}

/// What a gzip member holds, as far as it can be read.
fn opened(member: &[u8]) -> Vec<u8> {
    let (mut opened, mut buffer) = (Vec::new(), [0; 8192]);
    let mut decoder = GzDecoder::new(member).take(MAX_OPENED);
    while let Ok(count @ 1..) = decoder.read(&mut buffer) {
        opened.extend_from_slice(&buffer[..count]);
    }
    opened
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use std::io::Write;

    use super::*;

    fn planted() -> Planted {
        let mut planted = Planted::default();
        planted.plant(Kind::Code, "0123456789").unwrap();
        planted.plant(Kind::Number, "12025550123").unwrap();
        planted
    }

    fn verdict(planted: &Planted, haystack: &[u8]) -> Verdict {
        let detector = Detector::new(planted, &[]).unwrap();
        let mut hits = Hits::default();
        detector.search_reader(haystack, &mut hits).unwrap();
        detector.verdict(&hits).unwrap()
    }

    #[test]
    fn only_an_excess_over_decoys_counts() {
        let planted = planted();
        let found = verdict(&planted, b"... 0123456789 ... 12025550123");
        assert!(found.leaks());
        assert_eq!(found.describe(), "30 bytes searched: 2 of 2 canaries, 0 of 2 decoys (codes 1, numbers 1; raw)");
        let both = format!("0123456789 {}", planted.decoys[1].value);
        assert!(!verdict(&planted, both.as_bytes()).leaks());
        assert!(!verdict(&planted, b"nothing").leaks());
    }

    #[test]
    fn a_secret_across_two_pieces_is_found() {
        let planted = planted();
        for before in [(4 << 20) - 5, OVERLAP + (4 << 20) - 5, OVERLAP + (8 << 20) - 9] {
            let mut haystack = vec![b'x'; before];
            haystack.extend_from_slice(b"0123456789");
            assert_eq!(verdict(&planted, &haystack).canaries, 1, "{before}");
        }
    }

    #[test]
    fn a_gzip_member_is_opened_even_if_its_end_is_missing() {
        let planted = planted();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(b"code 0123456789, and more").unwrap();
        let member = encoder.finish().unwrap();
        let mut haystack = b"noise\x1F\x8B\x08".to_vec();
        haystack.extend_from_slice(&member[..member.len() - 8]);
        let detector = Detector::new(&planted, &[]).unwrap();
        let mut hits = Hits::default();
        detector.search(&haystack, &mut hits);
        assert!(hits.has(0, Encoding::Gzip) && !hits.has(0, Encoding::Raw));
    }

    #[test]
    fn a_search_that_misses_its_marker_is_an_error() {
        let detector = Detector::new(&planted(), &["adyton/"]).unwrap();
        let mut hits = Hits::default();
        detector.search(b"something else", &mut hits);
        let error = detector.verdict(&hits).err().unwrap().to_string();
        assert!(error.contains("did not even find \"adyton/\""), "{error}");
        detector.search(b"adyton/", &mut hits);
        assert!(detector.verdict(&hits).is_ok());
    }
}
