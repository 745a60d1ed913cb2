#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use core::fmt::Write;

use alloc::string::ToString;
use alloc::vec::Vec;
use proptest::prelude::*;

use super::*;
use crate::Requirements;

fn settings(name: &str, do_not_share: bool, web_otp_domain: &str) -> ServiceSettings {
    ServiceSettings {
        friendly_name: name.into(),
        code_length: 10,
        custom_code: false,
        do_not_share,
        requirements: Requirements::CODE,
        web_otp_domain: web_otp_domain.into(),
        app_hashes: Vec::new(),
    }
}

fn sms(settings: &ServiceSettings, look: &MessageOptions, code: &str) -> String {
    let message = render(Channel::Sms, settings, look, &Code::parse(code).unwrap()).unwrap();
    assert!(message.subject.is_none() && message.html.is_none());
    message.text.expose().into()
}

#[test]
fn texts() {
    let acme = settings("Acme", true, "");
    let of = |locale| sms(&acme, &MessageOptions { locale, ..MessageOptions::default() }, "123456");
    assert_eq!(of(Locale::English), "Your Acme verification code is: 123456. Do not share it with anyone.");
    assert_eq!(of(Locale::German), "Ihr Code für Acme: 123456. Geben Sie ihn an niemanden weiter.");
    assert_eq!(of(Locale::French), "Votre code pour Acme: 123456. Ne le communiquez à personne.");
    assert_eq!(of(Locale::Spanish), "Su codigo para Acme es: 123456. No lo comparta con nadie.");
    let name = Some(ServiceName::parse("Other").unwrap());
    let look = MessageOptions { name, ..MessageOptions::default() };
    assert_eq!(sms(&settings("Acme", false, ""), &look, "0042"), "Your Other verification code is: 0042");
}

#[test]
fn last_lines() {
    let bound = settings("Acme", false, "login.example.com");
    let plain = MessageOptions::default();
    assert_eq!(sms(&bound, &plain, "123456"), "Your Acme verification code is: 123456\n\n@login.example.com #123456");
    let hash = MessageOptions { app_hash: AppHash::parse("He42w354ol9"), ..MessageOptions::default() };
    let both = "<#> Your Acme verification code is: 123456\nHe42w354ol9\n@login.example.com #123456";
    assert_eq!(sms(&bound, &hash, "123456"), both);
    let unbound = settings("Acme", false, "");
    assert_eq!(sms(&unbound, &hash, "123456"), "<#> Your Acme verification code is: 123456\nHe42w354ol9");
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
            let look = MessageOptions { locale, app_hash, ..MessageOptions::default() };
            let text = sms(&settings(name, do_not_share, domain), &look, "493817");
            let _ = write!(texts, "--- sms {}\n{text}\n", locale.tag());
        }
        for do_not_share in [false, true] {
            let look = MessageOptions { locale, ..MessageOptions::default() };
            let code = Code::parse("493817").unwrap();
            let message = render(Channel::Email, &settings("Ä & <b>", do_not_share, ""), &look, &code).unwrap();
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

/// Characters that carriers replace by those of [`REPLACEMENTS`] at the same place.
const REPLACED: &str = "ＡＺａｚ０９＋／．：＠ᴀʜꜱÁčłȘ𝐇𝒆⑦Ⓚ⁹÷⁄˖ːΑΗ®";
const REPLACEMENTS: &str = "AZaz09+/.:@AHSAclSHe7K9//+:AHR";

/// A message as a carrier may send it.
fn as_sent(text: &str) -> String {
    let replacement = |char| REPLACED.chars().zip(REPLACEMENTS.chars()).find(|(replaced, _)| *replaced == char);
    text.chars().map(|char| replacement(char).map_or(char, |(_, replacement)| replacement)).collect()
}

/// All that Android could take for an app's hash in a text.
fn hashes_in(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let in_hash = |window: &&[char]| window.iter().all(|char| char.is_ascii_alphanumeric() || "+/".contains(*char));
    chars.windows(11).filter(in_hash).map(|window| window.iter().collect()).collect()
}

fn name() -> impl Strategy<Value = String> {
    // Wide characters of the alphabet, its extension, its end; others; digits and what separates
    // them; what carriers replace.
    let chars = |characters: &str| prop::sample::select(characters.chars().collect::<Vec<char>>());
    let every = chars(&["AZaz09 -./&'_€{^éÄßБ中\u{1F600}", REPLACED].concat());
    let texts = prop::collection::vec(every, 1..=30).prop_map(|chars| chars.into_iter().collect::<String>());
    // What is nearly a hash, a code or a link.
    let near =
        (r"[A-Za-z0-9+/]{10}|[0-9a]{3}[- ]?[0-9]{1,3}|http:/?ai|evil", chars(REPLACED), any::<prop::sample::Index>());
    let near = near.prop_map(|(text, char, at)| {
        let (before, after) = text.split_at(at.index(text.len() + 1));
        [before, char.encode_utf8(&mut [0; 4]), after].concat()
    });
    prop_oneof![3 => texts, 1 => near].prop_filter("a name", |text| ServiceName::parse(text).is_ok())
}

/// A service's settings: name, warning, domain, apps and whether callers supply codes.
fn service() -> impl Strategy<Value = ServiceSettings> {
    let domain = prop::option::of("[a-z0-9]{1,42}\\.[a-z]{2,5}");
    let hashes = prop::collection::vec("[A-Za-z0-9+/]{11}", 0..3);
    (name(), any::<(bool, bool)>(), domain, hashes, 4..=10u8).prop_filter_map(
        "a service",
        |(name, (do_not_share, custom_code), domain, hashes, code_length)| {
            let domain = domain.unwrap_or_default();
            let parsed = domain.is_empty() || WebOtpDomain::parse(&domain).is_some();
            let app_hashes = AppHash::parse_list(&hashes.join(",")).ok().filter(|_| parsed)?;
            Some(ServiceSettings { code_length, custom_code, app_hashes, ..settings(&name, do_not_share, &domain) })
        },
    )
}

proptest! {
    /// Whatever a request asks for, a message holds what the service demands, or there is none.
    #[test]
    fn warning_and_domain_are_in_every_message_of_every_accepted_look(
        service in service(),
        custom_name in prop::option::of(name()),
        (locale, hash) in (prop::sample::select(Locale::ALL.to_vec()), any::<prop::sample::Index>()),
        with_hash in any::<bool>(),
        code in "[0-9]{4,10}",
    ) {
        let longest = if service.custom_code { 10 } else { usize::from(service.code_length.max(6)) };
        prop_assume!(code.len() <= longest);
        let app_hash = (with_hash && !service.app_hashes.is_empty()).then(|| hash.get(&service.app_hashes).clone());
        let name = custom_name.as_deref().map(|name| ServiceName::parse(name).unwrap());
        let look = MessageOptions { name, locale, app_hash };
        let code = Code::parse(&code).unwrap();
        let accepted = check_service(&service, longest).is_ok();
        let message = match render(Channel::Sms, &service, &look, &code) {
            Ok(message) => message,
            Err(TooLong { excess }) => {
                prop_assert!(excess > 0);
                prop_assert!(!accepted || look.name.is_some(), "an accepted service's own name fits");
                return Ok(());
            }
        };
        let text = message.text.expose();
        let sent = as_sent(text);
        if look.name.as_ref().is_none_or(|name| !brings_a_hash(name.text(), &service.friendly_name)) {
            // All that could be an app's hash: the service's own, its names, and words of the
            // language.
            let words = locale.words();
            let mut known = alloc::vec![&service.friendly_name[..], &service.web_otp_domain];
            known.extend([words.before_name, words.before_code, words.do_not_share]);
            known.extend(look.app_hash.as_ref().map(AppHash::text));
            let known: Vec<String> = known.into_iter().map(as_sent).collect();
            for hash in hashes_in(&sent) {
                prop_assert!(known.iter().any(|known| known.contains(&hash)), "{hash} in {text}");
            }
        }
        prop_assert_eq!(first_code(text), Some(code.expose()), "{}", text);
        prop_assert_eq!(first_code(&sent), Some(code.expose()), "{}", text);
        prop_assert_eq!(text.contains(locale.words().do_not_share), service.do_not_share, "{}", text);
        let shown = look.name.as_ref().map_or(&service.friendly_name[..], ServiceName::text);
        prop_assert!(text.contains(shown), "{}", text);
        let mut lines: Vec<&str> = text.lines().rev().collect();
        if !service.web_otp_domain.is_empty() {
            prop_assert_eq!(lines.remove(0), &["@", &service.web_otp_domain, " #", code.expose()].concat());
        }
        if let Some(hash) = &look.app_hash {
            prop_assert_eq!(lines.remove(0), hash.text());
            prop_assert!(text.starts_with("<#> ") && text.len() <= 140, "{}", text);
        }
        prop_assert!(lines.len() == 1 || (lines == ["", lines[1]] && look.app_hash.is_none()), "{}", text);
        let wide = text.encode_utf16().count();
        match gsm7_septets(text) {
            Some(septets) => prop_assert!(septets <= 160, "{}: {}", septets, text),
            None if look.app_hash.is_none() && !service.web_otp_domain.is_empty() => prop_assert!(wide <= 134, "{}", text),
            None => prop_assert!(wide <= 70, "{}: {}", wide, text),
        }
        let message = render(Channel::Email, &service, &look, &code).unwrap();
        let warning = locale.words().do_not_share.trim_start_matches(". ");
        prop_assert_eq!(message.text.expose().contains(warning), service.do_not_share);
        prop_assert_eq!(message.html.unwrap().expose().contains(warning), service.do_not_share);
    }

    /// Without an app hash every name fits beside the longest domain and code.
    #[test]
    fn every_name_fits_where_no_app_is_named(
        name in name(),
        custom_name in prop::option::of(name()),
        locale in prop::sample::select(Locale::ALL.to_vec()),
        (do_not_share, bound) in any::<(bool, bool)>(),
    ) {
        let domain = if bound { ["d".repeat(WebOtpDomain::MAX_LENGTH - 4), ".com".into()].concat() } else { String::new() };
        let name_of_request = custom_name.as_deref().map(|name| ServiceName::parse(name).unwrap());
        let look = MessageOptions { name: name_of_request, locale, app_hash: None };
        let code = Code::parse("1234567890").unwrap();
        prop_assert!(render(Channel::Sms, &settings(&name, do_not_share, &domain), &look, &code).is_ok());
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
        let look = MessageOptions { locale, app_hash: hash.as_deref().and_then(AppHash::parse), ..MessageOptions::default() };
        let settings = settings(&name, do_not_share, domain);
        let of = |code: &str| render(channel, &settings, &look, &Code::parse(code).unwrap());
        // A code of the same length fits or does not, as this one.
        let (message, with_other) = match (of(&code), of(&other)) {
            (Ok(message), Ok(with_other)) => (message, with_other),
            (message, with_other) => {
                prop_assert_eq!(message.err(), with_other.err());
                return Ok(());
            }
        };
        prop_assert_eq!(message.text.around_code(), with_other.text.around_code());
        prop_assert_eq!(message.text.around_code().join(&code), message.text.expose());
        if let (Some(html), Some(with_other)) = (message.html, with_other.html) {
            prop_assert_eq!(html.around_code(), with_other.around_code());
            prop_assert_eq!(html.around_code().join(&code), html.expose());
        }
    }

    #[test]
    fn an_e_mails_code_is_found_first_in_both_parts(name in name(), at in 0..Locale::ALL.len(), code in "[0-9]{4,10}") {
        let look = MessageOptions { locale: Locale::ALL[at], ..MessageOptions::default() };
        let message = render(Channel::Email, &settings(&name, true, ""), &look, &Code::parse(&code).unwrap()).unwrap();
        prop_assert_eq!(first_code(message.text.expose()), Some(&code[..]));
        let (subject, html) = (message.subject.unwrap(), message.html.unwrap());
        prop_assert_eq!(first_code(html.expose()), Some(&code[..]));
        prop_assert_eq!(first_code(&subject), None);
    }
}

/// Thirty septets may be sixty bytes, and an app is handed no more than 140 in all: the sentence
/// gives way, not the warning.
#[test]
fn the_sentence_gives_way_to_the_warning() {
    let look = MessageOptions { app_hash: AppHash::parse("He42w354ol9"), ..MessageOptions::default() };
    let of = |name: &str| sms(&settings(name, true, ""), &look, "1234567890");
    let share = Locale::English.words().do_not_share;
    assert!(of(&"e".repeat(30)).starts_with("<#> Your eee"));
    let wide = "é".repeat(30);
    assert_eq!(of(&wide), ["<#> ", &wide, ": 1234567890", share, "\nHe42w354ol9"].concat());
}

/// What does not fit is refused, by how much it is over.
#[test]
fn a_text_that_does_not_fit_is_refused() {
    let look = MessageOptions { app_hash: AppHash::parse("He42w354ol9"), ..MessageOptions::default() };
    let code = Code::parse("123456").unwrap();
    let of = |name: &str, domain: &str| {
        render(Channel::Sms, &settings(name, true, domain), &look, &code).map(|message| message.text.expose().len())
    };
    // 4 + 30 + 2 + 6 + 30 + 12 + 2 + 46 + 2 + 6 = 140.
    let longest = ["d".repeat(WebOtpDomain::MAX_LENGTH - 4), ".com".into()].concat();
    assert_eq!(of(&"e".repeat(30), &longest), Ok(140));
    assert_eq!(of(&["é", &"e".repeat(29)].concat(), &longest), Err(TooLong { excess: 1 }));
    // 4 + 15 + 2 + 6 + 30 + 12 = 69.
    assert!(of("Банк Пример 123", "").is_ok());
    assert_eq!(of("Банк", "login.example.com"), Err(TooLong { excess: 15 }));
}

#[test]
fn lists_of_app_hashes() {
    let texts =
        |text: &str| AppHash::parse_list(text).map(|hashes| hashes.iter().map(|hash| hash.text().into()).collect());
    assert_eq!(texts(""), Ok(Vec::<String>::new()));
    assert_eq!(texts("He42w354ol9,++//++//++/"), Ok(Vec::from(["He42w354ol9".into(), "++//++//++/".into()])));
    for text in ["He42w354ol", "He42w354ol9,", ",", "He42w354ol9 ,He42w354ol8", "He42w354ol9;He42w354ol8"] {
        assert_eq!(AppHash::parse_list(text), Err(AppHashesError::Form), "{text}");
    }
    assert_eq!(AppHash::parse_list("He42w354ol9,He42w354ol9"), Err(AppHashesError::Repeated));
    let many =
        |count: usize| (0..count).map(|at| ["He42w354ol", &at.to_string()].concat()).collect::<Vec<_>>().join(",");
    assert_eq!(AppHash::parse_list(&many(8)).map(|hashes| hashes.len()), Ok(8));
    assert_eq!(AppHash::parse_list(&many(9)), Err(AppHashesError::TooMany));
}

/// The longest that everything may be still leaves room for the warning.
#[test]
fn the_longest_text_keeps_its_warning() {
    for locale in Locale::ALL {
        let look = MessageOptions { locale, ..MessageOptions::default() };
        let domain = ["d".repeat(WebOtpDomain::MAX_LENGTH - 4), ".com".into()].concat();
        let text = sms(&settings("ABCDEFGHIJKLMNOPQRSTUVWXYZABCD", true, &domain), &look, "1234567890");
        assert!(text.contains(locale.words().do_not_share), "{text}");
        let text = sms(&settings("Банк Пример 123", true, ""), &look, "1234567890");
        assert!(text.contains(locale.words().do_not_share), "{text}");
    }
}

/// A gateway to which codes are sealed, and what stands before it, see what is around the code.
#[test]
fn digits_of_an_app_hash_are_not_taken_for_the_code() {
    let look = MessageOptions { app_hash: AppHash::parse("12345678901"), ..MessageOptions::default() };
    let message = render(Channel::Sms, &settings("Acme", false, ""), &look, &Code::parse("123456").unwrap()).unwrap();
    assert_eq!(message.text.around_code(), ["<#> Your Acme verification code is: ", "\n12345678901"]);
    let bound = settings("Acme", false, "123456.example.com");
    let message = render(Channel::Sms, &bound, &MessageOptions::default(), &Code::parse("123456").unwrap()).unwrap();
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
        let look = MessageOptions { locale, ..MessageOptions::default() };
        let message = render(Channel::Email, &settings("<A & \"B\">", true, ""), &look, &code).unwrap();
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
