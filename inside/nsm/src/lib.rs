//! The Nitro Security Module's device, `/dev/nsm`.
//!
//! Why a crate of its own: an ioctl needs `unsafe`, and everything else inside forbids it. This is all of it, so that it
//! can be read in a minute.
//!
//! Scope: bytes to the device and bytes back. What they mean (CBOR, as `aws-nitro-enclaves-nsm-api` has it) is the
//! enclave's `platform`. Limits are the device's: a request of 4 KiB, an answer of 12 KiB.
//!
//! What it is not: a client that judges answers, or a device that could be played. What plays the NSM on a laptop is a
//! socket.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::path::Path;

use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

/// Where the kernel's driver is found.
pub const PATH: &str = "/dev/nsm";
/// The largest request that the device takes, in bytes.
pub const MAX_REQUEST: usize = 0x1000;
/// The largest answer that it gives, in bytes.
pub const MAX_ANSWER: usize = 0x3000;

/// `struct nsm_raw` of Linux's `include/uapi/linux/nsm.h`: two addresses and lengths of 64 bits,
/// which `IoSlice` and `IoSliceMut`, guaranteed to be `struct iovec` on Unix, are on a 64-bit target.
#[repr(C)]
struct Raw<'a> {
    request: IoSlice<'a>,
    response: IoSliceMut<'a>,
}

/// `NSM_IOCTL_RAW`: `_IOWR(0x0A, 0x0, struct nsm_raw)`.
const RAW: Opcode = opcode::read_write::<Raw<'_>>(0x0A, 0);

/// The device, open.
#[derive(Debug)]
pub struct Device(File);

impl Device {
    /// Opens the device.
    ///
    /// # Errors
    /// The system's; [`io::ErrorKind::NotFound`] where there is no NSM.
    pub fn open() -> io::Result<Self> {
        Self::open_at(Path::new(PATH))
    }

    fn open_at(path: &Path) -> io::Result<Self> {
        File::options().read(true).write(true).open(path).map(Self)
    }

    /// Gives a request to the device and waits for its answer, whose length is returned. It blocks, for a millisecond as a
    /// rule.
    ///
    /// # Errors
    /// The driver's; [`io::ErrorKind::InvalidInput`] for a request that is longer than [`MAX_REQUEST`].
    #[allow(unsafe_code, reason = "there is no safe ioctl")]
    pub fn process(&self, request: &[u8], answer: &mut [u8; MAX_ANSWER]) -> io::Result<usize> {
        if request.len() > MAX_REQUEST {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut raw = Raw { request: IoSlice::new(request), response: IoSliceMut::new(answer) };
        // SAFETY: `RAW` is the opcode of `NSM_IOCTL_RAW`, and `Raw` is the structure that it takes. The driver reads
        // `request`, writes at most `response.len()` bytes to `response`, and shortens that length to what it wrote; both
        // slices outlive the call, and nobody else holds the mutable one.
        unsafe { ioctl(&self.0, Updater::<RAW, Raw<'_>>::new(&mut raw)) }?;
        Ok(raw.response.len())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn the_opcode_is_the_kernels() {
        assert_eq!(RAW, 0xC020_0A00);
    }

    #[test]
    fn what_is_no_nsm_is_refused_by_the_kernel_and_too_long_a_request_before_it() {
        let device = Device::open_at(Path::new("/dev/null")).unwrap();
        let mut answer = [0; MAX_ANSWER];
        let refused = device.process(b"iGetRandom", &mut answer).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(25)); // ENOTTY
        let refused = device.process(&[0; MAX_REQUEST + 1], &mut answer).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(Device::open_at(Path::new("/dev/none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
