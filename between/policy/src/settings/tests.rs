#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use super::*;

fn parse(text: &str) -> Result<Settings, String> {
    let policy = Policy::parse(crate::parse::tests::text().as_bytes()).unwrap();
    Settings::parse(text, &policy).map_err(|error| error.to_string())
}

#[test]
fn choices_within_the_policy() {
    let settings = parse(
        "version = 1\n[routes]\nsms = [{ prefix = \"+44\", use = [\"first\"] }, { prefix = \"\", use = [\"first\"] }]\n\
         [limits]\nfailed_checks = 5\n[credentials]\nfirst = \"AAAA\"\n",
    )
    .unwrap();
    assert_eq!(settings.routes[&ChannelName::Sms].len(), 2);
    let policy = Policy::parse(crate::parse::tests::text().as_bytes()).unwrap();
    let limits = settings.limits.within(&policy.limits);
    assert_eq!((limits.failed_checks, limits.sends_per_number_block_hour), (5, 100), "the rest stays the policy's");
    assert!(parse("version = 1\n").is_ok());
    // The CA's external account is a credential too, sealed to the CA's place.
    assert!(parse("version = 1\n[credentials]\nca-account = \"AAAA\"\n").is_ok());
    assert_eq!(policy.place_of_credential("ca-account"), Some(("acme.example", 443)));
    assert_eq!(policy.place_of_credential("first"), Some(("api.carrier.example", 443)));
    assert_eq!(policy.place_of_credential("other"), None);
}

#[test]
fn what_the_policy_does_not_allow() {
    for (text, expected) in [
        ("", "missing field `version`"),
        ("version = 2", "the settings: version: expected 1, got 2"),
        ("version = 1\nlimit = 1", "the settings: limit: unknown key; did you mean limits?"),
        (
            "version = 1\n[limits]\nfailed_check = 1",
            "the settings: limits.failed_check: unknown key; did you mean failed_checks?",
        ),
        (
            "version = 1\n[limits]\nfailed_checks = 21",
            "the settings: limits.failed_checks: looser than the policy allows",
        ),
        (
            "version = 1\n[limits]\nsends_per_number_block_hour = 101",
            "the settings: limits.sends_per_number_block_hour: looser than the policy allows",
        ),
        (
            "version = 1\n[limits]\nsends_per_mail_domain_hour = 20001",
            "the settings: limits.sends_per_mail_domain_hour: looser than the policy allows",
        ),
        (
            "version = 1\n[limits]\nfailed_checks_refill_seconds = 119",
            "the settings: limits.failed_checks_refill_seconds: looser than the policy allows",
        ),
        (
            "version = 1\n[limits]\nfailed_checks = 0",
            "the settings: the policy: limits.failed_checks: expected 1 to 100",
        ),
        (
            "version = 1\n[credentials]\nother = \"AAAA\"",
            "the settings: credentials: neither a route of the policy nor acme.external_account names other",
        ),
        (
            "version = 1\n[public_certificate]\nchain = \"\"\nsealed_keys = \"\"",
            "the settings: public_certificate.sealed_keys: unknown key; did you mean sealed_key?",
        ),
        (
            "version = 1\n[public_certificate]\nchain = \"\"\nsealed_key = \"\"",
            "the settings: public_certificate.chain: expected 2 to 8 certificates in PEM and nothing else: the vault's own, \
             then each one's issuer",
        ),
        (
            "version = 1\n[routes]\nsms = [{ prefix = \"\", use = [\"mail\"] }]",
            "the settings: routes: the policy has no route mail for this channel",
        ),
        (
            "version = 1\n[routes]\nsms = [{ prefix = \"44\", use = [] }]",
            "the settings: routes: 44: expected the beginning of a number, such as +44",
        ),
    ] {
        let said = parse(text).unwrap_err();
        assert!(said.contains(expected), "{said}");
    }
    assert_eq!(parse(&"#".repeat(65 * 1024)).unwrap_err(), "the settings: longer than 64 KiB");
}

#[test]
fn a_retired_account_is_at_the_policys_ca() {
    let of = |address: &str| parse(&format!("version = 1\n[acme]\nretired_account = \"{address}\"\n"));
    for address in ["https://acme.example/acct/1", "https://acme.example:443/acct/1"] {
        assert_eq!(of(address).unwrap().acme.unwrap().retired_account, address);
    }
    let expected = "the settings: acme.retired_account: expected the address of an account at the policy's CA, as `adyton certificate \
                    account` shows it";
    let long = format!("https://acme.example/{}", "a".repeat(1024));
    for address in
        ["", "acct/1", "http://acme.example/acct/1", "https://other.example/acct/1", "https://acme.example/a b", &long]
    {
        assert_eq!(of(address).unwrap_err(), expected, "{address}");
    }
    let said = parse("version = 1\n[acme]\nretired_acount = \"\"\n").unwrap_err();
    assert_eq!(said, "the settings: acme.retired_acount: unknown key; did you mean retired_account?");
    // What an earlier policy allowed is passed over by a vault without a CA.
    assert!(Settings::kept("version = 1\n[acme]\nretired_account = \"https://acme.example/acct/1\"\n").is_ok());
}

#[test]
fn a_public_certificate_needs_public_names() {
    const PEM: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    let text = format!("version = 1\n[public_certificate]\nchain = \"\"\"\n{PEM}{PEM}\"\"\"\nsealed_key = \"AAAA\"\n");
    assert_eq!(parse(&text).unwrap().public_certificate.unwrap().chain().unwrap().len(), 2);
    let policy = crate::parse::tests::text().replace("public_names = [\"verify.example.com\"]\n", "");
    let acme = policy.find("[acme]").unwrap()..policy.find("[custody]").unwrap();
    let policy = policy.replace(&policy[acme], "");
    let policy = Policy::parse(policy.as_bytes()).unwrap();
    assert_eq!(Settings::parse(&text, &policy), Err(SettingsError::NoPublicNames));
    let one = text.replacen(PEM, "", 1);
    assert!(matches!(Settings::parse(&one, &policy), Err(SettingsError::NoPublicNames)));
    assert!(parse(&one).unwrap_err().contains("2 to 8 certificates"));
}

#[test]
fn settings_that_an_earlier_policy_allowed_hold_where_they_are_tighter() {
    let policy = Policy::parse(crate::parse::tests::text().as_bytes()).unwrap();
    let kept = "version = 1\n[[routes.sms]]\nprefix = \"\"\nuse = [\"gone\"]\n\
                [limits]\nfailed_checks = 21\nfailed_checks_refill_seconds = 60\nsends_per_number_block_hour = 50\n";
    assert!(Settings::parse(kept, &policy).is_err());
    let limits = Settings::kept(kept).unwrap().limits.within(&policy.limits);
    assert_eq!((limits.failed_checks, limits.failed_checks_refill_seconds), (20, 120), "the policy's");
    assert_eq!(limits.sends_per_number_block_hour, 50, "their own");
    assert!(matches!(Settings::kept("version"), Err(SettingsError::Toml(_))));
}
