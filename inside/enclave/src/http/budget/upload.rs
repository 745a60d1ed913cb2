//! A body that is arriving: charged in steps, as its bytes come.
//!
//! 1. nothing is taken before the first byte; then [`STEP`] bytes at a time, or less if less was
//!    announced;
//! 2. until it is complete it may have to make room for another request ([`super::ledger`]). The
//!    request that needs the room frees its pieces at once, and [`Upload::ended`] tells its reader;
//! 3. a complete body is one buffer with one charge, and makes room for nobody.
//!
//! Pieces are zeroized when they are freed, and never grow: a body may hold a code. Limit: while
//! pieces are joined, a thread holds them twice.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use tokio::sync::Notify;
use zeroize::Zeroizing;

use super::ledger::Share;
use super::{Budget, Payer, Reservation};

/// Bytes that are taken at once.
pub(crate) const STEP: usize = 4096;

/// Why a body's bytes were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UploadError {
    /// The payer's share is used up.
    OverShare,
    /// The body has made room for another one.
    MadeRoom,
}

type Piece = Zeroizing<Vec<u8>>;

/// The received part of a body; `None` once it was given up.
pub(super) struct Pieces {
    pieces: Mutex<Option<Vec<Piece>>>,
    ended: Notify,
}

impl Default for Pieces {
    fn default() -> Self {
        Self { pieces: Mutex::new(Some(Vec::new())), ended: Notify::new() }
    }
}

impl Pieces {
    fn with<T>(&self, change: impl FnOnce(&mut Option<Vec<Piece>>) -> T) -> T {
        change(&mut self.pieces.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// 2. Frees them for another body.
    pub(super) fn make_room(&self) {
        drop(self.with(Option::take));
        self.ended.notify_one();
    }
}

/// A body that is arriving; dropping it gives its bytes back.
pub(crate) struct Upload {
    budget: Budget,
    share: Share,
    /// Its number, once it holds something.
    number: Option<u64>,
    pieces: Arc<Pieces>,
    length: usize,
}

impl Upload {
    /// A body of which nothing has arrived.
    pub(crate) fn new(budget: &Budget, payer: Payer) -> Self {
        Self { budget: budget.clone(), share: payer.share(), number: None, pieces: Arc::default(), length: 0 }
    }

    /// Returns once the body has made room.
    pub(crate) async fn ended(&self) {
        self.pieces.ended.notified().await;
    }

    /// 1. Takes what has arrived; `announced` is the whole length, if it is known.
    pub(crate) fn push(&mut self, mut data: &[u8], announced: Option<usize>) -> Result<(), UploadError> {
        while !data.is_empty() {
            let space = self.pieces.with(|pieces| {
                let last = pieces.as_ref().map(|pieces| pieces.last());
                last.map(|last| last.map_or(0, |piece| piece.capacity() - piece.len()))
            });
            let space = match space.ok_or(UploadError::MadeRoom)? {
                0 => self.step(announced)?,
                space => space,
            };
            let (now, later) = data.split_at(space.min(data.len()));
            let last = |pieces: &mut Option<Vec<Piece>>| {
                pieces.as_mut()?.last_mut()?.extend_from_slice(now);
                Some(())
            };
            self.pieces.with(last).ok_or(UploadError::MadeRoom)?;
            self.length += now.len();
            data = later;
        }
        Ok(())
    }

    /// One more piece; its size.
    fn step(&mut self, announced: Option<usize>) -> Result<usize, UploadError> {
        let left = announced.map_or(STEP, |announced| announced.saturating_sub(self.length));
        let size = if left == 0 { STEP } else { left.min(STEP) };
        self.number = Some(self.budget.upload(&self.share, self.number, size, &self.pieces)?);
        let piece = Zeroizing::new(Vec::with_capacity(size));
        let pushed = self.pieces.with(|pieces| pieces.as_mut().map(|pieces| pieces.push(piece)));
        pushed.map(|()| size).ok_or(UploadError::MadeRoom)
    }

    /// 3. All has arrived.
    pub(crate) fn complete(mut self) -> Result<Bytes, UploadError> {
        let Some(number) = self.number.take() else { return Ok(Bytes::new()) };
        let (bytes, pieces) = self.budget.ledger().end(&self.share, number).ok_or(UploadError::MadeRoom)?;
        let charge = Reservation { budget: self.budget.clone(), share: self.share, bytes };
        let mut pieces = pieces.with(Option::take).unwrap_or_default();
        match pieces.pop() {
            Some(only) if pieces.is_empty() && only.len() == only.capacity() => Ok(charge.hold(only)),
            last => {
                let mut whole = Zeroizing::new(Vec::with_capacity(self.length));
                // Each is freed as soon as it was copied.
                pieces.into_iter().chain(last).for_each(|piece| whole.extend_from_slice(&piece));
                Ok(charge.hold(whole))
            }
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let ended = self.budget.ledger().end(&self.share, number);
        if let Some((bytes, pieces)) = ended {
            drop(pieces.with(Option::take));
            self.budget.ledger().give_back(&self.share, bytes);
        }
    }
}
