//! One-time codes: derived from a slot's key, never stored (DESIGN §8; `docs/spec/00-conventions.md`).

use alloc::boxed::Box;

use adyton_wire::length;
use aws_lc_rs::hmac;
use zeroize::{Zeroize, Zeroizing};

use crate::{HmacKey, Secret, same};

/// The longest code, in digits.
pub const MAX_CODE_DIGITS: u8 = 10;

/// K_slot: random, lives in the memory of one boot, erased with the last live code of its ten-minute slot.
pub struct SlotKey(Secret<32>);

impl SlotKey {
    /// Takes 32 fresh random bytes over.
    pub fn new(key: Secret<32>) -> Self {
        Self(key)
    }

    /// `code(K_slot, verification SID, service SID, digits)` by rejection sampling, so that every code is equally
    /// likely. `digits` outside 1 … 10 is clamped into that range.
    pub fn code(&self, verification_sid: &str, service_sid: &str, digits: u8) -> Code {
        let digits = digits.clamp(1, MAX_CODE_DIGITS);
        let key = HmacKey::new(&self.0);
        let mut counter = 0u32;
        loop {
            let mut context = hmac::Context::with_key(key.raw());
            for sid in [verification_sid, service_sid] {
                context.update(&length(sid.as_bytes()));
                context.update(sid.as_bytes());
            }
            context.update(&counter.to_be_bytes());
            let mut block = Zeroizing::new([0u8; 32]);
            block.copy_from_slice(context.sign().as_ref());
            if let Some(code) = Code::of_block(&block, digits) {
                return code;
            }
            counter = counter.wrapping_add(1);
        }
    }
}

/// A code of 1 … 10 ASCII digits; leading zeros count. Zeroized on drop, never printed.
pub struct Code {
    digits: Box<[u8; MAX_CODE_DIGITS as usize]>,
    len: u8,
}

impl Code {
    /// Parses exactly 1 … 10 ASCII digits; everything else (signs, blanks, other scripts' digits) is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let len = u8::try_from(text.len()).ok()?;
        if !(1..=MAX_CODE_DIGITS).contains(&len) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let mut digits = Box::new([0; MAX_CODE_DIGITS as usize]);
        digits[..text.len()].copy_from_slice(text.as_bytes());
        Some(Self { digits, len })
    }

    /// The code that a block of an HMAC gives, or `None` if all of its four words are rejected.
    fn of_block(block: &[u8; 32], digits: u8) -> Option<Self> {
        let modulus = 10u64.pow(u32::from(digits));
        // The largest multiple of the modulus that fits 2^64: words at or above it are rejected.
        let limit = (u128::from(u64::MAX) + 1) / u128::from(modulus) * u128::from(modulus);
        let (words, _) = block.as_chunks::<8>();
        let mut words = words.iter().map(|word| u64::from_be_bytes(*word));
        let accepted = words.find(|word| u128::from(*word) < limit)?;
        Some(Self::from_number(accepted % modulus, digits))
    }

    fn from_number(mut number: u64, len: u8) -> Self {
        let mut digits = Box::new([0; MAX_CODE_DIGITS as usize]);
        for place in digits[..usize::from(len)].iter_mut().rev() {
            *place = b'0' + (number % 10) as u8;
            number /= 10;
        }
        number.zeroize();
        Self { digits, len }
    }

    /// Whether both codes are the same, digits and length, in constant time: all ten places are always compared.
    pub fn same(&self, other: &Self) -> bool {
        // Unused places are zero bytes, which no digit is, so the lengths are compared along.
        same(&*self.digits, &*other.digits)
    }

    /// A second copy. Greppable, because `Clone` is not implemented.
    pub fn duplicate(&self) -> Self {
        Self { digits: self.digits.clone(), len: self.len }
    }

    /// The digits. Every caller of this is a place to review: only the message to the person may hold them.
    pub fn expose(&self) -> &str {
        core::str::from_utf8(&self.digits[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        self.digits.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader;

    /// No hash can be steered into rejection, so `vectors/keys.json` has blocks as they might come out of one.
    #[test]
    fn rejection() {
        let vectors = reader::read(include_str!("../../../vectors/keys.json"));
        let blocks = vectors.iter().filter(|v| v.what() == "code_block");
        let found = blocks.map(|v| {
            let code = Code::of_block(&v.fixed("block"), v.small("digits"));
            let expected = v.has("code").then(|| v.text("code"));
            assert_eq!(code.as_ref().map(Code::expose), expected, "{}", v.name());
        });
        assert_eq!(found.count(), 14);
    }
}
