//! All statements together: what a boot gets, and who may change the key.

use super::*;

#[test]
fn a_denial_that_cannot_concern_the_enclave_is_accepted() {
    let others = json!({ "AWS": ["arn:aws:iam::111122223333:role/other", "arn:aws:iam::999999999999:root"], "Service": "x.amazonaws.com" });
    for statement in [
        json!({ "Effect": "Deny", "Principal": others, "Action": "*", "Resource": "*" }),
        deny(json!(["kms:ScheduleKeyDeletion", "kms:CreateGrant", "kms:Encrypt*"]), json!({})),
        // What others ask for is denied, what this enclave asks for is not.
        deny(json!("kms:Decrypt"), json!({ "StringNotEqualsIgnoreCase": { IMAGE_PIN: image().to_uppercase() } })),
        deny(json!(["kms:Decrypt", "kms:GenerateDataKey"]), json!({ "Null": { IMAGE_PIN: "true" } })),
        deny(json!("kms:*"), json!({ "Bool": { "aws:SecureTransport": false } })),
        deny(json!("kms:*"), json!({ "StringNotEquals": { "kms:CallerAccount": "111122223333" } })),
        deny(json!("kms:*"), json!({ "ArnNotLike": { "aws:PrincipalArn": ["arn:aws:iam::*:role/adyton-*", "x"] } })),
    ] {
        assert_eq!(checked(&with(statement.clone())), Ok(()), "{statement}");
    }
}

/// Each of these was told as "releases to this enclave": denials were not read.
#[test]
fn a_denial_that_may_concern_the_enclave_refuses_and_names_action_and_statement() {
    let denied = |action: &str| format!("{action}: statement \"D\" denies it");
    let may = |action: &str, key: &str| {
        format!("{action}: statement \"D\" may deny it, depending on {key}, which cannot be evaluated here")
    };
    let all = ["kms:DescribeKey", "kms:ListGrants", "kms:GetKeyPolicy", "kms:GenerateDataKey", "kms:Decrypt"];
    let of_all = |said: &dyn Fn(&str) -> String| all.iter().map(|action| said(action)).collect::<Vec<_>>();
    let mfa = "aws:MultiFactorAuthPresent";
    for (statement, expected) in [
        (deny(json!("kms:Decrypt"), json!({})), vec![denied("kms:Decrypt")]),
        (
            deny(json!(["kms:generatedatakey*", "KMS:D?crypt"]), json!({})),
            vec![denied("kms:GenerateDataKey"), denied("kms:Decrypt")],
        ),
        (deny(json!("*"), json!({})), of_all(&denied)),
        (deny(json!("kms:*"), json!({ "BoolIfExists": { mfa: "false" } })), of_all(&denied)),
        (deny(json!("kms:*"), json!({ "Bool": { mfa: false } })), of_all(&|action| may(action, mfa))),
        (
            deny(json!("kms:GetKeyPolicy"), json!({ "NumericLessThan": { "aws:MultiFactorAuthAge": "300" } })),
            vec![may("kms:GetKeyPolicy", "aws:MultiFactorAuthAge")],
        ),
        (deny(json!("kms:Decrypt"), json!({ "StringNotEquals": { POLICY_PIN: "ab" } })), vec![denied("kms:Decrypt")]),
        // DescribeKey brings no document, so the register is not in its context.
        (
            deny(json!("kms:D*"), json!({ "StringNotEqualsIgnoreCase": { IMAGE_PIN: image() } })),
            vec![denied("kms:DescribeKey")],
        ),
        (
            deny(json!("kms:Decrypt"), json!({ "StringNotEquals": { "kms:EncryptionContext:app": "x" } })),
            vec![denied("kms:Decrypt")],
        ),
        (
            deny(json!("kms:Decrypt"), json!({ "StringNotEquals": { "aws:SourceVpce": "vpce-1" } })),
            vec![may("kms:Decrypt", "aws:SourceVpce")],
        ),
        (
            deny(json!("kms:Decrypt"), json!({ "StringEquals": { "kms:RecipientAttestation:PCR3": "ab" } })),
            vec![may("kms:Decrypt", "kms:RecipientAttestation:PCR3")],
        ),
        (
            json!({ "Sid": "D", "Effect": "Deny", "Principal": { "AWS": "111122223333" }, "Action": "kms:Decrypt", "Resource": "*" }),
            vec![
                "kms:Decrypt: statement \"D\" may deny it: its principal may include the enclave's role (a unique id that \
                 AWS shows is one of a deleted principal: remove it)"
                    .into(),
            ],
        ),
        (
            json!({ "Effect": "Deny", "Principal": { "AWS": ROLE }, "Action": "kms:Decrypt", "Resource": "*" }),
            vec!["kms:Decrypt: statement 4 denies it".into()],
        ),
    ] {
        assert_eq!(lacks(&with(statement.clone())), expected, "{statement}");
    }
}

#[test]
fn an_allowance_that_the_enclave_does_not_meet_for_certain_is_none() {
    let release_with = |operator: &str, key: &str, value: Value| {
        let mut condition = json!({ "StringEquals": { IMAGE_PIN: image(), POLICY_PIN: policy() } });
        condition[operator][key] = value;
        release("Condition", condition)
    };
    let both = |said: &str| vec![format!("kms:GenerateDataKey: {said}"), format!("kms:Decrypt: {said}")];
    let contradicts = |key: &str| {
        both(&format!("statement \"Release\" allows it only with another value of {key} than this enclave's"))
    };
    let depends = |key: &str| {
        both(&format!("whether statement \"Release\" allows it depends on {key}, which cannot be evaluated here"))
    };
    let (pcr0, pcr3, genesis) =
        ("kms:RecipientAttestation:PCR0", "kms:RecipientAttestation:PCR3", "kms:EncryptionContext:adyton-genesis");
    for (operator, key, value, expected) in [
        ("StringEquals", pcr0, json!("other"), contradicts(pcr0)),
        ("StringLike", POLICY_PIN, json!("00*"), contradicts(POLICY_PIN)),
        ("StringEquals", "kms:EncryptionContext:app", json!("x"), contradicts("kms:EncryptionContext:app")),
        (
            "ForAllValues:StringEquals",
            "kms:EncryptionContextKeys",
            json!(["app"]),
            contradicts("kms:EncryptionContextKeys"),
        ),
        ("StringEquals", "kms:ViaService", json!("ec2.eu-central-1.amazonaws.com"), contradicts("kms:ViaService")),
        ("Bool", "aws:MultiFactorAuthPresent", json!("true"), contradicts("aws:MultiFactorAuthPresent")),
        ("Null", IMAGE_PIN, json!("true"), contradicts(IMAGE_PIN)),
        (
            "StringEquals",
            "aws:PrincipalArn",
            json!("arn:aws:iam::111122223333:role/other"),
            contradicts("aws:PrincipalArn"),
        ),
        ("StringEquals", pcr3, json!("any"), depends(pcr3)),
        ("StringEquals", genesis, json!("07".repeat(32)), depends(genesis)),
        ("IpAddress", "aws:SourceIp", json!("10.0.0.0/8"), depends("aws:SourceIp")),
        ("StringEquals", "aws:PrincipalTag/team", json!("${aws:username}"), depends("aws:PrincipalTag/team")),
    ] {
        assert_eq!(lacks(&release_with(operator, key, value.clone())), expected, "{operator} {key} {value}");
    }
    // With what is known besides, the same conditions hold.
    let known = pins().with_register(3, &[7; 48]).with_genesis(&[7; 32]);
    let lacks = |policy: &Value| lacks_with(policy, &known);
    assert_eq!(lacks(&release_with("StringEquals", pcr3, json!("07".repeat(48)))), Vec::<String>::new());
    assert_eq!(lacks(&release_with("StringEquals", pcr3, json!("08".repeat(48)))), contradicts(pcr3));
    assert_eq!(lacks(&release_with("StringEquals", genesis, json!("07".repeat(32)))), Vec::<String>::new());
    assert_eq!(lacks(&release_with("StringEquals", genesis, json!("08".repeat(32)))), contradicts(genesis));
}

#[test]
fn every_action_that_a_boot_needs_is_named_if_it_is_missing() {
    let without = |action: &str| {
        let mut policy = good();
        for statement in policy["Statement"].as_array_mut().unwrap() {
            statement["Action"].as_array_mut().unwrap().retain(|known| known != action);
        }
        lacks(&policy)
    };
    for action in ["kms:DescribeKey", "kms:ListGrants", "kms:GetKeyPolicy", "kms:GenerateDataKey", "kms:Decrypt"] {
        assert_eq!(without(action), [format!("{action}: no statement allows it")]);
    }
    // An administrator who may look, and to whom nothing is released, is not the one to be reported.
    let mut policy = good();
    policy["Statement"][0]["Principal"] = json!({ "AWS": "arn:aws:iam::111122223333:user/admin" });
    policy["Statement"][0]["Action"] =
        json!(["kms:PutKeyPolicy", "kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListGrants"]);
    policy["Statement"].as_array_mut().unwrap().remove(1);
    let lacked = ["kms:DescribeKey", "kms:ListGrants", "kms:GetKeyPolicy"];
    assert_eq!(lacks(&policy), lacked.map(|action| format!("{action}: no statement allows it")));
    // One principal needs all of it: the role that may look is not the one that is released to.
    let other = json!({ "AWS": "arn:aws:iam::111122223333:role/other" });
    let looks = ["kms:DescribeKey", "kms:ListGrants", "kms:GetKeyPolicy"];
    let releases = ["kms:GenerateDataKey", "kms:Decrypt"];
    let mut policy = release("Principal", other);
    policy["Statement"][0]["Action"] = json!(["kms:PutKeyPolicy"]);
    assert_eq!(lacks(&policy), lacked.map(|action| format!("{action}: no statement allows it")));
    // An account stands for whom its IAM policies allow, which are not seen here.
    let account = json!({ "AWS": "arn:aws:iam::111122223333:root" });
    // A user's credentials are none that an instance has, and an id may be another role's.
    for principal in ["arn:aws:iam::111122223333:user/alice", "AROAEXAMPLEID1234567"] {
        let mut policy = release("Principal", json!({ "AWS": principal }));
        policy["Statement"][1]["Principal"] = json!({ "AWS": principal });
        assert_eq!(lacks(&policy).len(), 5, "{principal}");
    }
    let said = |action: &str| {
        let statement = if looks.contains(&action) { "Look" } else { "Release" };
        format!(
            "{action}: statement \"{statement}\" allows it to others than a role (an account, a user, a session, a unique id, a \
             wildcard), and whether the enclave's role is one of them cannot be seen here: name the role's ARN instead"
        )
    };
    assert_eq!(lacks(&release("Principal", account.clone())), releases.map(said));
    let mut policy = good();
    policy["Statement"][1]["Principal"] = account;
    assert_eq!(
        lacks(&policy)[1..],
        looks[1..2].iter().chain(&looks[2..]).map(|action| said(action)).collect::<Vec<_>>()
    );
}

#[test]
fn the_role_that_asks_can_be_named() {
    let with_role = |role: &str| KeyPolicy::check(&good().to_string(), &pins().with_role(role)?);
    assert_eq!(with_role(ROLE).unwrap().releases_to, [ROLE]);
    assert!(matches!(with_role("arn:aws:iam::111122223333:role/other"), Err(KeyPolicyError::Withheld(_))));
    let user = "arn:aws:iam::111122223333:user/alice";
    for wrong in ["adyton-enclave", user, "arn:aws:iam::111122223333:root", "*", "arn:aws:iam::111122223333:role/*", ""]
    {
        assert_eq!(with_role(wrong), Err(KeyPolicyError::Role(wrong.into())));
    }
    let anybody = release("Principal", json!("*")).to_string();
    assert_eq!(KeyPolicy::check(&anybody, &pins()).unwrap().releases_to, [ROLE], "looking is the role's");
    let mut anybody = release("Principal", json!("*"));
    anybody["Statement"][1]["Principal"] = json!({ "AWS": "*" });
    assert_eq!(KeyPolicy::check(&anybody.to_string(), &pins()).unwrap().releases_to, ["*"]);
}

#[test]
fn who_may_put_another_policy_is_named() {
    let changers = |policy: &Value| {
        let changers = KeyPolicy::check(&policy.to_string(), &pins()).unwrap().changers;
        changers.into_iter().map(|changer| (changer.principal, changer.conditional)).collect::<Vec<_>>()
    };
    let account = "account 111122223333 (its root user, and whom its IAM policies allow)".to_owned();
    let admin = "arn:aws:iam::111122223333:user/admin";
    assert_eq!(changers(&good()), [(account.clone(), false)]);
    let mut named = good();
    named["Statement"][0]["Principal"] = json!({ "AWS": [admin, "111122223333"] });
    assert_eq!(changers(&named), [(account.clone(), false), (admin.into(), false)]);
    // Denials count: for certain, or under a condition.
    let denied = |principal: Value, condition: Value| {
        let mut statement = deny(json!("kms:Put*"), condition);
        statement["Principal"] = principal;
        let mut policy = named.clone();
        policy["Statement"].as_array_mut().unwrap().push(statement);
        changers(&policy)
    };
    assert_eq!(denied(json!("*"), json!({})), []);
    assert_eq!(denied(json!({ "AWS": admin }), json!({})), [(account.clone(), true)]);
    let mfa = json!({ "BoolIfExists": { "aws:MultiFactorAuthPresent": "false" } });
    assert_eq!(denied(json!("*"), mfa), [(account.clone(), true), (admin.into(), true)]);
    let but_admin = json!({ "ArnNotEquals": { "aws:PrincipalArn": admin } });
    assert_eq!(denied(json!("*"), but_admin), [(account, true), (admin.into(), false)]);
    // A service puts no policies, and every request is over TLS.
    let mut nobody = good();
    nobody["Statement"][0]["Principal"] = json!({ "Service": "ec2.amazonaws.com" });
    assert_eq!(changers(&nobody), []);
    assert_eq!(denied(json!("*"), json!({ "Bool": { "aws:SecureTransport": "true" } })), []);
    // Nobody: this policy stays for ever.
    let mut frozen = good();
    frozen["Statement"][0]["Action"] = json!(["kms:DescribeKey"]);
    assert_eq!(changers(&frozen), []);
    let mut only_others = named.clone();
    only_others["Statement"][0]["Condition"] =
        json!({ "StringEquals": { "aws:PrincipalArn": "arn:aws:iam::1:user/x" } });
    only_others["Statement"][0]["Principal"] = json!({ "AWS": admin });
    assert_eq!(changers(&only_others), []);
}

/// A policy that is put may name a living role or user by its unique id. In one that KMS shows, an id is left of a deleted one.
#[test]
fn a_unique_id_may_be_anybodys_unless_kms_shows_it() {
    let in_force = pins().for_policy_in_force();
    for id in ["AROAEXAMPLEID1234567", "AIDAEXAMPLEID1234567"] {
        let mut denied = good();
        let denial =
            json!({ "Sid": "No", "Effect": "Deny", "Principal": { "AWS": id }, "Action": "kms:*", "Resource": "*" });
        denied["Statement"].as_array_mut().unwrap().push(denial);
        let lacks = lacks(&denied);
        let said = "statement \"No\" may deny it: its principal may include the enclave's role (a unique id that AWS shows is one \
                    of a deleted principal: remove it)";
        assert!(lacks.len() == 5 && lacks.iter().all(|lack| lack.ends_with(said)), "{lacks:?}");
        assert_eq!(KeyPolicy::check(&denied.to_string(), &in_force).unwrap().releases_to, [ROLE]);

        let mut changed = good();
        changed["Statement"][0]["Principal"] = json!({ "AWS": id });
        let text = changed.to_string();
        let named = format!("{id} (a unique id: a role or user; nobody if AWS shows it so, for it was deleted)");
        let changer = Changer { principal: named, conditional: false };
        assert_eq!(KeyPolicy::check(&text, &pins()).unwrap().changers, [changer]);
        assert_eq!(KeyPolicy::check(&text, &in_force).unwrap().changers, []);
    }
}
