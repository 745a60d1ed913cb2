//! Whether a program runs alone: there is no loader and no library in an image (ELF-64, "Program Header").

/// `PT_INTERP`: the program asks for a loader.
const INTERPRETER: u32 = 3;

/// Whether these bytes are a program for x86-64 that asks for no loader.
pub(crate) fn is_static(program: &[u8]) -> bool {
    asks_for_loader(program) == Some(false)
}

fn asks_for_loader(program: &[u8]) -> Option<bool> {
    let bytes = |at: usize, length: usize| program.get(at..at.checked_add(length)?);
    let number = |at: usize, length: usize| {
        Some(bytes(at, length)?.iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte)))
    };
    // 64 bits, little-endian, version 1; `e_machine` is x86-64; entries of the program header have 56 bytes.
    let known = bytes(0, 7)? == b"\x7FELF\x02\x01\x01" && number(18, 2)? == 62 && number(54, 2)? == 56;
    let (start, count) = (usize::try_from(number(32, 8)?).ok()?, usize::try_from(number(56, 2)?).ok()?);
    if !known || count == 0 {
        return None;
    }
    for entry in 0..count {
        if number(start.checked_add(56 * entry)?, 4)? == u64::from(INTERPRETER) {
            return Some(true);
        }
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_asks_for_a_loader_is_not_static() {
        let mut program = vec![0; 64 + 2 * 56];
        program[..7].copy_from_slice(b"\x7FELF\x02\x01\x01");
        program[18] = 62;
        program[32] = 64;
        program[54] = 56;
        program[56] = 2;
        assert!(is_static(&program));
        for length in 0..64 + 56 + 4 {
            assert!(!is_static(&program[..length]), "{length}");
        }
        program[64 + 56] = 3;
        assert!(!is_static(&program));
        assert!(!is_static(b"#!/bin/sh\n"));
    }
}
