//! The attempts to send of one verification: nearly all have one, which stands inline.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::{iter, mem};

use crate::Attempt;

/// Attempts in order; never none.
#[derive(Clone)]
pub(crate) struct Attempts {
    first: Attempt,
    later: Box<[Attempt]>,
}

impl From<Attempt> for Attempts {
    fn from(first: Attempt) -> Self {
        Self { first, later: Box::default() }
    }
}

impl Attempts {
    pub(crate) fn push(&mut self, next: Attempt) {
        let mut later = mem::take(&mut self.later).into_vec();
        later.reserve_exact(1);
        later.push(next);
        self.later = later.into_boxed_slice();
    }

    pub(crate) fn len(&self) -> usize {
        self.later.len() + 1
    }

    pub(crate) fn last(&self) -> &Attempt {
        self.later.last().unwrap_or(&self.first)
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Attempt> {
        iter::once(&self.first).chain(&self.later)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Attempt> {
        iter::once(&mut self.first).chain(&mut self.later)
    }

    pub(crate) fn to_vec(&self) -> Vec<Attempt> {
        self.iter().copied().collect()
    }
}
