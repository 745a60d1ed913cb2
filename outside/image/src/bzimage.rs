//! What a kernel says of itself: its version, from the header of a bzImage (Linux's `Documentation/arch/x86/boot.rst`).

/// Longest version that is read.
const MAX_VERSION: usize = 64;

/// The kernel's version, such as `6.12.57`; `None` if these bytes are no bzImage that says one.
pub fn kernel_version(kernel: &[u8]) -> Option<String> {
    let at = |place: usize| Some(usize::from(*kernel.get(place)?));
    // `header`, then `kernel_version`: where the text stands, from the second sector on.
    if kernel.get(0x202..0x206)? != b"HdrS" {
        return None;
    }
    let start = (at(0x20E)? | at(0x20F)? << 8) + 0x200;
    let text = kernel.get(start..)?;
    let end = text.iter().take(MAX_VERSION).position(|byte| !byte.is_ascii_graphic())?;
    // The version ends at a space, and after it stands who compiled it.
    (end > 0 && matches!(text[end], b' ' | 0)).then(|| String::from_utf8_lossy(&text[..end]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_and_nothing_past_the_end() {
        let mut kernel = vec![0; 0x300];
        kernel[0x202..0x206].copy_from_slice(b"HdrS");
        kernel[0x20E..0x210].copy_from_slice(&0x80u16.to_le_bytes());
        kernel[0x280..0x28A].copy_from_slice(b"6.12.57 (b");
        assert_eq!(kernel_version(&kernel).as_deref(), Some("6.12.57"));
        for length in 0..0x288 {
            assert_eq!(kernel_version(&kernel[..length]), None, "{length}");
        }
        kernel[0x280] = 0;
        assert_eq!(kernel_version(&kernel), None);
        kernel[0x280] = 0x1B;
        assert_eq!(kernel_version(&kernel), None);
        kernel[0x202] = 0;
        assert_eq!(kernel_version(&kernel), None);
    }
}
