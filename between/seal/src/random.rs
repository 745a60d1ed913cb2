//! Randomness: the operating system's through the library's generator, and the platform's mixed in at boot.

use aws_lc_rs::hkdf;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};

use crate::{Opaque, Secret};

/// Fills `out` from the library's generator, which is seeded by the kernel.
///
/// # Errors
/// [`Opaque`] if the kernel gives none.
pub fn fill_random(out: &mut [u8]) -> Result<(), Opaque> {
    SystemRandom::new().fill(out).map_err(|_| Opaque)
}

/// `N` public random bytes, for SIDs, boot ids and nonces.
///
/// # Errors
/// [`Opaque`] if the kernel gives none.
pub fn random<const N: usize>() -> Result<[u8; N], Opaque> {
    let mut out = [0; N];
    fill_random(&mut out)?;
    Ok(out)
}

/// 32 secret bytes that are unpredictable if *either* the kernel's or the platform's randomness is:
/// `HKDF-Expand(HKDF-Extract(salt = platform, IKM = kernel), "adyton entropy v1", 32)`.
///
/// # Errors
/// [`Opaque`] if the kernel gives none.
pub fn mix_random(platform: &[u8]) -> Result<Secret<32>, Opaque> {
    let mut kernel = zeroize::Zeroizing::new([0u8; 32]);
    fill_random(&mut kernel[..])?;
    let mixed = hkdf::Salt::new(hkdf::HKDF_SHA256, platform).extract(&kernel[..]);
    expand(&mixed, &[b"adyton entropy v1"])
}

/// `HKDF-Expand(PRK, info, 32)`.
pub(crate) fn expand(prk: &hkdf::Prk, info: &[&[u8]]) -> Result<Secret<32>, Opaque> {
    let okm = prk.expand(info, hkdf::HKDF_SHA256).map_err(|_| Opaque)?;
    let mut failed = false;
    let secret = Secret::init_with(|out| failed = okm.fill(out).is_err());
    if failed { Err(Opaque) } else { Ok(secret) }
}
