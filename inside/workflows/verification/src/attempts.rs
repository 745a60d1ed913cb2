//! The attempts to send of one verification: nearly all have one, which stands inline.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::iter;

use crate::Attempt;

/// Attempts in order; never none.
#[derive(Clone)]
pub(crate) struct Attempts {
    first: Attempt,
    later: Option<Box<Later>>,
}

/// Behind one pointer, since nearly none has any.
#[derive(Clone, Default)]
struct Later(Vec<Attempt>);

impl From<Attempt> for Attempts {
    fn from(first: Attempt) -> Self {
        Self { first, later: None }
    }
}

impl Attempts {
    pub(crate) fn push(&mut self, next: Attempt) {
        self.later.get_or_insert_default().0.push(next);
    }

    pub(crate) fn len(&self) -> usize {
        self.later().len() + 1
    }

    pub(crate) fn first(&self) -> &Attempt {
        &self.first
    }

    fn later(&self) -> &[Attempt] {
        self.later.as_ref().map_or(&[], |later| &later.0)
    }

    pub(crate) fn last(&self) -> &Attempt {
        self.later().last().unwrap_or(&self.first)
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Attempt> {
        iter::once(&self.first).chain(self.later())
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Attempt> {
        iter::once(&mut self.first).chain(self.later.iter_mut().flat_map(|later| &mut later.0))
    }

    pub(crate) fn to_vec(&self) -> Vec<Attempt> {
        self.iter().copied().collect()
    }
}
