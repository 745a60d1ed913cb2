//! The beginnings of numbers that tell sets of numbers apart.
//!
//! Each set is an automaton over digits. A walk over the tree of all beginnings asks which sets still have a number that
//! begins so. Where the answer decides, the walk ends; ten branches with one answer become their trunk. A branch that no
//! set has a number in agrees with any other.

use std::collections::BTreeSet;

use regex_automata::dfa::{Automaton, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::util::syntax;
use regex_automata::{Anchored, MatchKind};

use crate::Error;

/// Longest national number in the metadata.
const MOST_DIGITS: usize = 17;

/// What is decided about a beginning.
#[derive(Clone, Copy, PartialEq)]
enum Found {
    /// No set has a number that begins so.
    Nothing,
    /// It belongs to this set, or to none.
    Set(Option<usize>),
}

/// An automaton that matches exactly the numbers that one of the patterns matches as a whole.
pub(super) fn anchored(patterns: &[String]) -> Result<dense::DFA<Vec<u32>>, Error> {
    // `[a&&b]` is the empty set: no pattern, no number.
    let union = if patterns.is_empty() { "[0&&1]".to_owned() } else { patterns.join("|") };
    let config = dense::Config::new()
        .minimize(true)
        .match_kind(MatchKind::All)
        .start_kind(regex_automata::dfa::StartKind::Anchored);
    let syntax = syntax::Config::new().ignore_whitespace(true).unicode(false).utf8(false);
    let built = dense::Builder::new().configure(config).syntax(syntax).build(&format!("(?:{union})$"));
    Ok(built.map_err(Box::new)?)
}

/// How long the numbers of a set are, by the digit they begin with: bit n for n digits.
pub(super) fn lengths(set: &dense::DFA<Vec<u32>>) -> Result<[u32; 10], Error> {
    let (start, mut by_first) = (start(set)?, [0; 10]);
    for (digit, lengths) in (b'0'..=b'9').zip(&mut by_first) {
        let mut states = BTreeSet::from([set.next_state(start, digit)]);
        for length in 1..=MOST_DIGITS {
            if states.iter().any(|state| set.is_match_state(set.next_eoi_state(*state))) {
                *lengths |= 1 << length;
            }
            let next = states.iter().flat_map(|state| (b'0'..=b'9').map(|digit| set.next_state(*state, digit)));
            states = next.filter(|state| !set.is_dead_state(*state)).collect();
        }
    }
    Ok(by_first)
}

fn start(set: &dense::DFA<Vec<u32>>) -> Result<StateID, Error> {
    Ok(set.start_state(&start::Config::new().anchored(Anchored::Yes))?)
}

/// The beginnings of at most `digits` digits and the set that each decides for. `decide` chooses among the sets that a
/// beginning of that length leaves open, none or one; a shorter beginning must leave one open.
pub(super) fn prefixes(
    sets: &[dense::DFA<Vec<u32>>],
    digits: usize,
    decide: impl Fn(&[usize]) -> Option<usize>,
) -> Result<Vec<(String, usize)>, Error> {
    let states: Result<Vec<StateID>, _> = sets.iter().map(start).collect();
    let mut walk = Walk { sets, digits, decide, out: Vec::new() };
    let root = walk.visit(&states?, &mut String::new());
    if let Found::Set(Some(at)) = root {
        walk.out.push((String::new(), at));
    }
    walk.out.sort();
    Ok(walk.out)
}

struct Walk<'a, F> {
    sets: &'a [dense::DFA<Vec<u32>>],
    digits: usize,
    decide: F,
    out: Vec<(String, usize)>,
}

impl<F: Fn(&[usize]) -> Option<usize>> Walk<'_, F> {
    /// What is decided about `prefix`; if its branches differ, they are in `out` and this is `Set(None)`.
    fn visit(&mut self, states: &[StateID], prefix: &mut String) -> Found {
        let alive: Vec<usize> = (0..self.sets.len()).filter(|at| !self.sets[*at].is_dead_state(states[*at])).collect();
        match &alive[..] {
            [] => return Found::Nothing,
            [only] => return Found::Set((self.decide)(&[*only])),
            open if prefix.len() == self.digits => return Found::Set((self.decide)(open)),
            _ => {}
        }
        let mut branches = Vec::new();
        for digit in '0'..='9' {
            let next: Vec<StateID> =
                self.sets.iter().zip(states).map(|(set, state)| set.next_state(*state, digit as u8)).collect();
            let before = self.out.len();
            prefix.push(digit);
            let found = self.visit(&next, prefix);
            let split = self.out.len() > before;
            branches.push((prefix.clone(), found, split));
            prefix.pop();
        }
        let mut answers = branches.iter().filter(|(_, found, _)| *found != Found::Nothing);
        let first = answers.next().map_or(Found::Nothing, |(_, found, _)| *found);
        let same = answers.all(|(_, found, _)| *found == first) && branches.iter().all(|(_, _, split)| !split);
        if same {
            return first;
        }
        for (branch, found, _) in branches {
            if let Found::Set(Some(at)) = found {
                self.out.push((branch, at));
            }
        }
        Found::Set(None)
    }
}
