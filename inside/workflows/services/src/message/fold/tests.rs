//! What names may hold once carriers' replacements are taken into account. Nothing here asks [`folded`](super::folded) what a
//! character becomes: the first tests put every character of the table into what is refused without it, the others have a
//! short list of their own.

#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::table::{MARKS, MODIFIERS, SEVERAL, SINGLE, UNASSIGNED};
use crate::message::{NameError, ServiceName, brings_a_hash, gsm7_septets};

const HASH: &str = "He42w354ol9";

/// All characters of the table that are replaced, with what they become.
fn table() -> Vec<(char, String)> {
    let after = |first: char, at: usize| char::from_u32(u32::from(first) + u32::try_from(at).unwrap()).unwrap();
    let single = SINGLE.iter().flat_map(|(first, row)| {
        let chars = row.chars().enumerate().filter(|(_, char)| *char != ' ');
        chars.map(|(at, char)| (after(*first, at), String::from(char)))
    });
    single.chain(SEVERAL.iter().map(|(char, text)| (*char, String::from(*text)))).collect()
}

/// Whether a name of a request is refused, and not because it is too long.
fn is_refused(name: &str) -> bool {
    match ServiceName::parse(name) {
        Ok(name) => brings_a_hash(name.text(), "Acme"),
        Err(error) => error != NameError::Length,
    }
}

#[test]
fn the_table_can_be_searched_and_holds_nothing_that_is_sent_as_it_is() {
    assert!(SINGLE.is_sorted_by(
        |(first, row), (next, _)| u32::from(*first) + u32::try_from(row.len()).unwrap() <= u32::from(*next)
    ));
    assert!(SEVERAL.is_sorted_by(|(char, _), (next, _)| char < next));
    for ranges in [&MODIFIERS[..], &MARKS, &UNASSIGNED] {
        assert!(ranges.is_sorted_by(|(_, last), (first, _)| last < first));
        assert!(ranges.iter().all(|(first, last)| first <= last));
    }
    let table = table();
    assert!(table.len() > 3000);
    for (char, text) in table {
        assert_eq!(gsm7_septets(&String::from(char)), None, "{char}");
        assert!(text.chars().any(|char| char.is_ascii_alphanumeric() || "+/:.@".contains(char)), "{char}: {text}");
    }
}

/// In a hash, a code and a link one character stands for one or more of theirs.
#[test]
fn no_character_that_carriers_replace_hides_a_hash_a_code_or_a_link() {
    for (char, text) in table() {
        let has = |what: fn(char) -> bool| text.chars().all(what);
        if has(|char| char.is_ascii_alphanumeric() || "+/".contains(char)) {
            for at in 0..HASH.len() {
                let name = format!("{}{char}{}", &HASH[..at], &HASH[at + 1..]);
                assert!(is_refused(&name), "{name}: {char} becomes {text}");
            }
        }
        if has(|char| !char.is_alphabetic()) && text.chars().any(|char| char.is_ascii_digit()) {
            for name in [format!("is {char}817"), format!("4{char}-17"), format!("Acme 49 8{char}")] {
                assert!(is_refused(&name), "{name}: {char} becomes {text}");
            }
        }
        let links: &[String] = match &text[..] {
            "." => &[format!("evil{char}ai"), format!("go to x{char}co")],
            ":" => &[format!("http{char}//ai"), format!("1{char}2{char}3{char}4")],
            "/" => &[format!("http:{char}/ai"), format!("http:/{char}ai"), format!("1{char}2{char}3{char}4")],
            "@" => &[format!("a{char}b")],
            _ => &[],
        };
        for name in links {
            assert!(is_refused(name), "{name}: {char} becomes {text}");
        }
    }
}

#[test]
fn no_modifier_or_mark_keeps_digits_apart() {
    for char in MODIFIERS.iter().flat_map(|(first, last)| *first..=*last) {
        for name in [format!("call 493{char}817"), format!("1{char}2{char}3{char}4")] {
            assert!(is_refused(&name), "{name}: U+{:X}", u32::from(char));
        }
    }
}

/// A gateway with a newer Unicode makes letters of characters that the table does not know: U+1CCD6 to U+1CCF9 are the outlined
/// letters and digits of Unicode 16, U+A7F1 is a modifier letter of Unicode 17.
#[test]
fn what_the_table_does_not_know_is_refused() {
    let newer =
        ('\u{1CCD6}'..='\u{1CCF9}').chain(['\u{A7F1}', '\u{1DF25}', '\u{1DF2A}', '\u{A7CD}', '\u{E000}', '\u{10FFFF}']);
    for char in newer.chain(UNASSIGNED.iter().flat_map(|(first, last)| [*first, *last])) {
        let name = format!("{char}e42w354ol9");
        assert_eq!(ServiceName::parse(&name), Err(NameError::Character), "U+{:X}", u32::from(char));
    }
    assert!(UNASSIGNED.len() > 500);
}

/// What leaves marks out makes a hash of these.
#[test]
fn no_mark_in_an_ascii_word_hides_a_hash() {
    for mark in MARKS.iter().flat_map(|(first, last)| *first..=*last) {
        for name in [format!("He42{mark}w354ol9"), format!("Ｈ{mark}e42w354ol9")] {
            assert_eq!(ServiceName::parse(&name), Err(NameError::Character), "U+{:X}", u32::from(mark));
        }
    }
    assert!(MARKS.len() > 200);
}

/// What was once accepted, and what a carrier makes of it.
#[test]
fn names_that_become_what_a_name_must_not_hold() {
    for name in [
        "Ｈe42w354ol9",
        "ＡＢＣＤＥＦＧＨＩＪＫ",
        "ʜe42w354ol9",
        "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋ",
        "He42w354ol⁹",
        "He42÷w54ol9",
        "Ηe42w354ol9",
        "Ħe42w354ol9",
        "He42w35®ol9",
        "\u{1D407}e42w354ol9",
    ] {
        let refused = ServiceName::parse(name).map(|name| brings_a_hash(name.text(), "Acme"));
        assert_eq!(refused, Ok(true), "{name}");
    }
    for (name, error) in [
        ("call 493ー817", NameError::Digits),
        ("call 493ｰ817", NameError::Digits),
        ("Code꞉ 493ː817", NameError::Digits),
        ("1ʼ2ʼ3ʼ4ʼ5ʼ6", NameError::Digits),
        ("1ㆍ2ㆍ3ㆍ4", NameError::Digits),
        ("1ǃ2ǃ3ǃ4", NameError::Digits),
        ("ⅠⅡⅢⅣ", NameError::Digits),
        ("½ ½", NameError::Digits),
        ("⑫⑬", NameError::Digits),
        ("４９３８", NameError::Digits),
        ("http：//ai", NameError::Address),
        ("http:／／ai", NameError::Address),
        ("httpː÷⁄ai", NameError::Address),
        ("a﹫b", NameError::Address),
        ("evil․ai", NameError::Address),
        ("evil︒ai", NameError::Address),
    ] {
        assert_eq!(ServiceName::parse(name), Err(error), "{name}");
    }
}

/// Names of businesses as they write them, and such as look most like what is refused.
#[rustfmt::skip]
const REAL: &[&str] = &[
    // Accents, in and outside the alphabet of text messages.
    "Nestlé", "Häagen-Dazs", "Citroën", "Société Générale", "Telefónica", "Österreichische Post", "Škoda Auto",
    "Česká pošta", "Žabka", "Orlen Płock", "Żywiec", "Møller – Mærsk", "Türkiye İş Bank", "Ülker",
    "Pão de Açúcar", "Vodafone España",
    // Quotation marks, dashes and signs.
    "McDonald’s", "L’Oréal", "Levi’s®", "Dr. Oetker", "Coca–Cola", "Post‐it™", "Yahoo!", "H&M", "7–Eleven",
    "3M", "1&1", "Toys “R” Us", "O₂", "E·ON", "Ben & Jerry’s", "“Магнит”", "«Лента»", "Bank № 1", "Euro €hop",
    // Scripts.
    "Сбербанк", "Газпромбанк", "ПриватБанк", "Яндекс", "Εθνική Τράπεζα", "ΟΤΕ", "Alpha Bank ΑΕ", "בנק הפועלים",
    "בזק בע״מ", "مصرف الراجحي", "بنك مصر", "ธนาคารกรุงเทพ", "ไทยพาณิชย์", "भारतीय बैंक", "स्टेट बैंक", "삼성전자",
    "카카오뱅크", "우리은행㈜", "CJ제일제당",
    // Chinese and Japanese, with full-width punctuation and the prolonged sound mark.
    "中国银行", "招商銀行（香港）", "（株）三井住友", "㈱アシックス", "セブン－イレブン", "セブン・イレブン", "スターバックス コーヒー", "モーニング娘。", "ＮＴＴ東日本",
    "ＫＤＤＩ（株）", "Ｊ：ＣＯＭ", "セブン24ー7", "第一生命：窓口", "ローソン100", "ポケモンGO！", "ｾﾌﾞﾝｰｲﾚﾌﾞﾝ", "ヤフー！", "109シネマズ", "名鉄№1",
    // Emoji.
    "Ben 🍦 Jerry", "🏦 Bank", "🇨🇭 Post",
];

#[test]
fn real_names_are_possible() {
    for name in REAL {
        let parsed = ServiceName::parse(name);
        assert_eq!(parsed.as_ref().map(ServiceName::text), Ok(*name));
    }
    let long = REAL.iter().filter(|name| brings_a_hash(name, "Acme")).collect::<Vec<_>>();
    assert_eq!(long, [&"Österreichische Post"], "as before: eleven plain letters in a row, of no service of that name");
}
