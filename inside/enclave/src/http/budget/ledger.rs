//! Who holds how many bytes, and whose body makes room. Pure: it waits for nothing and frees nothing.
//!
//! 1. three pools: accounts, signed requests, strangers. Nobody takes anything from another pool;
//! 2. in the accounts' pool the dynamic threshold of Choudhury and Hahne, twice: an account may hold as many bytes as stay free in
//!    the pool, and a user of it as many as the account may still take. The other two pools are taken as long as there is
//!    something free;
//! 3. if bytes do not fit, a body that is not complete makes room ([`Ledger::victim`]). Larger holders go first: the account that
//!    holds most, in it the user that holds most, of this one the oldest body. Without a larger holder it is the taker's own oldest.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::OverShare;
use super::upload::Pieces;

/// Whose requests are counted together first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum PoolName {
    Accounts,
    Signed,
    Strangers,
}

type AccountName = [u8; 16];
/// Whether it is a key, and its SID.
pub(super) type UserName = (bool, [u8; 16]);

/// A user's share of an account's share of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Share {
    pub(super) pool: PoolName,
    pub(super) account: AccountName,
    pub(super) user: UserName,
}

/// A body that was taken out of the ledger. Its bytes are counted until they are given back.
pub(super) struct Victim {
    pub(super) share: Share,
    pub(super) bytes: usize,
    pub(super) pieces: Arc<Pieces>,
}

/// All pools.
pub(super) struct Ledger {
    accounts: Pool,
    signed: Pool,
    strangers: Pool,
    /// Number of the next body.
    next: u64,
}

struct Pool {
    /// Whether it is divided among accounts and users.
    divided: bool,
    free: usize,
    /// Those that hold something.
    accounts: HashMap<AccountName, Account>,
    /// Accounts with bodies that are not complete, by what they hold.
    ranks: BTreeSet<(usize, AccountName)>,
}

#[derive(Default)]
struct Account {
    held: usize,
    /// Bodies that are not complete, of all users.
    uploads: usize,
    /// Those that hold something.
    users: HashMap<UserName, User>,
}

#[derive(Default)]
struct User {
    held: usize,
    /// Bodies that are not complete, by their numbers, which rise with time.
    uploads: BTreeMap<u64, (usize, Arc<Pieces>)>,
}

impl Pool {
    fn new(divided: bool, bytes: usize) -> Self {
        Self { divided, free: bytes, accounts: HashMap::new(), ranks: BTreeSet::new() }
    }

    /// Bytes of an account and of one of its users.
    fn held(&self, share: &Share) -> (usize, usize) {
        let account = self.accounts.get(&share.account);
        let user = account.and_then(|account| account.users.get(&share.user));
        (account.map_or(0, |account| account.held), user.map_or(0, |user| user.held))
    }

    /// 2.
    fn fits(&self, share: &Share, bytes: usize) -> bool {
        if !self.divided || bytes == 0 {
            return bytes <= self.free;
        }
        let (account, user) = self.held(share);
        // What the account may still take: then it holds as much as is free.
        let left = self.free.saturating_sub(account) / 2;
        left.checked_sub(bytes).is_some_and(|left| user.saturating_add(bytes) <= left)
    }

    /// Changes what an account holds, and keeps its rank.
    fn change<T>(&mut self, share: &Share, change: impl FnOnce(&mut Account, &UserName) -> T) -> T {
        let account = self.accounts.entry(share.account).or_default();
        self.ranks.remove(&(account.held, share.account));
        let changed = change(account, &share.user);
        if account.uploads > 0 {
            self.ranks.insert((account.held, share.account));
        }
        if account.held == 0 {
            self.accounts.remove(&share.account);
        }
        changed
    }

    fn add(&mut self, share: &Share, bytes: usize) {
        self.free = self.free.saturating_sub(bytes);
        self.change(share, |account, user| {
            account.held += bytes;
            if bytes > 0 {
                account.users.entry(*user).or_default().held += bytes;
            }
        });
    }

    fn give_back(&mut self, share: &Share, bytes: usize) {
        self.free += bytes;
        self.change(share, |account, name| {
            account.held = account.held.saturating_sub(bytes);
            if let Some(user) = account.users.get_mut(name) {
                user.held = user.held.saturating_sub(bytes);
                if user.held == 0 {
                    account.users.remove(name);
                }
            }
        });
    }

    /// 3. The share whose oldest body makes room.
    fn candidate(&self, taker: &Share) -> Option<Share> {
        let (own_account, own_user) = self.held(taker);
        let (held, name) = self.ranks.last()?;
        let is_own = *held <= own_account;
        let name = if is_own { taker.account } else { *name };
        let users = self.accounts.get(&name)?.users.iter().filter(|(_, user)| !user.uploads.is_empty());
        let (largest, user) = users.max_by_key(|(name, user)| (user.held, **name))?;
        let share = |user| Share { pool: taker.pool, account: name, user };
        if !is_own || user.held > own_user {
            return Some(share(*largest));
        }
        let own = self.accounts.get(&name)?.users.get(&taker.user)?;
        (!own.uploads.is_empty()).then(|| share(taker.user))
    }
}

impl Ledger {
    /// `bytes` in all: two thirds for accounts, a sixth each for signed requests and strangers.
    pub(super) fn new(bytes: usize) -> Self {
        let sixth = bytes / 6;
        let (accounts, signed) = (Pool::new(true, bytes - 2 * sixth), Pool::new(false, sixth));
        Self { accounts, signed, strangers: Pool::new(false, sixth), next: 0 }
    }

    fn pool(&self, share: &Share) -> &Pool {
        match share.pool {
            PoolName::Accounts => &self.accounts,
            PoolName::Signed => &self.signed,
            PoolName::Strangers => &self.strangers,
        }
    }

    fn pool_mut(&mut self, share: &Share) -> &mut Pool {
        match share.pool {
            PoolName::Accounts => &mut self.accounts,
            PoolName::Signed => &mut self.signed,
            PoolName::Strangers => &mut self.strangers,
        }
    }

    /// Takes bytes that fit.
    pub(super) fn take(&mut self, share: &Share, bytes: usize) -> Result<(), OverShare> {
        let pool = self.pool_mut(share);
        if !pool.fits(share, bytes) {
            return Err(OverShare);
        }
        pool.add(share, bytes);
        Ok(())
    }

    /// Counts bytes that are there already, whatever the share.
    pub(super) fn count(&mut self, share: &Share, bytes: usize) {
        self.pool_mut(share).add(share, bytes);
    }

    /// Whether these bytes fit, or a body could make room.
    pub(super) fn has_room(&self, share: &Share, bytes: usize) -> bool {
        let pool = self.pool(share);
        pool.fits(share, bytes) || pool.candidate(share).is_some()
    }

    pub(super) fn give_back(&mut self, share: &Share, bytes: usize) {
        self.pool_mut(share).give_back(share, bytes);
    }

    /// Takes the first bytes of a body, which gets a number.
    pub(super) fn begin(&mut self, share: &Share, bytes: usize, pieces: &Arc<Pieces>) -> Result<u64, OverShare> {
        self.take(share, bytes)?;
        let number = self.next;
        self.next += 1;
        self.pool_mut(share).change(share, |account, user| {
            account.uploads += 1;
            let user = account.users.entry(*user).or_default();
            user.uploads.insert(number, (bytes, Arc::clone(pieces)));
        });
        Ok(number)
    }

    /// Whether a body is not complete and has not made room.
    pub(super) fn arrives(&self, share: &Share, number: u64) -> bool {
        let user = self.pool(share).accounts.get(&share.account).and_then(|account| account.users.get(&share.user));
        user.is_some_and(|user| user.uploads.contains_key(&number))
    }

    /// Takes further bytes of a body.
    pub(super) fn grow(&mut self, share: &Share, number: u64, bytes: usize) -> Result<(), OverShare> {
        self.take(share, bytes)?;
        self.pool_mut(share).change(share, |account, user| {
            let user = account.users.entry(*user).or_default();
            if let Some((held, _)) = user.uploads.get_mut(&number) {
                *held += bytes;
            }
        });
        Ok(())
    }

    /// A body is complete, or its sender is gone: what it holds; `None` if it has made room.
    pub(super) fn end(&mut self, share: &Share, number: u64) -> Option<(usize, Arc<Pieces>)> {
        self.pool_mut(share).change(share, |account, user| {
            let ended = account.users.get_mut(user)?.uploads.remove(&number);
            account.uploads -= usize::from(ended.is_some());
            ended
        })
    }

    /// 3. Takes the body that makes room for `taker` out.
    pub(super) fn victim(&mut self, taker: &Share) -> Option<Victim> {
        let share = self.pool(taker).candidate(taker)?;
        let account = self.pool(&share).accounts.get(&share.account)?;
        let (number, _) = account.users.get(&share.user)?.uploads.first_key_value()?;
        let number = *number;
        let (bytes, pieces) = self.end(&share, number)?;
        Some(Victim { share, bytes, pieces })
    }

    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.accounts.free + self.signed.free + self.strangers.free
    }
}

#[cfg(test)]
#[path = "ledger/tests.rs"]
mod tests;
