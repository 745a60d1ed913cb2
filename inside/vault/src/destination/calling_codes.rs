//! Calling codes that are assigned to countries (ITU-T E.164, "List of assigned country codes", as public metadata of
//! libphonenumber 9 has it). Codes that name no country (satellites, international freephone, premium services: 800,
//! 808, 870, 878, 881, 882, 883, 888, 979) are left out on purpose: nobody gets a verification code there, and fraud does.

/// Codes of one and two digits; every other assigned one has three.
const SHORT: [u8; 46] = [
    1, 7, 20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58, 60,
    61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98,
];

const LONG: [u16; 160] = [
    211, 212, 213, 216, 218, 220, 221, 222, 223, 224, 225, 226, 227, 228, 229, 230, 231, 232, 233, 234, 235, 236, 237,
    238, 239, 240, 241, 242, 243, 244, 245, 246, 247, 248, 249, 250, 251, 252, 253, 254, 255, 256, 257, 258, 260, 261,
    262, 263, 264, 265, 266, 267, 268, 269, 290, 291, 297, 298, 299, 350, 351, 352, 353, 354, 355, 356, 357, 358, 359,
    370, 371, 372, 373, 374, 375, 376, 377, 378, 380, 381, 382, 383, 385, 386, 387, 389, 420, 421, 423, 500, 501, 502,
    503, 504, 505, 506, 507, 508, 509, 590, 591, 592, 593, 594, 595, 596, 597, 598, 599, 670, 672, 673, 674, 675, 676,
    677, 678, 679, 680, 681, 682, 683, 685, 686, 687, 688, 689, 690, 691, 692, 850, 852, 853, 855, 856, 880, 886, 960,
    961, 962, 963, 964, 965, 966, 967, 968, 970, 971, 972, 973, 974, 975, 976, 977, 992, 993, 994, 995, 996, 998,
];

/// The calling code that a number's digits begin with. No code is the beginning of another.
pub(super) fn calling_code(digits: &str) -> Option<u16> {
    let first = |count| digits.get(..count)?.parse::<u16>().ok();
    let short = |code: &u16| SHORT.iter().any(|known| u16::from(*known) == *code);
    first(1)
        .filter(short)
        .or_else(|| first(2).filter(short))
        .or_else(|| first(3).filter(|code| LONG.binary_search(code).is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_is_the_beginning_of_another() {
        assert!(LONG.is_sorted() && SHORT.is_sorted());
        for long in LONG {
            assert!(!SHORT.contains(&u8::try_from(long / 10).unwrap_or(0)), "{long}");
            assert!(!SHORT.contains(&u8::try_from(long / 100).unwrap_or(0)), "{long}");
        }
        for two in SHORT.into_iter().filter(|code| *code > 9) {
            assert!(!SHORT.contains(&(two / 10)), "{two}");
        }
    }
}
