#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

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

fn checked(policy: &Value) -> Result<(), KeyPolicyError> {
    KeyPolicy::check(&policy.to_string(), &pins()).map(drop)
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
fn the_example_is_accepted_and_so_is_what_narrows() {
    assert_eq!(checked(&good()), Ok(()));
    let condition = |value| checked(&release("Condition", value));
    let (image, policy) = (image(), policy());
    for value in [
        json!({ "StringEquals": { IMAGE_PIN: image, POLICY_PIN: policy } }),
        json!({ "StringEquals": { IMAGE_PIN: [image] }, "StringEqualsIgnoreCase": { POLICY_PIN: policy.to_uppercase() } }),
        json!({ "StringEquals": { "kms:RecipientAttestation:PCR0": image, POLICY_PIN: policy } }),
        json!({ "StringEquals": { IMAGE_PIN: image, POLICY_PIN: policy, "kms:RecipientAttestation:PCR3": "any" } }),
        json!({ "StringEquals": { IMAGE_PIN: image, POLICY_PIN: policy, "kms:RecipientAttestation:PCR0": "other" } }),
        json!({ "StringEquals": { IMAGE_PIN: image, POLICY_PIN: policy }, "StringLike": { IMAGE_PIN: "*" } }),
        json!({ "StringEquals": { IMAGE_PIN: image, POLICY_PIN: policy }, "Bool": { "aws:SecureTransport": "true" } }),
    ] {
        assert_eq!(condition(value.clone()), Ok(()), "{value}");
    }
    let mut denied = good();
    let deny = json!({ "Effect": "Deny", "NotPrincipal": "*", "NotAction": "kms:*", "Resource": "*" });
    denied["Statement"].as_array_mut().unwrap().push(deny);
    assert_eq!(checked(&denied), Ok(()));
    let mut anybody = release("Principal", json!("*"));
    anybody["Statement"][0]["Sid"] = Value::Null;
    assert_eq!(checked(&anybody), Ok(()));
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
    for none in [json!([]), Value::Null, json!([1]), json!({})] {
        assert_eq!(checked(&release("Action", none)), fault("Release", StatementFault::NoAction));
    }
    for member in ["NotAction", "NotPrincipal", "NotResource", "condition", "effect", "X"] {
        assert_eq!(checked(&release(member, json!("*"))), fault("Release", StatementFault::Member(member.into())));
    }
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
fn a_policy_that_nobody_may_change_is_said() {
    let changeable = |policy: &Value| KeyPolicy::check(&policy.to_string(), &pins()).map(|policy| policy.changeable);
    assert_eq!(changeable(&good()), Ok(true));
    let mut frozen = good();
    frozen["Statement"][0]["Action"] = json!(["kms:DescribeKey"]);
    assert_eq!(changeable(&frozen), Ok(false));
}

#[test]
fn nobody_lets_everybody_put_another_policy() {
    let administer = |principal: Value| {
        let mut policy = good();
        policy["Statement"][0]["Principal"] = principal;
        checked(&policy)
    };
    for anybody in
        [json!("*"), json!({ "AWS": "*" }), json!({ "AWS": ["arn:aws:iam::111122223333:root", "*"] }), Value::Null]
    {
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
fn nothing_stands_in_two_spellings() {
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
    assert_eq!(KeyPolicy::check(&twice, &pins()), Err(KeyPolicyError::Form));
}

#[test]
fn the_whole_has_one_form() {
    let changed = |name: &str, value: Value| {
        let mut policy = good();
        policy[name] = value;
        checked(&policy)
    };
    assert_eq!(changed("Version", json!("2008-10-17")), Err(KeyPolicyError::Version));
    assert_eq!(changed("version", json!("2012-10-17")), Err(KeyPolicyError::Member("version".into())));
    assert_eq!(changed("Statement", json!({})), Err(KeyPolicyError::Form));
    assert_eq!(changed("Statement", json!(["x"])), Err(KeyPolicyError::Form));
    assert_eq!(changed("Statement", json!([])), Err(KeyPolicyError::ReleasesNothing));
    assert_eq!(checked(&release("Action", json!("kms:Decrypt"))), Err(KeyPolicyError::ReleasesNothing));
    assert_eq!(KeyPolicy::check(&" ".repeat(32 * 1024 + 1), &pins()), Err(KeyPolicyError::Length));
    for text in ["", "[]", "{} x", "null"] {
        assert_eq!(KeyPolicy::check(text, &pins()), Err(KeyPolicyError::Form));
    }
    let deny_only = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Deny", "Action": "kms:Decrypt" }] });
    assert_eq!(checked(&deny_only), Err(KeyPolicyError::ReleasesNothing));
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

    #[test]
    fn any_text_is_read(text in ".{0,200}") {
        let _ = KeyPolicy::check(&text, &pins());
    }
}
