//! What carriers may make of a text before a phone has it.
//!
//! Many replace what the alphabet of text messages lacks by what it has ("smart encoding"), so that a message is shorter: a
//! full-width letter, a small capital, `÷` or `﹫` leaves as a plain letter, as `/` or as `@`. What a name must not hold it must
//! not become either.
//!
//! The table is Unicode's: compatibility decompositions and characters' names. It holds all that the published tables of
//! carriers replace by letters, digits or `+/:.@`, and more.

pub(super) mod table;

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use table::{MARKS, MODIFIERS, SEVERAL, SINGLE, UNASSIGNED};

/// The characters of a text once each is replaced that may be; each with the bytes of the text that it stands for.
pub(super) fn folded(text: &str) -> Vec<(char, Range<usize>)> {
    let mut folded = Vec::with_capacity(text.len());
    for (at, char) in text.char_indices() {
        let from = at..at + char.len_utf8();
        match replacement(char) {
            None => folded.push((char, from)),
            Some(replacement) => folded.extend(replacement.chars().map(|char| (char, from.clone()))),
        }
    }
    folded
}

/// The same as a text.
pub(super) fn folded_text(text: &str) -> String {
    folded(text).into_iter().map(|(char, _)| char).collect()
}

fn replacement(char: char) -> Option<&'static str> {
    if let Ok(found) = SEVERAL.binary_search_by_key(&char, |(char, _)| *char) {
        return Some(SEVERAL[found].1);
    }
    let (first, row) = SINGLE[..SINGLE.partition_point(|(first, _)| *first <= char)].last()?;
    let at = usize::try_from(u32::from(char) - u32::from(*first)).ok()?;
    // A row is ASCII; a blank in it is a character that stays.
    row.get(at..=at).filter(|replacement| *replacement != " ")
}

/// Whether a character between digits makes them parts of words: a letter, but no modifier letter, mark or numeral.
pub(super) fn is_letter(char: char) -> bool {
    char.is_alphabetic() && !char.is_numeric() && !is_in(char, &MODIFIERS)
}

/// Whether the table does not know a character: a later version of Unicode may say that it is a letter in another form.
pub(super) fn is_unassigned(char: char) -> bool {
    is_in(char, &UNASSIGNED)
}

/// Whether a mark stands on an ASCII character, or on one that may become one: what leaves marks out makes that character of both.
pub(super) fn has_marked_ascii(text: &str) -> bool {
    let mut base = false;
    text.chars().any(|char| {
        let marked = base && is_in(char, &MARKS);
        base = char.is_ascii() || replacement(char).is_some();
        marked
    })
}

fn is_in(char: char, ranges: &[(char, char)]) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= char);
    ranges[..after].last().is_some_and(|(_, last)| char <= *last)
}

#[cfg(test)]
mod tests;
