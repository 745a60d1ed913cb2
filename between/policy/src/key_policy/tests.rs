//! One statement at a time; `together` has the evaluation of all. The file is long because its tables of policies are read as one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets an impossible value should stop")]

mod together;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const IMAGE_PIN: &str = "kms:RecipientAttestation:ImageSha384";
const POLICY_PIN: &str = "kms:RecipientAttestation:PCR16";

fn pins() -> Pins {
    Pins::new(&[0xAB; 48], &[0xCD; 48])
}

fn image() -> String {
    "ab".repeat(48)
}

fn policy() -> String {
    "cd".repeat(48)
}

/// What `adyton` puts.
fn good() -> Value {
    json!({
        "Version": "2012-10-17",
        "Id": "adyton",
        "Statement": [
            {
                "Sid": "Administer", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::111122223333:root" },
                "Action": ["kms:DescribeKey", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"], "Resource": "*",
            },
            {
                "Sid": "Look", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::111122223333:role/adyton-enclave" },
                "Action": ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListGrants"], "Resource": "*",
            },
            {
                "Sid": "Release", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::111122223333:role/adyton-enclave" },
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": "*",
                "Condition": { "StringEqualsIgnoreCase": { IMAGE_PIN: image(), POLICY_PIN: policy() } },
            },
        ],
    })
}

const ROLE: &str = "arn:aws:iam::111122223333:role/adyton-enclave";

fn checked(policy: &Value) -> Result<(), KeyPolicyError> {
    KeyPolicy::check(&policy.to_string(), &pins()).map(drop)
}

/// What a boot lacks under a policy, as people read it.
fn lacks(policy: &Value) -> Vec<String> {
    lacks_with(policy, &pins())
}

fn lacks_with(policy: &Value, pins: &Pins) -> Vec<String> {
    match KeyPolicy::check(&policy.to_string(), pins) {
        Ok(_) => Vec::new(),
        Err(KeyPolicyError::Withheld(withheld)) => withheld.iter().map(ToString::to_string).collect(),
        Err(other) => panic!("{other}: {policy}"),
    }
}

/// The good policy with one statement more.
fn with(statement: Value) -> Value {
    let mut policy = good();
    policy["Statement"].as_array_mut().unwrap().push(statement);
    policy
}

fn deny(actions: Value, condition: Value) -> Value {
    json!({ "Sid": "D", "Effect": "Deny", "Principal": "*", "Action": actions, "Resource": "*", "Condition": condition })
}

fn fault(statement: &str, fault: StatementFault) -> Result<(), KeyPolicyError> {
    Err(KeyPolicyError::Statement { statement: format!("{statement:?}"), fault })
}

/// The good policy with this in place of a member of the statement that releases.
fn release(member: &str, value: Value) -> Value {
    let mut policy = good();
    policy["Statement"][2][member] = value;
    policy
}

#[test]
fn the_example_is_accepted_and_so_are_conditions_that_the_enclave_meets() {
    assert_eq!(checked(&good()), Ok(()));
    let condition = |value| checked(&release("Condition", value));
    let (image, policy) = (image(), policy());
    for value in [
        json!({ "StringEquals": { IMAGE_PIN: image, POLICY_PIN: policy } }),
        json!({ "StringEquals": { IMAGE_PIN: [image] }, "StringEqualsIgnoreCase": { POLICY_PIN: policy.to_uppercase() } }),
        json!({ "StringEquals": { "kms:RecipientAttestation:PCR0": image, POLICY_PIN: policy } }),
        json!({ "StringEquals": { IMAGE_PIN: image, POLICY_PIN: policy, "kms:RecipientAttestation:PCR0": image } }),
        json!({ "StringEquals": { IMAGE_PIN: image, POLICY_PIN: policy, "aws:PrincipalArn": ROLE, "kms:CallerAccount": "111122223333" } }),
        json!({ "StringEquals": { IMAGE_PIN: image, POLICY_PIN: policy }, "ForAllValues:StringEquals": { "kms:EncryptionContextKeys": ["adyton-genesis"] } }),
        json!({ "StringEquals": { IMAGE_PIN: image, POLICY_PIN: policy }, "Null": { "kms:EncryptionContext:adyton-genesis": false } }),
        json!({ "StringEquals": { IMAGE_PIN: image, POLICY_PIN: policy }, "StringLike": { IMAGE_PIN: "*" } }),
        json!({ "StringEquals": { IMAGE_PIN: image, POLICY_PIN: policy }, "Bool": { "aws:SecureTransport": "true" } }),
    ] {
        assert_eq!(condition(value.clone()), Ok(()), "{value}");
    }
    assert_eq!(checked(&release("Principal", json!("*"))), Ok(()));
}

#[test]
fn the_output_of_the_aws_command_line_is_read() {
    let policy = good().to_string();
    let text_of = |output: &str| KeyPolicy::text_of(output).map(std::borrow::Cow::into_owned);
    let pretty = serde_json::to_string_pretty(&good()).unwrap();
    for output in [
        json!({ "Policy": policy, "PolicyName": "default" }).to_string(),
        serde_json::to_string_pretty(&json!({ "Policy": policy })).unwrap(),
        format!("{}\n", json!(policy)),
        format!("{policy}\n"),
        format!("{policy}\tdefault\n"),
    ] {
        assert_eq!(text_of(&output).unwrap(), policy, "{output}");
        assert!(KeyPolicy::check(&text_of(&output).unwrap(), &pins()).is_ok());
    }
    assert_eq!(text_of(&pretty).unwrap(), pretty);
    for wrong in [
        json!({ "Policy": good() }),
        json!({ "Policy": policy, "PolicyName": "other" }),
        json!({ "Policy": policy, "Statement": [] }),
    ] {
        assert_eq!(text_of(&wrong.to_string()), Err(KeyPolicyError::Output), "{wrong}");
    }
    assert_eq!(text_of(&" ".repeat(6 * 32 * 1024 + 1025)), Err(KeyPolicyError::Length));
}

#[test]
fn every_loosening_has_its_refusal() {
    let action = |name: &str| fault("Release", StatementFault::Action(name.into()));
    let with_action = |name: &str| checked(&release("Action", json!(["kms:Decrypt", "kms:GenerateDataKey", name])));
    for name in [
        "kms:*",
        "kms:Decrypt*",
        "kms:decrypt",
        "KMS:Decrypt",
        "*",
        "kms:CreateGrant",
        "kms:ReEncryptFrom",
        "kms:ReEncrypt*",
        "kms:Encrypt",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:GenerateDataKeyPair",
        "kms:ReplicateKey",
        "kms:ImportKeyMaterial",
        "kms:DeriveSharedSecret",
        "",
    ] {
        assert_eq!(with_action(name), action(name));
    }
    assert_eq!(with_action("kms:PutKeyPolicy"), fault("Release", StatementFault::Mixed));
    let refused = |effect: &str, member: &str, value: Value| {
        let mut policy = release("Effect", json!(effect));
        policy["Statement"][2][member] = value;
        checked(&policy)
    };
    // One closed form for both effects.
    for effect in ["Allow", "Deny"] {
        for none in [json!([]), Value::Null, json!([1]), json!({})] {
            assert_eq!(refused(effect, "Action", none), fault("Release", StatementFault::NoAction));
        }
        for member in ["NotAction", "NotPrincipal", "NotResource", "condition", "effect", "X"] {
            let expected = fault("Release", StatementFault::Member(member.into()));
            assert_eq!(refused(effect, member, json!("*")), expected);
            assert_eq!(refused(effect, member, json!("Allow")), expected, "whatever its value");
        }
        for resource in
            [Value::Null, json!([]), json!("arn:aws:kms:eu-central-1:111122223333:key/x"), json!(["*", "*"])]
        {
            assert_eq!(refused(effect, "Resource", resource), fault("Release", StatementFault::Resource));
        }
        for principal in [
            Value::Null,
            json!(ROLE),
            json!({}),
            json!({ "AWS": [] }),
            json!({ "AWS": 1 }),
            json!({ "aws": "*" }),
            json!({ "CanonicalUser": "x" }),
            json!(["*"]),
        ] {
            assert_eq!(refused(effect, "Principal", principal), fault("Release", StatementFault::Principal));
        }
    }
    let unnamed = Err(KeyPolicyError::Statement { statement: "3".into(), fault: StatementFault::Sid });
    assert_eq!(checked(&release("Sid", json!(1))), unnamed);
    for effect in [json!("allow"), json!("Permit"), Value::Null, json!(["Deny"])] {
        assert_eq!(checked(&release("Effect", effect)), fault("Release", StatementFault::Effect));
    }
    assert_eq!(checked(&release("Condition", json!([]))), fault("Release", StatementFault::Condition));
    assert_eq!(
        checked(&release("Condition", json!({ "StringEquals": "x" }))),
        fault("Release", StatementFault::Condition)
    );
}

#[test]
fn everybody_may_not_change_the_key() {
    let administer = |principal: Value| {
        let mut policy = good();
        policy["Statement"][0]["Principal"] = principal;
        checked(&policy)
    };
    for anybody in [
        json!("*"),
        json!({ "AWS": "*" }),
        json!({ "AWS": ["arn:aws:iam::111122223333:root", "*"] }),
        json!({ "AWS": "arn:aws:iam::111122223333:role/*" }),
    ] {
        assert_eq!(administer(anybody), fault("Administer", StatementFault::Everybody));
    }
    assert_eq!(administer(json!({ "AWS": ["arn:aws:iam::111122223333:root", "111122223333"] })), Ok(()));
    // Nor may everybody take the key away.
    let mut policy = good();
    policy["Statement"][0]["Principal"] = json!("*");
    policy["Statement"][0]["Action"] = json!(["kms:DescribeKey", "kms:ScheduleKeyDeletion"]);
    assert_eq!(checked(&policy), fault("Administer", StatementFault::Everybody));
    // Looking harms nobody.
    let mut policy = good();
    policy["Statement"][1]["Principal"] = json!("*");
    assert_eq!(checked(&policy), Ok(()));
}

#[test]
fn only_principals_that_aws_knows_are_allowed_anything() {
    let account = "111122223333";
    let known = [
        account.to_owned(),
        format!("arn:aws:iam::{account}:root"),
        format!("arn:aws:iam::{account}:role/adm"),
        format!("arn:aws:iam::{account}:role/team/path/adm"),
        format!("arn:aws-cn:iam::{account}:user/jo@example.com"),
        format!("arn:aws:sts::{account}:assumed-role/adm/session"),
        format!("arn:aws:sts::{account}:federated-user/jo"),
        "AIDAEXAMPLEID1234567".to_owned(),
    ];
    let with = |statement: usize, principal: &str| {
        let mut policy = good();
        policy["Statement"][statement]["Principal"] = json!({ "AWS": principal });
        KeyPolicy::check(&policy.to_string(), &pins())
    };
    for principal in &known {
        let changers = with(0, principal).unwrap_or_else(|error| panic!("{principal}: {error}")).changers;
        assert_eq!(changers.len(), 1, "{principal}");
    }
    let unknown = [
        "adm".to_owned(),
        String::new(),
        format!("arn:aws:iam::{account}:group/admins"),
        "arn:aws:s3:::bucket".to_owned(),
        format!("arn:aws:iam::{account}:instance-profile/x"),
        format!("arn:aws:iam::{account}:role/"),
        format!("arn:aws:iam::{account}:role"),
        format!("arn:aws:iam::{account}:role/a b"),
        "arn:aws:iam::1:role/x".to_owned(),
        "arn:aws:iam:::role/x".to_owned(),
        format!("arn:aws:iam::{account}:rol/adm"),
        format!("arn:aws:iam:eu-central-1:{account}:role/x"),
        format!("arn:other:iam::{account}:role/x"),
        format!("arn:aws:sts::{account}:assumed-role/adm"),
        format!("arn:aws:sts::{account}:assumed-role/adm/"),
        format!("arn:aws:iam::{account}:assumed-role/adm/session"),
        format!("arn:aws:iam::{account}:role/${{aws:username}}"),
        format!("arn:aws:iam::{account}:role/{}", "x".repeat(65)),
        "11112222333".to_owned(),
        format!(" {account}"),
    ];
    for principal in &unknown {
        for (place, sid) in [(0, "Administer"), (1, "Look"), (2, "Release")] {
            let refused = with(place, principal).map(drop);
            let expected = fault(sid, StatementFault::UnknownPrincipal(quoted(principal)));
            let wild = fault(sid, StatementFault::Everybody);
            assert!(refused == expected || (principal.contains('$') && refused == wild), "{principal:?}: {refused:?}");
        }
        // Whom a denial means changes nothing for the worse.
        let mut policy = good();
        policy["Statement"].as_array_mut().unwrap().push(
            json!({ "Effect": "Deny", "Principal": { "AWS": principal }, "Action": "kms:DisableKey", "Resource": "*" }),
        );
        assert_eq!(checked(&policy), Ok(()), "{principal:?}");
    }
    // A part of a name is no principal either, where it does no harm.
    let refused = with(1, "arn:aws:iam::111122223333:role/*").map(drop);
    let text = "arn:aws:iam::111122223333:role/*".to_owned();
    assert_eq!(refused, fault("Look", StatementFault::UnknownPrincipal(text)));
}

#[test]
fn what_is_printed_is_parsed_as_what_is_checked() {
    for (text, role, administrator) in [
        ("arn:aws:iam::111122223333:role/adm", true, true),
        ("arn:aws:iam::111122223333:user/adm", false, true),
        ("111122223333", false, true),
        ("arn:aws:iam::111122223333:root", false, true),
        ("arn:aws:sts::111122223333:assumed-role/adm/x", false, false),
        ("adyton-host", false, false),
        ("*", false, false),
    ] {
        let parsed = (IamPrincipal::role(text), IamPrincipal::administrator(text));
        assert_eq!((parsed.0.is_ok(), parsed.1.is_ok()), (role, administrator), "{text}");
        for given in [parsed.0, parsed.1].into_iter().flatten() {
            assert_eq!(given.text(), text);
        }
    }
}

#[test]
fn both_registers_are_pinned_to_one_value() {
    let (image, policy) = (image(), policy());
    let no_pin =
        |register, expected: &str| fault("Release", StatementFault::NoPin { register, expected: expected.into() });
    let other = |register, expected: &str, got: &str| {
        fault("Release", StatementFault::OtherPin { register, expected: expected.into(), got: got.into() })
    };
    let condition = |value| checked(&release("Condition", value));
    let (no_image, no_policy) = (no_pin(0, &image), no_pin(16, &policy));
    assert_eq!(condition(json!({})), no_image);
    assert_eq!(condition(json!({ "StringEquals": { POLICY_PIN: policy } })), no_image);
    assert_eq!(condition(json!({ "StringEquals": { IMAGE_PIN: image } })), no_policy);
    for operator in [
        "StringLike",
        "StringNotEquals",
        "StringEqualsIfExists",
        "StringEqualsIgnoreCaseIfExists",
        "ForAnyValue:StringEquals",
        "ForAllValues:StringEquals",
        "stringequals",
        "Null",
        "ArnEquals",
    ] {
        assert_eq!(condition(json!({ operator: { IMAGE_PIN: image, POLICY_PIN: policy } })), no_image, "{operator}");
    }
    for key in
        ["kms:RecipientAttestation:PCR00", "kms:RecipientAttestation:PCR8", "kms:RecipientAttestation:NitroTPMPCR0"]
    {
        assert_eq!(condition(json!({ "StringEquals": { key: image, POLICY_PIN: policy } })), no_image, "{key}");
    }
    let of_image = |value: Value| condition(json!({ "StringEquals": { IMAGE_PIN: value, POLICY_PIN: policy } }));
    assert_eq!(of_image(json!("ab")), other(0, &image, "ab"));
    assert_eq!(of_image(json!("00".repeat(48))), other(0, &image, &"00".repeat(48)));
    assert_eq!(of_image(json!(image.to_uppercase())), other(0, &image, &image.to_uppercase()));
    assert_eq!(of_image(json!("${aws:username}")), other(0, &image, "${aws:username}"));
    for several in
        [json!([image, "x"]), json!(["x", image]), json!([image, image]), json!([]), json!(7), json!([[image]])]
    {
        assert_eq!(of_image(several), other(0, &image, "more than one value"));
    }
    let of_policy = |value: Value| condition(json!({ "StringEquals": { IMAGE_PIN: image, POLICY_PIN: value } }));
    assert_eq!(of_policy(json!(image)), other(16, &policy, &image));
}

#[test]
fn two_spellings_in_a_condition_are_refused() {
    let (image, policy) = (image(), policy());
    let lower = IMAGE_PIN.to_lowercase();
    let two = release(
        "Condition",
        json!({ "StringEquals": { IMAGE_PIN: image, POLICY_PIN: policy, "KMS:recipientattestation:pcr16": "x" } }),
    );
    let refused = checked(&two);
    // The order of the two is the printer's.
    let is_two = |name: &str| refused == fault("Release", StatementFault::TwoSpellings(name.into()));
    assert!(is_two("KMS:recipientattestation:pcr16") || is_two(POLICY_PIN), "{refused:?}");
    // K is the Kelvin sign, which some fold onto k.
    let beyond = json!({ "StringEquals": { IMAGE_PIN: image, POLICY_PIN: policy, "\u{212A}ms:RecipientAttestation:PCR16": "x" } });
    assert_eq!(checked(&release("Condition", beyond)), fault("Release", StatementFault::Condition));
    let operators = json!({ "StringEquals": { IMAGE_PIN: image, POLICY_PIN: policy }, "stringEquals": { lower: "x" } });
    assert!(matches!(
        checked(&release("Condition", operators)),
        Err(KeyPolicyError::Statement { fault: StatementFault::TwoSpellings(_), .. })
    ));
    let twice = good().to_string().replacen("\"Effect\":\"Allow\"", "\"Effect\":\"Allow\",\"Effect\":\"Deny\"", 1);
    assert_eq!(KeyPolicy::check(&twice, &pins()), Err(KeyPolicyError::Json));
}

#[test]
fn the_policy_has_one_form() {
    let changed = |name: &str, value: Value| {
        let mut policy = good();
        policy[name] = value;
        checked(&policy)
    };
    assert_eq!(changed("Version", json!("2008-10-17")), Err(KeyPolicyError::Version));
    assert_eq!(changed("version", json!("2012-10-17")), Err(KeyPolicyError::Member("version".into())));
    // One statement need not be in a list.
    let (statement, fault) = ("1".into(), StatementFault::Effect);
    assert_eq!(changed("Statement", json!({})), Err(KeyPolicyError::Statement { statement, fault }));
    assert_eq!(changed("Statement", json!(7)), Err(KeyPolicyError::Form));
    assert_eq!(changed("Statement", json!(["x"])), Err(KeyPolicyError::Form));
    assert_eq!(changed("Id", json!(7)), Err(KeyPolicyError::Form));
    assert_eq!(changed("Statement", json!(vec![good()["Statement"][0].clone(); 65])), Err(KeyPolicyError::Form));
    assert!(matches!(changed("Statement", json!([])), Err(KeyPolicyError::Withheld(lacks)) if lacks.len() == 5));
    assert_eq!(KeyPolicy::check(&" ".repeat(32 * 1024 + 1), &pins()), Err(KeyPolicyError::Length));
    for (text, refusal) in [
        ("", KeyPolicyError::Json),
        ("{} x", KeyPolicyError::Json),
        ("An error occurred (AccessDeniedException)", KeyPolicyError::Json),
        ("[]", KeyPolicyError::Form),
        ("null", KeyPolicyError::Form),
    ] {
        assert_eq!(KeyPolicy::check(text, &pins()), Err(refusal));
    }
}

#[test]
fn a_refusal_says_where_what_and_what_to_do() {
    let (expected, got) = (image(), "00".repeat(48));
    let refused = checked(&release("Condition", json!({ "StringEquals": { IMAGE_PIN: got, POLICY_PIN: policy() } })));
    assert_eq!(
        refused.unwrap_err().to_string(),
        format!(
            "the key's policy: statement \"Release\": kms:RecipientAttestation:ImageSha384: expected {expected}, got {got}: if \
             this enclave is the one that you approve, put a key policy with the expected value"
        )
    );
    let mut unnamed = good();
    unnamed["Statement"][1] = json!({ "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*" });
    assert_eq!(
        checked(&unnamed).unwrap_err().to_string(),
        "the key's policy: statement 2: it allows \"kms:*\": expected only kms:Decrypt and kms:GenerateDataKey with a \
         condition, or administrative actions that are spelt out"
    );
}

/// A statement that could release to others, one of each kind.
fn loosened(kind: usize, salt: u8) -> Value {
    let (image, policy) = (image(), policy());
    let other = format!("{salt:02x}").repeat(48);
    let with = |action: Value, condition: Value| json!({ "Effect": "Allow", "Principal": "*", "Action": action, "Resource": "*", "Condition": condition });
    let decrypt = json!("kms:Decrypt");
    match kind {
        0 => json!({ "Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*" }),
        1 => with(json!("kms:*"), json!({ "StringEquals": { IMAGE_PIN: image, POLICY_PIN: policy } })),
        2 => with(json!(["kms:CreateGrant"]), json!({})),
        3 => with(decrypt, json!({ "StringEquals": { IMAGE_PIN: other, POLICY_PIN: policy } })),
        4 => with(decrypt, json!({ "StringEquals": { IMAGE_PIN: [image, other], POLICY_PIN: policy } })),
        5 => with(decrypt, json!({ "StringLike": { IMAGE_PIN: image, POLICY_PIN: policy } })),
        6 => with(decrypt, json!({ "StringEqualsIfExists": { IMAGE_PIN: image, POLICY_PIN: policy } })),
        7 => with(decrypt, json!({ "StringEquals": { IMAGE_PIN: image } })),
        8 => json!({ "Effect": "Allow", "Principal": "*", "NotAction": "kms:PutKeyPolicy", "Resource": "*" }),
        9 => with(json!(["kms:DescribeKey", "kms:ReEncryptFrom"]), json!({})),
        10 => with(json!(["kms:Decrypt", "kms:DescribeKey"]), json!({ "Bool": { "aws:SecureTransport": "true" } })),
        _ => with(json!("kms:Decrypt*"), json!({ "StringEquals": { IMAGE_PIN: image, POLICY_PIN: policy } })),
    }
}

/// Statements of the closed form: three that allow, and denials of many kinds.
fn statement(kind: usize) -> Value {
    let mfa = json!({ "BoolIfExists": { "aws:MultiFactorAuthPresent": "false" } });
    match kind {
        0..=2 => good()["Statement"][kind].clone(),
        3 => deny(json!("kms:Decrypt"), json!({})),
        4 => deny(json!("kms:*"), mfa),
        5 => deny(json!("kms:PutKeyPolicy"), mfa),
        6 => deny(json!("kms:PutKeyPolicy"), json!({})),
        7 => deny(json!("*"), json!({ "StringNotEqualsIgnoreCase": { IMAGE_PIN: image() } })),
        8 => deny(json!("kms:Decrypt"), json!({ "StringNotEqualsIgnoreCase": { IMAGE_PIN: image() } })),
        9 => deny(json!("kms:GenerateDataKey"), json!({ "StringEquals": { "aws:SourceVpc": "vpc-1" } })),
        10 => deny(json!("kms:CreateGrant"), json!({})),
        11 => {
            json!({ "Effect": "Deny", "Principal": { "AWS": "arn:aws:iam::111122223333:role/x" }, "Action": "*", "Resource": "*" })
        }
        12 => deny(json!("kms:Decrypt"), json!({ "StringLike": { "kms:EncryptionContext:adyton-genesis": "*" } })),
        _ => deny(json!("kms:D*"), json!({ "Bool": { "aws:SecureTransport": "false" } })),
    }
}

proptest! {
    /// Wherever one loosened statement stands among good ones, the policy is refused; without it, it is not.
    #[test]
    fn one_loosened_statement_refuses(
        order in Just(vec![0usize, 1, 2]).prop_shuffle(), copies in 0..6usize, at in 0..9usize, kind in 0..12usize,
        salt in 0..0xABu8,
    ) {
        let good = good();
        let mut statements: Vec<Value> = order.iter().map(|place| good["Statement"][place].clone()).collect();
        for copy in 0..copies {
            statements.push(good["Statement"][copy % 3].clone());
        }
        let mut policy = good.clone();
        policy["Statement"] = json!(statements);
        prop_assert_eq!(checked(&policy), Ok(()));
        statements.insert(at.min(statements.len()), loosened(kind, salt));
        policy["Statement"] = json!(statements);
        prop_assert!(checked(&policy).is_err(), "{}", policy);
    }

    /// A pin that is off in one digit is refused, and no bytes stop the reader.
    #[test]
    fn one_digit_off_refuses(register in 0..2usize, at in 0..96usize, digit in 0..16u32) {
        let (key, value) = [(IMAGE_PIN, image()), (POLICY_PIN, policy())][register].clone();
        let digit = char::from_digit(digit, 16).unwrap();
        let mut policy = good();
        let changed: String = value.chars().enumerate().map(|(place, old)| if place == at { digit } else { old }).collect();
        policy["Statement"][2]["Condition"]["StringEqualsIgnoreCase"][key] = json!(changed);
        prop_assert_eq!(checked(&policy).is_ok(), changed == value);
    }

    /// The order of statements changes nothing, a denial more never admits more, and a good allowance more never refuses.
    #[test]
    fn statements_are_evaluated_together(
        chosen in prop::collection::vec(0..14usize, 0..8), order in any::<prop::sample::Index>(), denial in 3..14usize,
        allowance in 0..3usize,
    ) {
        let policy = |chosen: &[usize]| {
            let mut policy = good();
            policy["Statement"] = chosen.iter().map(|kind| statement(*kind)).collect();
            KeyPolicy::check(&policy.to_string(), &pins())
        };
        let first = policy(&chosen);
        let mut turned = chosen.clone();
        if !turned.is_empty() {
            let at = order.index(turned.len());
            turned.rotate_left(at);
        }
        turned.reverse();
        prop_assert_eq!(policy(&turned).ok(), first.clone().ok());
        let more = |kind| {
            let mut more = chosen.clone();
            more.insert(order.index(chosen.len() + 1), kind);
            policy(&more)
        };
        match (&first, more(denial)) {
            (Ok(before), Ok(after)) => {
                prop_assert!(after.releases_to.iter().all(|role| before.releases_to.contains(role)));
                let known = |principal: &String| before.changers.iter().any(|changer| changer.principal == *principal);
                prop_assert!(after.changers.iter().all(|changer| known(&changer.principal)));
            }
            (Err(_), Ok(after)) => prop_assert!(false, "a denial admitted {:?}", after),
            (_, Err(_)) => {}
        }
        prop_assert!(first.is_err() || more(allowance).is_ok());
    }

    #[test]
    fn any_text_is_read(text in ".{0,200}") {
        let _ = KeyPolicy::check(&text, &pins());
    }
}
