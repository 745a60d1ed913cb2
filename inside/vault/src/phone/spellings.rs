//! Second spellings of a number that the table of beginnings cannot tell from numbers.
//!
//! Most are forms from before a country's plan changed: networks deliver to them for years, so they must not count as other
//! numbers. Where a change left no number of the old length that begins with the old digit, the table refuses it already
//! (Benin, Cameroon, Côte d'Ivoire, Mexico). The rest are listed, each with the source of the rule.

/// A beginning and a length that no number has.
struct Spelling {
    calling_code: u16,
    /// How the national part begins; `.` stands for any digit.
    beginning: &'static str,
    /// Digits of the national part.
    length: usize,
}

const OTHERS: [Spelling; 9] = [
    // Argentina: from abroad a mobile number has a 9 before the area code (11, 2xx, 3xx), and only mobile numbers get text
    // messages (Plan Fundamental de Numeración Nacional, Resolución SC 46/1997; libphonenumber's notes on AR).
    Spelling { calling_code: 54, beginning: "1", length: 10 },
    Spelling { calling_code: 54, beginning: "2", length: 10 },
    Spelling { calling_code: 54, beginning: "3", length: 10 },
    // Brazil: mobile numbers got a 9 behind the area code, 2012 to 2016 (Anatel, Resolução 553/2010). Numbers with a 7
    // there kept eight digits.
    Spelling { calling_code: 55, beginning: "..6", length: 10 },
    Spelling { calling_code: 55, beginning: "..8", length: 10 },
    Spelling { calling_code: 55, beginning: "..9", length: 10 },
    // Gabon: eight digits for all since 2019; mobile numbers got a 0 before the old seven (ITU, national plan of +241).
    Spelling { calling_code: 241, beginning: "", length: 7 },
    // Belarus: 8, then 0, is dialled before a number of nine digits; numbers that begin with 801 and 803 have ten.
    Spelling { calling_code: 375, beginning: "801", length: 11 },
    Spelling { calling_code: 375, beginning: "803", length: 11 },
];

/// Whether digits behind a calling code spell a number that is written in another way.
pub(super) fn is_other(calling_code: u16, national: &str) -> bool {
    let begins = |beginning: &str| {
        beginning.bytes().zip(national.bytes()).all(|(expected, digit)| expected == b'.' || expected == digit)
    };
    OTHERS.iter().any(|spelling| {
        spelling.calling_code == calling_code && spelling.length == national.len() && begins(spelling.beginning)
    })
}
