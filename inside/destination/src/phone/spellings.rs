//! Second spellings of a number that the table of beginnings cannot tell from numbers.
//!
//! Most are forms from before a country's plan changed: networks deliver to them for years, so they
//! must not count as other numbers. Where a change left no number of the old length that begins
//! with the old digit, the table refuses it already (Benin, Cameroon, Côte d'Ivoire, Mexico). The
//! rest are listed, each with the source of the rule.

/// A beginning and a length that no number has.
struct Spelling {
    calling_code: u16,
    /// How the national part begins; `.` stands for any digit.
    beginning: &'static str,
    /// Digits of the national part.
    length: usize,
    /// How such a number is written instead. It names prefixes only.
    instead: &'static str,
}

const fn spelling(calling_code: u16, beginning: &'static str, length: usize, instead: &'static str) -> Spelling {
    Spelling { calling_code, beginning, length, instead }
}

const ARGENTINA: &str = "write a mobile number of Argentina as +54 9 and the area code, without 15";
const BRAZIL: &str = "write a mobile number of Brazil with a 9 behind the area code: +55, two digits, 9, eight digits";
const BELARUS: &str = "leave out 80 behind +375: it is dialled only inside Belarus";

const OTHERS: [Spelling; 9] = [
    // Argentina: from abroad a mobile number has a 9 before the area code (11, 2xx, 3xx), and only
    // mobile numbers get text messages (Plan Fundamental de Numeración Nacional, Resolución SC
    // 46/1997; libphonenumber's notes on AR).
    spelling(54, "1", 10, ARGENTINA),
    spelling(54, "2", 10, ARGENTINA),
    spelling(54, "3", 10, ARGENTINA),
    // Brazil: mobile numbers got a 9 behind the area code, 2012 to 2016 (Anatel, Resolução
    // 553/2010). Numbers with a 7 there kept eight digits.
    spelling(55, "..6", 10, BRAZIL),
    spelling(55, "..8", 10, BRAZIL),
    spelling(55, "..9", 10, BRAZIL),
    // Gabon: eight digits for all since 2019; mobile numbers got a 0 before the old seven (ITU,
    // national plan of +241).
    spelling(241, "", 7, "write a number of Gabon with eight digits: +241 0 and the seven digits in use until 2019"),
    // Belarus: 8, then 0, is dialled before a number of nine digits; numbers that begin with 801
    // and 803 have ten.
    spelling(375, "801", 11, BELARUS),
    spelling(375, "803", 11, BELARUS),
];

/// Forms that the table refuses already, so that they are only named here.
const REFUSED_BY_THE_TABLE: [Spelling; 12] = [
    // Mexico: a 1 stood before mobile numbers until 2019 (IFT, Plan Técnico Fundamental de
    // Numeración).
    spelling(52, "1", 11, "write a number of Mexico as +52 and ten digits, without the 1 that was dialled until 2019"),
    // Argentina: inside the country a mobile number is dialled with 15 behind the area code.
    spelling(54, "..15", 12, ARGENTINA),
    spelling(54, "...15", 12, ARGENTINA),
    spelling(54, "....15", 12, ARGENTINA),
    // Benin, since 30 November 2024; Cameroon, since 2014; Côte d'Ivoire, since 2021 (ITU, national
    // plans).
    spelling(229, "", 8, "write a number of Benin as +229 01 and the eight digits of before 2024"),
    spelling(
        237,
        "",
        8,
        "write a number of Cameroon as +237, 6 (mobile) or 2 (fixed), and the eight digits of before 2014",
    ),
    spelling(225, "", 8, "write a number of Côte d'Ivoire with the ten digits that it has since 2021"),
    // What is dialled inside the country, where no number would begin so with it left out of the
    // table.
    spelling(1, "1", 11, "leave out the 1 behind +1: it is the same 1"),
    spelling(7, "8", 11, "leave out the 8 behind +7: it is dialled only inside the country"),
    spelling(36, "06", 10, "leave out 06 behind +36: it is dialled only inside Hungary"),
    spelling(36, "06", 11, "leave out 06 behind +36: it is dialled only inside Hungary"),
    spelling(375, "80", 11, BELARUS),
];

impl Spelling {
    fn is_of(&self, calling_code: u16, national: &str) -> bool {
        let same = |(expected, digit): (u8, u8)| expected == b'.' || expected == digit;
        self.calling_code == calling_code
            && self.length == national.len()
            && self.beginning.bytes().zip(national.bytes()).all(same)
    }
}

/// Whether digits behind a calling code spell a number that is written in another way.
pub(super) fn is_other(calling_code: u16, national: &str) -> bool {
    OTHERS.iter().any(|spelling| spelling.is_of(calling_code, national))
}

/// How a number in such a form is written instead.
pub(super) fn instead(calling_code: u16, national: &str) -> Option<&'static str> {
    let found = OTHERS.iter().chain(&REFUSED_BY_THE_TABLE).find(|spelling| spelling.is_of(calling_code, national));
    found.map(|spelling| spelling.instead)
}
