//! Fresh randomness of one command.

use adyton_seal::{HmacKey, Secret};
use zeroize::Zeroizing;

use crate::Id;

/// Randomness for one command: `HMAC-SHA-256(seed, u32 n)` for its n-th draw, so that no command
/// can run out of it and no two draws share a byte, whichever workflows take part.
pub struct Fresh {
    seed: Secret<32>,
    draws: u32,
}

impl Fresh {
    /// Takes 32 random bytes over.
    pub fn new(seed: Secret<32>) -> Self {
        Self { seed, draws: 0 }
    }

    /// A new id.
    pub fn id<K>(&mut self) -> Id<K> {
        let block = self.draw();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&block[..16]);
        Id::from_bytes(bytes)
    }

    /// A new secret key.
    pub fn secret(&mut self) -> Secret<32> {
        let block = self.draw();
        Secret::init_with(|out| out.copy_from_slice(&*block))
    }

    fn draw(&mut self) -> Zeroizing<[u8; 32]> {
        let block = Zeroizing::new(HmacKey::new(&self.seed).tag(&[&self.draws.to_be_bytes()]));
        self.draws = self.draws.wrapping_add(1);
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_differ() {
        let fresh = |byte: u8| Fresh::new(Secret::init_with(|bytes| bytes.fill(byte)));
        let (mut one, mut again, mut other) = (fresh(1), fresh(1), fresh(2));
        let first = *one.id::<()>().as_bytes();
        assert_eq!(first, *again.id::<()>().as_bytes());
        assert_ne!(first, *other.id::<()>().as_bytes());
        assert_ne!(first, *one.id::<()>().as_bytes());
        assert_ne!(first, one.secret().expose()[..16]);
    }
}
