#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

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

#[test]
fn one_part_holds_every_text() {
    let wide = "ABCDEFGHIJKLMNOPQRSTUVWXYZABCD";
    for locale in Locale::ALL {
        let hash = MessageLook { locale, app_hash: AppHash::parse("He42w354ol9"), ..MessageLook::default() };
        let text = sms(&settings(wide, true, ""), &hash, "1234567890");
        assert!(gsm7_septets(&text).is_some_and(|septets| septets <= 140), "{text}");
        let plain = MessageLook { locale, ..MessageLook::default() };
        let text = sms(&settings("Банк Пример 123", true, ""), &plain, "1234567890");
        assert_eq!(gsm7_septets(&text), None);
        let bound = sms(&settings(wide, true, "login.accounts.example.com"), &plain, "1234567890");
        assert!(gsm7_septets(&bound).is_some_and(|septets| septets <= 160), "{bound}");
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
    for text in ["Acme", "Ä Bank & Söhne", "Acme 24/7", "Банк Пример", "St. Acme", "ACME!"] {
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
        ("call 12345", NameError::Digits),
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
}
