//! How far a letter has come, shared by its journey, the carrier that has it, and what may end the journey.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// Stands for no route; a policy has far fewer.
const NO_ROUTE: u8 = 255;

pub(super) struct Progress {
    /// The hand-over under way may have left.
    left: AtomicBool,
    /// Nothing more is to be handed over.
    over: AtomicBool,
    /// The route of the last hand-over.
    route: AtomicU8,
}

impl Default for Progress {
    fn default() -> Self {
        Self { left: AtomicBool::new(false), over: AtomicBool::new(false), route: AtomicU8::new(NO_ROUTE) }
    }
}

impl Progress {
    /// A hand-over to the carrier of a route begins.
    pub(super) fn begin(&self, route: u8) {
        self.route.store(route, Ordering::Relaxed);
        self.left.store(false, Ordering::Relaxed);
    }

    /// The carrier's client is about to hand over the last byte of the letter, or has just done so: from now on the carrier
    /// may have it. Called within the poll that hands it over, so that nothing can intervene.
    pub(super) fn leaves(&self) {
        self.left.store(true, Ordering::Relaxed);
    }

    /// The hand-over ended, one way or another.
    pub(super) fn done(&self) {
        self.left.store(false, Ordering::Relaxed);
    }

    /// Whether the hand-over under way may have left.
    pub(super) fn has_left(&self) -> bool {
        self.left.load(Ordering::Relaxed)
    }

    /// The route at which a hand-over is under way that may have left.
    pub(super) fn left_at(&self) -> Option<u8> {
        Some(self.route.load(Ordering::Relaxed)).filter(|route| self.has_left() && *route != NO_ROUTE)
    }

    /// Nothing more is to be handed over.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}
