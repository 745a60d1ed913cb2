#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use core::fmt::Write;

use alloc::vec::Vec;
use proptest::prelude::*;

use super::*;

fn settings(name: &str, do_not_share: bool, web_otp_domain: &str) -> ServiceSettings {
    ServiceSettings {
        friendly_name: name.into(),
        code_length: 10,
        custom_code: false,
        do_not_share,
        web_otp_domain: web_otp_domain.into(),
    }
}

fn sms(settings: &ServiceSettings, look: &MessageLook, code: &str) -> String {
    let message = render(Channel::Sms, settings, look, &Code::parse(code).unwrap());
    assert!(message.subject.is_none() && message.html.is_none());
    message.text.expose().into()
}

#[test]
fn texts() {
    let acme = settings("Acme", true, "");
    let of = |locale| sms(&acme, &MessageLook { locale, ..MessageLook::default() }, "123456");
    assert_eq!(of(Locale::English), "Your Acme verification code is: 123456. Do not share it with anyone.");
    assert_eq!(of(Locale::German), "Ihr Code für Acme: 123456. Geben Sie ihn an niemanden weiter.");
    assert_eq!(of(Locale::French), "Votre code pour Acme: 123456. Ne le communiquez à personne.");
    assert_eq!(of(Locale::Spanish), "Su codigo para Acme es: 123456. No lo comparta con nadie.");
    let name = Some(ServiceName::parse("Other").unwrap());
    let look = MessageLook { name, ..MessageLook::default() };
    assert_eq!(sms(&settings("Acme", false, ""), &look, "0042"), "Your Other verification code is: 0042");
}

#[test]
fn last_lines() {
    let bound = settings("Acme", false, "login.example.com");
    let plain = MessageLook::default();
    assert_eq!(sms(&bound, &plain, "123456"), "Your Acme verification code is: 123456\n\n@login.example.com #123456");
    let hash = MessageLook { app_hash: AppHash::parse("He42w354ol9"), ..MessageLook::default() };
    assert_eq!(sms(&bound, &hash, "123456"), "<#> Your Acme verification code is: 123456\nHe42w354ol9");
    for text in ["He42w354ol", "He42w354ol99", "He42w354ol ", "He42w354ol-"] {
        assert_eq!(AppHash::parse(text), None, "{text}");
    }
}

/// Every text of every language, as `tests/messages.txt` has it.
#[test]
fn every_text_is_as_committed() {
    let hash = AppHash::parse("He42w354ol9");
    let mut texts = String::new();
    for locale in Locale::ALL {
        for (name, do_not_share, app_hash, domain) in [
            ("Acme", false, None, ""),
            ("Acme", true, None, ""),
            ("Acme", true, hash.clone(), ""),
            ("Acme", true, None, "login.example.com"),
            ("Acme", true, hash.clone(), "login.example.com"),
            ("Банк", true, None, ""),
            ("Банк", true, hash.clone(), ""),
            ("Банк", true, None, "login.example.com"),
        ] {
            let look = MessageLook { locale, app_hash, ..MessageLook::default() };
            let text = sms(&settings(name, do_not_share, domain), &look, "493817");
            let _ = write!(texts, "--- sms {}\n{text}\n", locale.tag());
        }
        for do_not_share in [false, true] {
            let look = MessageLook { locale, ..MessageLook::default() };
            let code = Code::parse("493817").unwrap();
            let message = render(Channel::Email, &settings("Ä & <b>", do_not_share, ""), &look, &code);
            let (subject, html) = (message.subject.unwrap(), message.html.unwrap());
            let text = message.text.expose();
            let _ = write!(texts, "--- email {}\n{subject}\n\n{text}\n{}", locale.tag(), html.expose());
        }
    }
    assert!(texts == include_str!("../../tests/messages.txt"), "the texts are:\n{texts}");
}

/// What `\b\d{4,10}\b` finds first, which is how people and phones read a message.
fn first_code(text: &str) -> Option<&str> {
    let words = text.split(|char: char| !char.is_alphanumeric() && char != '_');
    let is_code = |word: &&str| (4..=10).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit());
    words.into_iter().find(is_code)
}

fn name() -> impl Strategy<Value = String> {
    // Wide characters of the alphabet, its extension, its end; others; digits and what separates them.
    let chars = prop::sample::select("AZaz09 -./&'_€{^éÄßБ中\u{1F600}".chars().collect::<Vec<char>>());
    let texts = prop::collection::vec(chars, 1..=30).prop_map(|chars| chars.into_iter().collect::<String>());
    texts.prop_filter("a name", |text| ServiceName::parse(text).is_ok())
}

proptest! {
    #[test]
    fn every_text_message_is_short_and_its_code_is_found_first(
        name in name(),
        (locale, do_not_share) in (prop::sample::select(Locale::ALL.to_vec()), any::<bool>()),
        hash in prop::option::of("[A-Za-z0-9+/]{11}"),
        domain in prop::option::of("[a-z0-9]{1,40}\\.[a-z]{2,5}"),
        code in "[0-9]{4,10}",
    ) {
        let domain = domain.as_deref().unwrap_or_default();
        prop_assume!(domain.is_empty() || WebOtpDomain::parse(domain).is_some());
        let look = MessageLook { locale, app_hash: hash.as_deref().and_then(AppHash::parse), ..MessageLook::default() };
        let text = sms(&settings(&name, do_not_share, domain), &look, &code);
        prop_assert_eq!(first_code(&text), Some(&code[..]), "{}", text);
        let wide = text.encode_utf16().count();
        match gsm7_septets(&text) {
            Some(septets) => prop_assert!(septets <= 160, "{}: {}", septets, text),
            None if hash.is_none() && !domain.is_empty() => prop_assert!(wide <= 134, "{}: {}", wide, text),
            None => prop_assert!(wide <= 70, "{}: {}", wide, text),
        }
        let last = text.lines().next_back().unwrap_or_default();
        match hash {
            Some(hash) => prop_assert!(text.starts_with("<#> ") && last == hash && text.len() <= 140, "{}", text),
            None if !domain.is_empty() => prop_assert_eq!(last, &["@", domain, " #", &code].concat()),
            None => prop_assert!(text.lines().count() == 1),
        }
    }

    #[test]
    fn the_text_around_the_code_does_not_depend_on_the_code(
        name in name(),
        (locale, do_not_share, channel) in (
            prop::sample::select(Locale::ALL.to_vec()),
            any::<bool>(),
            prop::sample::select([Channel::Sms, Channel::Email].to_vec()),
        ),
        // Digits above all: they may hold the code.
        hash in prop::option::of("[0-9]{11}|[A-Za-z0-9+/]{11}"),
        domain in prop::option::of("[0-9]{4,20}\\.[a-z]{2,5}"),
        (code, other) in (4..=10usize).prop_flat_map(|digits| {
            let code = prop::collection::vec(b'0'..=b'9', digits).prop_map(|digits| String::from_utf8(digits).unwrap());
            (code.clone(), code)
        }),
        inside_hash in any::<bool>(),
    ) {
        let domain = domain.as_deref().unwrap_or_default();
        // A code that stands in the app hash is the one that must not be told from others.
        let code = match &hash {
            Some(hash) if inside_hash && hash.bytes().all(|byte| byte.is_ascii_digit()) => hash[..code.len()].into(),
            _ => code,
        };
        let look = MessageLook { locale, app_hash: hash.as_deref().and_then(AppHash::parse), ..MessageLook::default() };
        let settings = settings(&name, do_not_share, domain);
        let of = |code: &str| render(channel, &settings, &look, &Code::parse(code).unwrap());
        let (message, with_other) = (of(&code), of(&other));
        prop_assert_eq!(message.text.around_code(), with_other.text.around_code());
        prop_assert_eq!(message.text.around_code().join(&code), message.text.expose());
        if let (Some(html), Some(with_other)) = (message.html, with_other.html) {
            prop_assert_eq!(html.around_code(), with_other.around_code());
            prop_assert_eq!(html.around_code().join(&code), html.expose());
        }
    }

    #[test]
    fn an_e_mails_code_is_found_first_in_both_parts(name in name(), at in 0..Locale::ALL.len(), code in "[0-9]{4,10}") {
        let look = MessageLook { locale: Locale::ALL[at], ..MessageLook::default() };
        let message = render(Channel::Email, &settings(&name, true, ""), &look, &Code::parse(&code).unwrap());
        prop_assert_eq!(first_code(message.text.expose()), Some(&code[..]));
        let (subject, html) = (message.subject.unwrap(), message.html.unwrap());
        prop_assert_eq!(first_code(html.expose()), Some(&code[..]));
        prop_assert_eq!(first_code(&subject), None);
    }
}

/// Thirty septets may be sixty bytes, and an app is handed no more than 140 in all.
#[test]
fn the_warning_gives_way_to_the_app_hash() {
    let look = MessageLook { app_hash: AppHash::parse("He42w354ol9"), ..MessageLook::default() };
    let of = |name: &str| sms(&settings(name, true, ""), &look, "1234567890");
    let share = Locale::English.words().do_not_share;
    assert!(of(&"e".repeat(30)).contains(share));
    assert!(!of(&"é".repeat(30)).contains(share));
}

/// The longest that everything may be still leaves room for the warning.
#[test]
fn the_longest_text_keeps_its_warning() {
    for locale in Locale::ALL {
        let look = MessageLook { locale, ..MessageLook::default() };
        let domain = ["d".repeat(WebOtpDomain::LONGEST - 4), ".com".into()].concat();
        let text = sms(&settings("ABCDEFGHIJKLMNOPQRSTUVWXYZABCD", true, &domain), &look, "1234567890");
        assert!(text.contains(locale.words().do_not_share), "{text}");
        let text = sms(&settings("Банк Пример 123", true, ""), &look, "1234567890");
        assert!(text.contains(locale.words().do_not_share), "{text}");
    }
}

/// A gateway to which codes are sealed, and what stands before it, see what is around the code.
#[test]
fn digits_of_an_app_hash_are_not_taken_for_the_code() {
    let look = MessageLook { app_hash: AppHash::parse("12345678901"), ..MessageLook::default() };
    let message = render(Channel::Sms, &settings("Acme", false, ""), &look, &Code::parse("123456").unwrap());
    assert_eq!(message.text.around_code(), ["<#> Your Acme verification code is: ", "\n12345678901"]);
    let bound = settings("Acme", false, "123456.example.com");
    let message = render(Channel::Sms, &bound, &MessageLook::default(), &Code::parse("123456").unwrap());
    assert_eq!(message.text.around_code(), ["Your Acme verification code is: ", "\n\n@123456.example.com #", ""]);
}

#[test]
fn domains_of_browsers() {
    let longest = ["d".repeat(42), ".com".into()].concat();
    assert_eq!(WebOtpDomain::parse("Login.Example.com").unwrap().text(), "login.example.com");
    assert!(WebOtpDomain::parse(&longest).is_some() && WebOtpDomain::parse(&["d", &longest].concat()).is_none());
    for text in ["", "example", "a.com #1", "a.com\n", "https://a.com", "127.0.0.1", "a.com.", "ä.com"] {
        assert_eq!(WebOtpDomain::parse(text), None, "{text}");
    }
}

#[test]
fn an_e_mail_has_both_parts_and_no_code_in_its_subject() {
    let code = Code::parse("493817").unwrap();
    for locale in Locale::ALL {
        let look = MessageLook { locale, ..MessageLook::default() };
        let message = render(Channel::Email, &settings("<A & \"B\">", true, ""), &look, &code);
        let (subject, html) = (message.subject.unwrap(), message.html.unwrap());
        assert!(!subject.contains("493817"));
        assert!(message.text.expose().contains("\n    493817\n"));
        assert!(html.expose().contains(">493817<") && html.expose().contains("&lt;A &amp; &quot;B&quot;&gt;"));
        for forbidden in ["<A", "http", "src=", "href="] {
            assert!(!html.expose().contains(forbidden), "{forbidden}");
        }
    }
}

#[test]
fn names() {
    for text in [
        "Acme",
        "Ä Bank & Söhne",
        "Acme 24/7",
        "Банк Пример",
        "St. Acme",
        "ACME!",
        "U.S. Bank",
        "Studio 54",
        "10 Acme 99",
    ] {
        assert_eq!(ServiceName::parse(text).as_ref().map(ServiceName::text), Ok(text));
    }
    for (text, error) in [
        ("", NameError::Length),
        ("abcdefghijklmnopqrstuvwxyzabcde", NameError::Length),
        ("Банк Пример Долго", NameError::Length),
        (" Acme", NameError::Character),
        ("Ac\nme", NameError::Character),
        ("Ac\u{202E}me", NameError::Character),
        ("Ac\u{200B}me", NameError::Character),
        ("evil.example", NameError::Address),
        ("go to a.co now", NameError::Address),
        ("http://x", NameError::Address),
        ("a@b", NameError::Address),
        ("evil\u{3002}example", NameError::Address),
        ("evil\u{FF0E}example", NameError::Address),
        ("evil.例え", NameError::Address),
        ("cafe\u{301}.com", NameError::Character),
        ("💩.la", NameError::Address),
        ("evil_.com", NameError::Address),
        ("x\u{2024}com", NameError::Address),
        ("x.💩💩", NameError::Address),
        ("a\u{FF20}b", NameError::Address),
        ("€€€€€€€€€€€€€€€€", NameError::Length),
        ("Ac\u{A0}me", NameError::Character),
        ("Ac\u{3164}me", NameError::Character),
        ("Ac\u{E0041}me", NameError::Character),
        ("call 12345", NameError::Digits),
        ("is 493-817", NameError::Digits),
        ("1 2 3 4", NameError::Digits),
        ("1 2.3/4", NameError::Address),
        ("\u{0661}\u{0662}\u{0663}\u{0664}", NameError::Digits),
    ] {
        assert_eq!(ServiceName::parse(text), Err(error), "{text}");
    }
}

#[test]
fn languages() {
    for (tag, locale) in [
        ("en", Some(Locale::English)),
        ("de-AT", Some(Locale::German)),
        ("FR", Some(Locale::French)),
        ("es-419", Some(Locale::Spanish)),
        ("it", None),
        ("en_GB", None),
        ("en-", None),
        ("", None),
        ("english", None),
    ] {
        assert_eq!(Locale::parse(tag), locale, "{tag}");
    }
}

#[test]
fn septets() {
    assert_eq!(gsm7_septets("Hi {€}"), Some(3 + 6));
    assert_eq!(gsm7_septets("é"), Some(1));
    assert_eq!(gsm7_septets("ó"), None);
    // The table has 128 places; one is the escape to the extension.
    let all = (0..=0x2_FFFF).filter_map(char::from_u32);
    let found: Vec<usize> = all.filter_map(|char| gsm7_septets(char.encode_utf8(&mut [0; 4]))).collect();
    assert_eq!((found.iter().filter(|septets| **septets == 1).count(), found.len()), (127, 127 + 10));
}
