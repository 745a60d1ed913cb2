//! Making new inputs out of old ones, from a seeded generator: the same seed makes the same inputs.

/// Longest input that is made.
pub const MAX_INPUT: usize = 64 * 1024;

/// SplitMix64 (Steele, Lea, Flood 2014): small, fast, and good enough to choose mutations.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// Begins at a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next word.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number below `end`; 0 for an `end` of 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.word() % (end.max(1) as u64)) as usize
    }

    /// One of these.
    pub fn choose<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }
}

/// Integers at which arithmetic and limits break.
const INTERESTING: [u64; 20] = [
    0,
    1,
    2,
    15,
    16,
    17,
    31,
    32,
    33,
    127,
    128,
    255,
    256,
    4096,
    65_535,
    65_536,
    1 << 20,
    1 << 31,
    u32::MAX as u64,
    u64::MAX,
];

/// Changes `input` by one to eight steps. `other` is a second seed to splice with.
pub fn mutate(rng: &mut Rng, input: &mut Vec<u8>, other: &[u8], dictionary: &[&[u8]]) {
    for _ in 0..1 << rng.below(4) {
        step(rng, input, other, dictionary);
    }
    input.truncate(MAX_INPUT);
}

fn step(rng: &mut Rng, input: &mut Vec<u8>, other: &[u8], dictionary: &[&[u8]]) {
    let length = input.len();
    match rng.below(14) {
        0 => {
            let bit = rng.below(8);
            let at = rng.below(length);
            input.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << bit);
        }
        1 => {
            let (at, byte) = (rng.below(length), rng.word() as u8);
            input.get_mut(at).into_iter().for_each(|old| *old = byte);
        }
        2 => {
            let range = range(rng, length);
            input.drain(range);
        }
        3 => {
            let copy = input[range(rng, length)].to_vec();
            insert(input, rng.below(length + 1), &copy);
        }
        4 => {
            let (count, byte) = (1 + rng.below(16), rng.word() as u8);
            let alike = rng.below(2) == 0;
            let bytes: Vec<u8> = (0..count).map(|_| if alike { byte } else { rng.word() as u8 }).collect();
            insert(input, rng.below(length + 1), &bytes);
        }
        5 => input.truncate(rng.below(length + 1)),
        6 => {
            // The head of one and the tail of the other.
            input.truncate(rng.below(length + 1));
            input.extend_from_slice(&other[rng.below(other.len() + 1)..]);
        }
        7 => {
            let piece = &other[range(rng, other.len())];
            insert(input, rng.below(length + 1), piece);
        }
        8 => {
            let word = rng.choose(dictionary).copied().unwrap_or_default();
            insert(input, rng.below(length + 1), word);
        }
        9 => {
            let word = rng.choose(dictionary).copied().unwrap_or_default();
            overwrite(input, rng.below(length), word);
        }
        10 => {
            let value = rng.choose(&INTERESTING).copied().unwrap_or_default().to_be_bytes();
            let width = 1 << rng.below(4);
            overwrite(input, rng.below(length), &value[8 - width..]);
        }
        11 => {
            let width = 1 << rng.below(4);
            let at = rng.below((length + 1).saturating_sub(width));
            let Some(field) = input.get_mut(at..at + width) else { return };
            let mut value = [0; 8];
            value[8 - width..].copy_from_slice(field);
            let change = (1 + rng.below(16)) as u64;
            let change = if rng.below(2) == 0 { change } else { change.wrapping_neg() };
            field.copy_from_slice(&u64::from_be_bytes(value).wrapping_add(change).to_be_bytes()[8 - width..]);
        }
        _ => resize_field(rng, input),
    }
}

/// Grows or shrinks what a `u32` length announces and corrects that length, and those around it if they still fit.
fn resize_field(rng: &mut Rng, input: &mut Vec<u8>) {
    let end = |input: &[u8], at: usize| {
        let length = u32::from_be_bytes(input.get(at..at + 4)?.try_into().ok()?);
        let end = at + 4 + usize::try_from(length).ok()?;
        (end <= input.len()).then_some(end)
    };
    let fields: Vec<(usize, usize)> = (0..input.len().min(4096)).filter_map(|at| Some((at, end(input, at)?))).collect();
    let Some((at, field_end)) = rng.choose(&fields).copied() else { return };
    let place = at + 4 + rng.below(field_end - at - 3);
    let (removed, added) =
        if rng.below(2) == 0 { (0, 1 + rng.below(8)) } else { (rng.below(field_end - place + 1), 0) };
    let around = rng.below(2) == 0;
    for (other, other_end) in &fields {
        let holds = *other + 4 <= place && place + removed <= *other_end && (*other == at || around);
        // Fields that overlap are not both lengths; the first one wins.
        if holds && end(input, *other) == Some(*other_end) {
            let length = other_end - other - 4 + added - removed;
            input[*other..other + 4].copy_from_slice(&(length as u32).to_be_bytes());
        }
    }
    let bytes: Vec<u8> = (0..added).map(|_| rng.word() as u8).collect();
    input.splice(place..place + removed, bytes);
}

fn range(rng: &mut Rng, length: usize) -> std::ops::Range<usize> {
    let start = rng.below(length + 1);
    // Short pieces more often than long ones.
    let most = if rng.below(4) == 0 { length - start } else { (length - start).min(16) };
    start..start + rng.below(most + 1)
}

fn insert(input: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    input.splice(at..at, bytes.iter().copied());
}

fn overwrite(input: &mut [u8], at: usize, bytes: &[u8]) {
    input.iter_mut().skip(at).zip(bytes).for_each(|(old, new)| *old = *new);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_inputs() {
        let make = |seed: u64| {
            let mut rng = Rng::new(seed);
            let made = |_| {
                let mut input = b"\0\0\0\x05hello".to_vec();
                mutate(&mut rng, &mut input, b"other", &[b"word"]);
                input
            };
            (0..200).map(made).collect::<Vec<_>>()
        };
        assert_eq!(make(1), make(1));
        assert_ne!(make(1), make(2));
    }

    #[test]
    fn anything_can_be_mutated_and_nothing_grows_beyond_the_limit() {
        let mut rng = Rng::new(3);
        let mut input = Vec::new();
        for _ in 0..20_000 {
            mutate(&mut rng, &mut input, b"", &[]);
            assert!(input.len() <= MAX_INPUT);
        }
        let mut full = vec![1; MAX_INPUT];
        for _ in 0..200 {
            mutate(&mut rng, &mut full, &[2; MAX_INPUT], &[b"word"]);
            assert!(full.len() <= MAX_INPUT);
        }
    }

    #[test]
    fn a_resized_field_keeps_its_length_and_those_around_it_true() {
        let nested = b"\0\0\0\x09\0\0\0\x05hello".to_vec();
        let mut both = 0;
        for seed in 0..2000 {
            let mut input = nested.clone();
            resize_field(&mut Rng::new(seed), &mut input);
            let field = |at: usize| {
                let length = input.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)?;
                usize::try_from(length).ok()
            };
            let outer = field(0) == input.len().checked_sub(4);
            let inner = field(4) == input.len().checked_sub(8);
            both += u32::from(input != nested && outer && inner);
        }
        // One field in two is resized with all around it; the rest is wrong on purpose.
        assert!(both > 400, "{both}");
    }
}
