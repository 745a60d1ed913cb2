//! The vault's parser, with the committed table in it, against the library that the table was made from. The library
//! reads many spellings of a number; it is asked only about those that it writes back as they came.

#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use adyton_destination::{Destination, DestinationError};
use phonenumber::{Mode, PhoneNumber, parse};

use super::*;

/// Numbers drawn from each example.
const DRAWN: u64 = 60;

fn countries() -> Vec<(u16, Vec<&'static Region>)> {
    let codes = (1..=999).filter_map(|code| Some((code, DATABASE.region(&code)?)));
    let countries = codes.filter(|(_, ids)| ids.iter().all(|id| *id != WORLD));
    countries.map(|(code, ids)| (code, regions(&DATABASE, &ids).unwrap())).collect()
}

/// Fixed, so that a failure comes again (Knuth's constants).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// The example with its last digits drawn anew, ever more of them.
fn drawn(example: &str, state: &mut u64) -> String {
    let kept = example.len() - usize::try_from(next(state)).unwrap() % (example.len() - 1);
    let mut text = example[..kept].to_owned();
    while text.len() < example.len() {
        text += &(next(state) % 10).to_string();
    }
    text
}

/// What the library makes of a number in its one form.
fn read(text: &str) -> Option<PhoneNumber> {
    parse(None, text).ok().filter(|number| number.format().mode(Mode::E164).to_string() == text)
}

#[test]
fn lengths_are_those_of_the_kinds_of_numbers() {
    let (mut taken, mut refused) = (0, 0);
    for (code, regions) in countries() {
        let numbers = [&PREMIUM[..], &OTHERS[..]].concat();
        let possible = |length: u16| {
            // The library asks the first, which answers for the code.
            kinds(regions[0], &numbers).any(|kind| kind.possible_length().contains(&length))
        };
        for (first, length) in ('0'..='9').flat_map(|first| (1..=17u16).map(move |length| (first, length))) {
            let text = format!("+{code}{first}{}", "2".repeat(usize::from(length) - 1));
            let found = Destination::phone(&text).map(|number| number.country().unwrap().calling_code);
            // Deliberate: 7 to 15 digits in all. The library knows shorter ones, and longer ones than E.164 has.
            let expected: &[Result<u16, DestinationError>] = match text.len() - 1 {
                7..=15 if possible(length) => &[Ok(code), Err(DestinationError::NationalBeginning)],
                7..=15 => &[Err(DestinationError::NationalLength), Err(DestinationError::NationalBeginning)],
                _ => &[Err(DestinationError::NotE164)],
            };
            assert!(expected.contains(&found), "{text}: {found:?}");
            *(if found.is_ok() { &mut taken } else { &mut refused }) += 1;
        }
    }
    assert!(taken > 2_000 && refused > 2_000, "{taken} {refused}");
}

/// What people put before a number: the country's own prefix, others' ones, carriers' codes.
fn dialled(region: &Region) -> Vec<&str> {
    let own = region.national_prefix().into_iter();
    own.chain(["0", "00", "01", "06", "1", "8", "80", "810", "9", "015", "011", "17951", "1801", "15"]).collect()
}

#[test]
fn what_is_taken_is_the_form_in_which_the_library_writes_it() {
    let (mut state, mut taken, mut refused) = (2, 0, 0);
    for (code, regions) in countries() {
        let patterns: Vec<String> = regions.iter().flat_map(|region| patterns(region, &all())).collect();
        let patterns = patterns.iter().map(|pattern| format!("(?:{pattern})")).collect::<Vec<_>>().join("|");
        let numbers = regex_automata::meta::Regex::builder()
            .syntax(regex_automata::util::syntax::Config::new().ignore_whitespace(true))
            .build(&format!("^(?:{patterns})$"))
            .unwrap();
        for region in &regions {
            let examples: Vec<&str> = kinds(region, &all()).filter_map(Descriptor::example).collect();
            for prefix in dialled(region) {
                for example in examples.iter().flat_map(|example| [*example; 8]) {
                    let national = format!("{prefix}{}", drawn(example, &mut state));
                    let text = format!("+{code}{national}");
                    if Destination::phone(&text).is_err() {
                        refused += 1;
                        continue;
                    }
                    taken += 1;
                    // A number that the metadata has is no spelling of another, though the crate takes off a digit that
                    // looks like a prefix.
                    let written = parse(None, &text).map(|number| number.format().mode(Mode::E164).to_string());
                    assert!(numbers.is_match(&national) || written.is_ok_and(|written| written == text), "{text}");
                }
            }
        }
    }
    assert!(taken > 2_000 && refused > 20_000, "{taken} {refused}");
}

/// One number of each country that uses a prefix, with the prefix.
#[test]
fn the_prefix_of_a_country_is_refused() {
    let mut compared = 0;
    for (code, regions) in countries() {
        for region in &regions {
            let Some(prefix) = region.national_prefix() else { continue };
            let mobile = region.descriptors().get(Type::Mobile).and_then(Descriptor::example);
            let Some(example) = mobile else { continue };
            let found = Destination::phone(&format!("+{code}{prefix}{example}")).err();
            let expected = [
                Some(DestinationError::NationalBeginning),
                Some(DestinationError::NationalLength),
                Some(DestinationError::NotE164),
            ];
            assert!(expected.contains(&found), "+{code}{prefix}{example}: {found:?}");
            compared += 1;
        }
    }
    assert!(compared > 130, "{compared}");
}

#[test]
fn codes_of_no_country_are_refused() {
    let known: Vec<String> = countries().iter().map(|(code, _)| code.to_string()).collect();
    for code in 100..=999u16 {
        let text = format!("+{code}12345678");
        let expected = !known.iter().any(|known| text[1..].starts_with(known));
        let refused = Destination::phone(&text).err() == Some(DestinationError::CallingCode);
        assert_eq!(refused, expected, "{text}");
        // Deliberate: those of the world, which the library knows.
        assert!(!expected || DATABASE.region(&code).is_none_or(|ids| ids == [WORLD]), "{text}");
    }
}

#[test]
fn regions_and_kinds_are_the_librarys() {
    let (mut state, mut compared, mut premium, mut silent) = (1, 0u32, 0u32, Vec::new());
    for (code, regions) in countries() {
        for region in &regions {
            let mut of_region = 0;
            for example in kinds(region, &all()).filter_map(Descriptor::example) {
                for _ in 0..DRAWN {
                    let text = format!("+{code}{}", drawn(example, &mut state));
                    let (Ok(ours), Some(theirs)) = (Destination::phone(&text), read(&text)) else { continue };
                    // The library says nothing of numbers that no pattern matches.
                    let Some(expected) = theirs.metadata(&DATABASE).filter(|_| theirs.is_valid()) else { continue };
                    assert_eq!(ours.country().unwrap().region, expected.id(), "{text}");
                    let kind = theirs.number_type(&DATABASE);
                    // It drops a zero that a national number begins with before it looks for the kind.
                    let kept = theirs.national().zeros() == 0;
                    assert!(!ours.is_premium_rate() || !kept || PREMIUM.contains(&kind), "{text}: {kind:?}");
                    premium += u32::from(ours.is_premium_rate());
                    of_region += u32::from(expected.id() == region.id());
                }
            }
            if of_region == 0 {
                silent.push(region.id());
            }
            compared += of_region;
        }
    }
    // The crate drops the zero that numbers of the Vatican begin with; the metadata gives every number of +212 to Morocco.
    assert_eq!(silent, ["VA", "EH"]);
    assert_eq!(Destination::phone("+390669812345").unwrap().country().unwrap().region, "VA");
    assert!(compared > 20_000 && premium > 500, "{compared} {premium}");
}

fn dialled_by_people(kind: &Descriptor, region: &Region) -> bool {
    kinds(region, &OF_PEOPLE).any(|of_people| std::ptr::eq(kind, of_people))
}

#[test]
fn examples_belong_to_their_region() {
    for (code, regions) in countries() {
        for region in regions.iter().filter(|region| regions.len() == 1 || region.leading_digits().is_some()) {
            for kind in kinds(region, &all()) {
                // A toll-free number may belong to all regions of a code.
                let own = |digits: &str| {
                    region.leading_digits().is_none_or(|own| own.find(digits).is_some_and(|at| at.start() == 0))
                };
                let Some(example) = kind.example().filter(|example| own(example)) else { continue };
                let number = Destination::phone(&format!("+{code}{example}"));
                let found = number.map(|number| number.country().unwrap().region);
                // The library knows short numbers, Argentina's without the 9 of mobile ones, and zeros before freephone ones.
                let other = region.id() == "AR" || (example.starts_with('0') && !dialled_by_people(kind, region));
                let other = other && found == Err(DestinationError::NationalBeginning);
                assert!(
                    found == Ok(region.id()) || found == Err(DestinationError::NotE164) || other,
                    "+{code}{example}: {found:?}"
                );
            }
        }
    }
}

#[test]
fn numbers_for_fiction_are_numbers() {
    for text in ["+12025550100", "+12025550199", "+15550100123", "+447700900123", "+442079460123"] {
        assert!(Destination::phone(text).is_ok(), "{text}");
    }
}
