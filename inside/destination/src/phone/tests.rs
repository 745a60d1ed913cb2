#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use alloc::string::ToString;
use alloc::vec::Vec;

use super::*;

fn refusal(text: &str) -> Option<DestinationError> {
    parse(text).err()
}

fn region(text: &str) -> (u16, &'static str) {
    let Country { calling_code, region } = parse(text).map(|number| number.country).unwrap();
    (calling_code, region)
}

/// What the look-up relies on; the generator makes it so.
#[test]
fn no_code_and_no_beginning_is_that_of_another() {
    let apart = |mut texts: Vec<&str>| {
        texts.sort_unstable();
        for pair in texts.windows(2) {
            assert!(!pair[1].starts_with(pair[0]), "{pair:?}");
        }
    };
    assert!(PLANS.is_sorted_by_key(|plan| plan.calling_code));
    let codes: Vec<_> = PLANS.iter().map(|plan| plan.calling_code.to_string()).collect();
    apart(codes.iter().map(|code| &code[..]).collect());
    for plan in &PLANS {
        apart(plan.others.iter().flat_map(|(_, prefixes)| *prefixes).copied().collect());
        apart(plan.premium.to_vec());
        apart(plan.dialled_inside.to_vec());
        let lengths = plan.lengths.into_iter().fold(0, |all, lengths| all | lengths);
        assert!(lengths != 0 && lengths < 1 << 18, "{}", plan.calling_code);
    }
}

#[test]
fn only_the_e164_form() {
    for text in [
        "12025550123",
        "+1 2025550123",
        "+0155501001",
        "+155501",
        "+1202555012345678",
        "+12O25550123",
        "+１２０２５５５",
        "+1202555012\u{0663}",
        " +12025550123",
        "+12025550123\n",
        "++12025550123",
        "tel:+12025550123",
        "",
        "+",
    ] {
        assert_eq!(refusal(text), Some(DestinationError::NotE164), "{text}");
    }
}

#[test]
fn only_calling_codes_of_countries() {
    // 210 is nobody's, 999 is reserved; the others are satellites, freephone, premium services.
    for text in ["+2101234567", "+9991234567", "+881612345678", "+80012345678", "+979123456789", "+870773111632"] {
        assert_eq!(refusal(text), Some(DestinationError::CallingCode), "{text}");
    }
}

#[test]
fn only_lengths_of_the_country() {
    for text in
        ["+1202555012", "+120255501234", "+4477009001", "+447700900123456", "+331234567", "+8699345", "+4407700900123"]
    {
        assert_eq!(refusal(text), Some(DestinationError::NationalLength), "{text}");
    }
}

/// Each is a second spelling of the number beside it.
#[test]
fn one_telephone_has_one_number() {
    for (other, number) in [
        // The zero that is dialled inside the country; an 8, or 80, in Belarus.
        ("+4901701234567", "+491701234567"),
        ("+440207946012", "+442079460123"),
        ("+9109123456789", "+919123456789"),
        ("+43066012345", "+4366012345"),
        ("+3758291234567", "+375291234567"),
        ("+37580152277357", "+375152277357"),
        ("+5401112345678", "+5491112345678"),
        // Forms of before.
        ("+541112345678", "+5491112345678"),
        ("+542211234567", "+5492211234567"),
        ("+551181234567", "+5511981234567"),
        ("+551191234567", "+5511991234567"),
        ("+22997123456", "+2290197123456"),
        ("+2417712345", "+24107712345"),
        ("+23777123456", "+237677123456"),
    ] {
        assert_eq!(refusal(other), Some(DestinationError::NationalBeginning), "{other}");
        assert!(parse(number).is_ok(), "{number}");
    }
    // A zero that belongs to the number.
    for text in ["+390669812345", "+390212345678", "+2250701234567", "+24107712345", "+2290197123456", "+242061234567"]
    {
        assert!(parse(text).is_ok(), "{text}");
    }
}

/// A refusal that knows the accepted form names it, and no other digit of the number.
#[test]
fn a_refused_form_names_the_accepted_one() {
    for (text, expected) in [
        ("+5215512345678", "write a number of Mexico as +52 and ten digits, without the 1 that was dialled until 2019"),
        ("+541112345678", "write a mobile number of Argentina as +54 9 and the area code, without 15"),
        ("+54111512345678", "write a mobile number of Argentina as +54 9 and the area code, without 15"),
        (
            "+551181234567",
            "write a mobile number of Brazil with a 9 behind the area code: +55, two digits, 9, eight digits",
        ),
        ("+22997123456", "write a number of Benin as +229 01 and the eight digits of before 2024"),
        ("+2417712345", "write a number of Gabon with eight digits: +241 0 and the seven digits in use until 2019"),
        (
            "+23777123456",
            "write a number of Cameroon as +237, 6 (mobile) or 2 (fixed), and the eight digits of before 2014",
        ),
        ("+22507123456", "write a number of Côte d'Ivoire with the ten digits that it has since 2021"),
        ("+4901701234567", "leave out the 0 behind +49: it is dialled only inside the country"),
        ("+4407700900123", "leave out the 0 behind +44: it is dialled only inside the country"),
        ("+112025550123", "leave out the 1 behind +1: it is the same 1"),
        ("+789161234567", "leave out the 8 behind +7: it is dialled only inside the country"),
        ("+3606301234567", "leave out 06 behind +36: it is dialled only inside Hungary"),
        ("+37580291234567", "leave out 80 behind +375: it is dialled only inside Belarus"),
        ("0012025550123", "write + instead of 00 before the country code"),
    ] {
        assert!(refusal(text).is_some(), "{text}");
        let said = written_instead(text).map(|instead| instead.to_string());
        assert_eq!(said.as_deref(), Some(expected), "{text}");
        let digits: Vec<char> = text.chars().filter(char::is_ascii_digit).collect();
        for five in digits.windows(5) {
            assert!(!expected.contains(&five.iter().collect::<alloc::string::String>()), "{text}");
        }
    }
    for text in
        ["+12025550123", "+525512345678", "+1202555", "+9991234567", "12025550123", "+", "", "00", "jo@example.com"]
    {
        assert_eq!(written_instead(text), None, "{text}");
    }
}

#[test]
fn regions_that_share_a_calling_code_are_told_apart() {
    for (text, expected) in [
        ("+12025550123", (1, "US")),
        ("+15550100123", (1, "US")),
        ("+14165550123", (1, "CA")),
        ("+18765550123", (1, "JM")),
        ("+17875550123", (1, "PR")),
        ("+447700900123", (44, "GB")),
        ("+442079460123", (44, "GB")),
        ("+447797123456", (44, "JE")),
        ("+447781123456", (44, "GG")),
        ("+447624123456", (44, "IM")),
        ("+79161234567", (7, "RU")),
        ("+77012345678", (7, "KZ")),
        ("+390669812345", (39, "VA")),
        ("+39312345678", (39, "IT")),
        ("+35312345678", (353, "IE")),
        ("+8613812345678", (86, "CN")),
    ] {
        assert_eq!(region(text), expected, "{text}");
    }
}

#[test]
fn premium_rate_and_shared_cost() {
    for (text, expected) in [
        ("+19005550123", true),
        ("+12025550123", false),
        ("+449012345678", true),
        ("+448431234567", true),
        ("+447700900123", false),
        ("+4990012345678", true),
        ("+4915112345678", false),
        ("+33891234567", true),
    ] {
        assert_eq!(parse(text).unwrap().premium_rate, expected, "{text}");
    }
}
