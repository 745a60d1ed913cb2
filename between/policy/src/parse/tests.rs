#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use super::*;
use crate::{Direction, diff};

const OWNER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPzs0Q6gp9h9rgcxNGWWieIYNwiGQSaRLzviChKC3irH owner";
const PEM: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

pub(crate) fn text() -> String {
    format!(
        r#"version = 1
profile = "dev"
retention_days = 30

[attestation]
root = """
{PEM}"""

[owners]
threshold = 1
keys = ["{OWNER}"]

[tenants]
admission = "owners"
loosening_hours = 24

[api]
names = ["localhost"]
addresses = ["127.0.0.1"]
public_names = ["verify.example.com"]

[acme]
host = "acme.example"
port = 443
path = "/directory"
trust = "public-roots"
contact = "security@example.com"
external_account = "ca-account"

[custody]
host = "kms.adyton.test"
port = 443
trust = """
{PEM}"""

[verification]
channels = ["sms", "email"]
countries = ["+1", "+44"]

[limits]
sends_per_number_block_hour = 100

[[routes]]
name = "first"
kind = "twilio-messages"
channels = ["sms"]
host = "api.carrier.example"
port = 443
trust = "public-roots"
credential = "first"
account = "AC0123456789abcdef0123456789abcdef"
from = "+12025550100"

[[routes]]
name = "mail"
kind = "smtp"
channels = ["email"]
host = "smtp.example"
port = 465
trust = "spki-sha256:{hash}"
credential = "mail"
tls = "implicit"
from = "codes@example.com"
"#,
        hash = "ab".repeat(32)
    )
}

/// The same in profile `kms`, whose KMS is AWS's.
pub(crate) fn kms() -> String {
    let custody = format!("host = \"kms.adyton.test\"\nport = 443\ntrust = \"\"\"\n{PEM}\"\"\"\n");
    let kms = "host = \"kms.eu-central-1.amazonaws.com\"\nport = 443\ntrust = \"public-roots\"\n\
               key = \"arn:aws:kms:eu-central-1:111122223333:key/0f1e2d3c-0000-4000-8000-00112233aabb\"\n\
               credentials = \"instance-role\"\n";
    text().replace("profile = \"dev\"", "profile = \"kms\"").replace(&custody, kms)
}

fn refused(from: &str, to: &str) -> String {
    let text = text();
    assert!(text.contains(from), "{from}");
    Policy::parse(text.replacen(from, to, 1).as_bytes()).unwrap_err().to_string()
}

#[test]
fn the_example_is_a_policy() {
    let policy = Policy::parse(text().as_bytes()).unwrap();
    assert_eq!(policy.limits.sends_per_number_block_hour, 100);
    let without = text().replace(&format!("[owners]\nthreshold = 1\nkeys = [\"{OWNER}\"]\n"), "");
    assert_eq!(Policy::parse(without.as_bytes()).unwrap().owners, None);
    assert_eq!(policy.limits.failed_checks, 20, "what is not named has its default");
    assert_eq!(policy.verification.shortest_code, 6);
    assert!(policy.audit.operations, "operations leave records unless the policy says otherwise");
    assert_eq!(Trust::parse(&policy.routes[1].trust), Some(Trust::SpkiSha256([0xAB; 32])));
}

#[test]
fn a_policy_is_no_longer_than_the_public_log_shows() {
    let policy = text();
    let padded = |length: usize| format!("{policy}#{}", "x".repeat(length - policy.len() - 1));
    assert!(Policy::parse(padded(65_536).as_bytes()).is_ok());
    assert_eq!(Policy::parse(padded(65_537).as_bytes()), Err(PolicyError::Length));
}

#[test]
fn an_unknown_key_names_itself_and_its_neighbour() {
    for (from, to, expected) in [
        (
            "sends_per_number_block_hour = 100",
            "sends_per_mail_domian_hour = 100",
            "the policy: limits.sends_per_mail_domian_hour: unknown key; did you mean sends_per_mail_domain_hour?",
        ),
        (
            "sends_per_number_block_hour = 100",
            "sends_per_prefix_hour = 100",
            "the policy: limits.sends_per_prefix_hour: unknown key; did you mean sends_per_number_block_hour and \
             sends_per_mail_domain_hour?",
        ),
        ("[owners]", "[owner]", "the policy: owner: unknown key; did you mean owners?"),
        (
            "credential = \"mail\"",
            "credental = \"mail\"",
            "the policy: routes.credental: unknown key; did you mean credential?",
        ),
        ("version = 1", "version = 1\nqqqqqqqqqqqqq = 1", "the policy: qqqqqqqqqqqqq: unknown key"),
        ("[owners]", "[owners]\n\"qq\\nqqqqqqqqqqqqq\" = 1", "the policy: owners.\"qq\\nqqqqqqqqqqqqq\": unknown key"),
    ] {
        assert_eq!(refused(from, to), expected);
    }
}

#[test]
fn every_key_of_the_types_is_known() {
    // serde names the fields of a type when it meets one that it does not have.
    for (table, lead) in [("", ""), ("owners", "[owners]\n"), ("limits", "[limits]\n"), ("audit", "[audit]\n")] {
        let error = match table {
            "" => toml::from_str::<Policy>("zzz = 1").unwrap_err().to_string(),
            "owners" => toml::from_str::<crate::Owners>("zzz = 1").unwrap_err().to_string(),
            "audit" => toml::from_str::<crate::Audit>("zzz = 1").unwrap_err().to_string(),
            _ => toml::from_str::<Limits>("zzz = 1").unwrap_err().to_string(),
        };
        let names: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
        assert!(!names.is_empty(), "{error}");
        for name in names {
            let table: toml::Table = format!("{lead}{name} = 1").parse().unwrap();
            assert_eq!(unknown::in_policy(&table), None, "{name}");
        }
    }
}

#[test]
fn ranges_and_kinds() {
    for (from, to, expected) in [
        ("version = 1", "version = 2", "the policy: version: expected 1, got 2"),
        ("threshold = 1", "threshold = 2", "the policy: owners.threshold: expected 1 to the number of keys"),
        ("threshold = 1", "threshold = 0", "the policy: owners.threshold: expected 1 to the number of keys"),
        (
            &format!("[\"{OWNER}\"]"),
            &format!("[\"{OWNER}\", \"{OWNER} again\"]"),
            "the policy: owners.keys[1]: the same key stands there twice, and counts once",
        ),
        (
            OWNER,
            "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAQM=",
            "the policy: owners.keys[0]: RSA keys do not sign here: make one with `ssh-keygen -t ed25519` or `-t ed25519-sk`",
        ),
        (OWNER, "AAAA", "the policy: owners.keys[0]: not an SSH public key: expected one line `type base64 comment`"),
        ("retention_days = 30", "retention_days = 0", "the policy: retention_days: expected 1 to 36500 days"),
        (
            "loosening_hours = 24",
            "loosening_hours = 0",
            "the policy: tenants.loosening_hours: expected 1 to 8760 hours",
        ),
        ("\"+44\"", "\"44\"", "the policy: verification.countries: expected calling codes such as \"+44\""),
        ("\"+44\"", "\"+044\"", "the policy: verification.countries: expected calling codes such as \"+44\""),
        ("\"+44\"]", "\"+44\"]\nshortest_code = 3", "the policy: verification.shortest_code: expected 4 to 6 digits"),
        (
            "\"+44\"]",
            "\"+44\"]\ncustom_code_services = [\"VA1\"]",
            "the policy: verification.custom_code_services: expected VA and 32 hexadecimal digits",
        ),
        (
            "sends_per_number_block_hour = 100",
            "failed_checks_consecutive = 101",
            "the policy: limits.failed_checks_consecutive: expected 1 to 100",
        ),
        (
            "host = \"api.carrier.example\"",
            "host = \"10.0.0.1\"",
            "the policy: routes[0].host: a DNS name is needed, without a dot at its end, and neither an address nor localhost",
        ),
        (
            "host = \"api.carrier.example\"",
            "host = \"127.1\"",
            "the policy: routes[0].host: a DNS name is needed, without a dot at its end, and neither an address nor localhost",
        ),
        (
            "host = \"kms.adyton.test\"",
            "host = \"kms.LocalHost\"",
            "the policy: custody.host: a DNS name is needed, without a dot at its end, and neither an address nor localhost",
        ),
        (
            "host = \"kms.adyton.test\"",
            "host = \"::1\"",
            "the policy: custody.host: a DNS name is needed, without a dot at its end, and neither an address nor localhost",
        ),
        (
            "\"public-roots\"",
            "\"public-root\"",
            "the policy: acme.trust: expected a certificate in PEM, public-roots, spki-sha256:HEX or ca-sha256:HEX",
        ),
        (
            "public_names = [\"verify.example.com\"]\n",
            "",
            "the policy: acme: there are no api.public_names to be certified",
        ),
        ("\"/directory\"", "\"directory\"", "the policy: acme.path: expected a path that begins with /"),
        ("security@example.com", "security", "the policy: acme.contact: expected a mail address"),
        (
            "\"ca-account\"",
            "\"first\"",
            "the policy: acme.external_account: a route has a credential of this name, and a credential is sealed to one place",
        ),
        ("\"ca-account\"", "\"CA\"", "the policy: acme.external_account: expected 1 to 32 of a-z, 0-9 and -"),
        (
            "\"acme.example\"",
            "\"127.1\"",
            "the policy: acme.host: a DNS name is needed, without a dot at its end, and neither an address nor localhost",
        ),
        (
            "\"api.carrier.example\"\nport = 443\ntrust = \"public-roots\"",
            "\"api.carrier.example\"\nport = 443\ntrust = \"public-root\"",
            "the policy: routes[0].trust: expected a certificate in PEM, public-roots, spki-sha256:HEX or ca-sha256:HEX",
        ),
        ("name = \"mail\"", "name = \"first\"", "the policy: routes[1].name: another route has this name"),
        ("tls = \"implicit\"\n", "", "the policy: routes[1].tls: smtp needs tls: implicit or starttls"),
        (
            "host = \"api.carrier.example\"",
            "host = \"api.carrier.example.\"",
            "the policy: routes[0].host: a DNS name is needed, without a dot at its end, and neither an address nor localhost",
        ),
        (
            "[\"verify.example.com\"]",
            "[\"10.0.0.1\"]",
            "the policy: api.public_names[0]: a DNS name is needed, without a dot at its end, and neither an address nor localhost",
        ),
        (
            "[\"verify.example.com\"]",
            "[\"*.example.com\"]",
            "the policy: api.public_names[0]: a DNS name is needed, without a dot at its end, and neither an address nor localhost",
        ),
        (
            "[\"verify.example.com\"]",
            "[\"Verify.example.com\"]",
            "the policy: api.public_names[0]: expected lower case",
        ),
        (
            "names = [\"localhost\"]",
            "names = [\"VERIFY.example.com\"]",
            "the policy: api.public_names[0]: it is among api.names or stands here twice; a name shows one kind of certificate",
        ),
        (
            "account = \"AC0123456789abcdef0123456789abcdef\"\n",
            "",
            "the policy: routes[0].account: twilio-messages needs an account",
        ),
        ("account = \"AC0", "account = \"AC", "the policy: routes[0].account: expected AC and 32 hexadecimal digits"),
        (
            "from = \"+12025550100\"\n",
            "",
            "the policy: routes[0].from: twilio-messages needs either from or messaging_service",
        ),
        (
            "tls = \"implicit\"",
            "tls = \"implicit\"\npath = \"/\"",
            "the policy: routes[1].path: this kind of route has no such key",
        ),
    ] {
        assert_eq!(refused(from, to), expected);
    }
    assert!(refused("kind = \"smtp\"", "kind = \"smpp\"").contains("unknown variant `smpp`"));
    assert_eq!(refused(PEM, "nothing\n"), "the policy: attestation.root: not one certificate in PEM");
    assert_eq!(Policy::parse(b"\xFF"), Err(PolicyError::Text));
}

#[test]
fn a_chain_is_certificates_and_nothing_else() {
    let two = format!("{PEM}\n{PEM}");
    assert_eq!(certificates(&two), Some(vec![vec![0x30, 0], vec![0x30, 0]]));
    assert_eq!(certificates(&two.replace('\n', "\r\n")).map(|chain| chain.len()), Some(2));
    assert_eq!(certificates(""), Some(Vec::new()));
    let key = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    for text in
        [format!("{PEM}{key}"), format!("{key}{PEM}"), format!("{PEM}words"), PEM.replace("-----END", "----END")]
    {
        assert_eq!(certificates(&text), None, "{text}");
    }
}

#[test]
fn differences_in_plain_words() {
    let old = Policy::parse(text().as_bytes()).unwrap();
    assert_eq!(diff(&old, &old), []);
    let changed = text()
        .replace("\"+44\"", "\"+49\"")
        .replace("\"verify.example.com\"", "\"codes.example.com\"")
        .replace("\"/directory\"", "\"/other\"")
        .replace("external_account = \"ca-account\"\n", "")
        .replace("admission = \"owners\"", "admission = \"open\"")
        .replace(
            "sends_per_number_block_hour = 100",
            "sends_per_number_block_hour = 50\nsends_per_mail_domain_hour = 30000\nfailed_checks_refill_seconds = 60",
        )
        .replace("api.carrier.example", "other.example")
        .replace("[limits]", "[audit]\noperations = false\n\n[limits]");
    let new = Policy::parse(changed.as_bytes()).unwrap();
    let said: Vec<_> = diff(&old, &new).into_iter().map(|change| (change.direction, change.words)).collect();
    let expected = [
        (Direction::Loosens, "tenants.admission: anybody may create a tenant"),
        (Direction::Loosens, "api.public_names: codes.example.com is added"),
        (Direction::Tightens, "api.public_names: verify.example.com is removed"),
        (Direction::Changes, "acme: acme.example:443/other is asked, not acme.example:443/directory"),
        (Direction::Changes, "acme.external_account: none, not ca-account"),
        (Direction::Loosens, "verification.countries: +49 is added"),
        (Direction::Tightens, "verification.countries: +44 is removed"),
        (Direction::Loosens, "limits.failed_checks_refill_seconds: 120 becomes 60"),
        (Direction::Tightens, "limits.sends_per_number_block_hour: 100 becomes 50"),
        (Direction::Loosens, "limits.sends_per_mail_domain_hour: 20000 becomes 30000"),
        (Direction::Loosens, "audit.operations: operations leave no record any more"),
        (Direction::Changes, "routes.first: messages go to other.example:443, not api.carrier.example:443"),
    ];
    assert_eq!(said, expected.map(|(direction, words)| (direction, words.to_owned())));
}

/// An owner's key may have a comment, and a line's end.
#[test]
fn texts_of_a_difference_stay_in_their_line() {
    let old = Policy::parse(text().as_bytes()).unwrap();
    for (comment, shown) in
        [("anna\\n", "anna\\n\""), ("ann\u{202E}a", "ann\\u{202e}a\""), ("a\u{2028}loosens", "a\\u{2028}loosens\"")]
    {
        let changed = text().replace(OWNER, &OWNER.replace("owner", comment));
        let new = Policy::parse(changed.as_bytes()).unwrap();
        let said: Vec<_> = diff(&old, &new).into_iter().map(|change| change.words).collect();
        let key = OWNER.trim_end_matches("owner");
        let expected = [format!("owners.keys: \"{key}{shown} is added"), format!("owners.keys: {OWNER} is removed")];
        assert_eq!(said, expected);
    }
}

#[test]
fn every_field_of_a_route_that_changes_is_said() {
    let old = Policy::parse(text().as_bytes()).unwrap();
    let changed = text()
        .replace("port = 465", "port = 466")
        .replace("tls = \"implicit\"", "tls = \"starttls\"")
        .replace("credential = \"first\"", "credential = \"second\"\ncost = 0.5");
    let new = Policy::parse(changed.as_bytes()).unwrap();
    let said = |old, new| diff(old, new).into_iter().map(|change| (change.direction, change.words)).collect::<Vec<_>>();
    let expected = [
        (Direction::Tightens, "routes.first.cost: a message counts as 0.5, not 0"),
        (Direction::Changes, "routes.first.credential: it is another one"),
        (Direction::Changes, "routes.mail: messages go to smtp.example:466, not smtp.example:465"),
        (Direction::Loosens, "routes.mail.tls: starttls"),
    ];
    assert_eq!(said(&old, &new), expected.map(|(direction, words)| (direction, words.to_owned())));
    let back = said(&new, &old);
    assert_eq!(back[0], (Direction::Loosens, "routes.first.cost: a message counts as 0, not 0.5".to_owned()));
    assert_eq!(back[3], (Direction::Tightens, "routes.mail.tls: implicit".to_owned()));
}

/// What the official SDKs call for a host; `e2e/node/hosts.test.js` compares with Node.js's own.
#[test]
fn hosts_that_sdks_rewrite_are_refused() {
    for (name, to) in [
        ("vault.example", Some("vault.example.vault.example")),
        ("a.b.c.d.example.com", Some("a.b.c.example.com")),
        ("a.b.c.d.e.example.com", Some("a.b.c.example.com")),
        // Node.js keeps it, Go and Java do not.
        ("a.example.com.b.example.com", Some("a.example.com")),
        // The end repeats.
        ("a.b.com.com.co", Some("a.b.com.co")),
        ("localhost", None),
        ("verify.example.com", None),
        ("example.com.example.com", None),
        ("com.com.co", None),
        ("a.com.com.co", None),
        ("a.verify.example.com", None),
        ("a.b.verify.example.com", None),
        ("xn--exmple-cua.example.com", None),
    ] {
        assert_eq!(super::rewritten_by_sdks(name).as_deref(), to, "{name}");
    }
}

#[test]
fn a_policy_with_a_name_that_sdks_rewrite_says_why() {
    for (key, from, to) in [
        ("api.public_names[0]", "[\"verify.example.com\"]", "[\"vault.example\"]"),
        ("api.names", "names = [\"localhost\"]", "names = [\"localhost\", \"Vault.example\"]"),
    ] {
        let policy = text().replacen(from, to, 1);
        let said = Policy::parse(policy.as_bytes()).unwrap_err().to_string();
        let name = if key == "api.names" { "Vault.example" } else { "vault.example" };
        assert_eq!(
            said,
            format!(
                "the policy: {key}: some official SDKs (Node.js, Java, Go) call vault.example.vault.example instead of \
                 {name}, with the caller's credentials; use a name of three to five labels, such as verify.example.com"
            )
        );
    }
}

#[test]
fn what_a_carrier_is_asked_not_to_keep_is_the_policys_and_of_twilios_routes_only() {
    let with = |lines: &str| {
        let text = text().replace("account = \"AC0", &format!("{lines}account = \"AC0"));
        Policy::parse(text.as_bytes())
    };
    let both = "content_retention = \"account-default\"\naddress_retention = \"account-default\"\n";
    let route = &with(both).unwrap().routes[0];
    assert_eq!(route.content_retention, Some(crate::ContentRetention::AccountDefault));
    assert_eq!(route.address_retention, Some(crate::AddressRetention::AccountDefault));
    let retain = with("content_retention = \"retain\"\n").unwrap_err().to_string();
    assert!(retain.contains("unknown variant `retain`, expected `discard` or `account-default`"), "{retain}");
    for key in ["content_retention", "address_retention"] {
        let expected = format!("the policy: routes[1].{key}: this kind of route has no such key");
        let line = format!("{key} = \"account-default\"\ntls = \"implicit\"");
        assert_eq!(refused("tls = \"implicit\"", &line), expected);
    }

    let said = |old: &Policy, new: &Policy| {
        diff(old, new).into_iter().map(|change| (change.direction, change.words)).collect::<Vec<_>>()
    };
    let (asks, leaves) = (with("").unwrap(), with(both).unwrap());
    let left = [
        "routes.first.content_retention: the carrier is not asked to discard a message's text: its account's setting holds",
        "routes.first.address_retention: the carrier is not asked to obfuscate a message's number: its account's setting holds",
    ];
    assert_eq!(said(&asks, &leaves), left.map(|words| (Direction::Loosens, words.to_owned())));
    let asked = [
        "routes.first.content_retention: the carrier is asked to discard a message's text",
        "routes.first.address_retention: the carrier is asked to obfuscate a message's number",
    ];
    assert_eq!(said(&leaves, &asks), asked.map(|words| (Direction::Tightens, words.to_owned())));
    let spelled = with("content_retention = \"discard\"\naddress_retention = \"obfuscate\"\n").unwrap();
    assert_eq!(said(&asks, &spelled), [], "the defaults, spelled out");
    let mut without = asks;
    without.routes.remove(0);
    let said = said(&without, &leaves);
    assert_eq!(said[1..3], left.map(|words| (Direction::Loosens, words.to_owned())), "of a new route too");
}
