//! What can be asked, and what AWS answers.

use adyton_seal::random;
use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};

use super::identity::Principal;
use super::keys::{Context, Grant, Key, Keys};
use super::policy::{self, Facts, Verdict};
use super::recipient::{self, Platform, Recipient};
use super::{ACCOUNT, Refusal};

type Answer = Result<Value, Refusal>;

/// One authenticated request.
pub(super) struct Call<'a> {
    pub(super) caller: Principal,
    pub(super) request: &'a Value,
    pub(super) platform: &'a Platform,
    pub(super) now: u64,
}

impl Call<'_> {
    /// Carries it out; `None` for an action that is not played.
    pub(super) fn run(&self, action: &str, keys: &mut Keys) -> Option<Answer> {
        Some(match action {
            "CreateKey" => self.create_key(keys),
            "DescribeKey" => self.of_key(keys, action).map(|key| json!({ "KeyMetadata": metadata(key) })),
            "GetKeyPolicy" => {
                self.of_key(keys, action).map(|key| json!({ "Policy": key.policy, "PolicyName": "default" }))
            }
            "PutKeyPolicy" => self.put_key_policy(keys),
            "ListGrants" => self.of_key(keys, action).map(|key| {
                let grants: Vec<Value> = key.grants.iter().map(|grant| shown(key, grant)).collect();
                json!({ "Grants": grants, "Truncated": false })
            }),
            "CreateGrant" => self.create_grant(keys),
            "RevokeGrant" => self.revoke_grant(keys),
            "GenerateDataKey" => self.generate_data_key(keys),
            "Decrypt" => self.decrypt(keys),
            _ => return None,
        })
    }

    fn text(&self, name: &str) -> Result<&str, Refusal> {
        let missing = || Refusal::validation(format!("1 validation error detected: Value null at '{name}'"));
        self.request[name].as_str().ok_or_else(missing)
    }

    fn context(&self) -> Context {
        let members = self.request["EncryptionContext"].as_object().into_iter().flatten();
        members.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
    }

    /// The key of a request that the caller may have carried out.
    fn of_key<'k>(&self, keys: &'k mut Keys, action: &str) -> Result<&'k mut Key, Refusal> {
        let key = keys.find(self.text("KeyId")?)?;
        self.authorize(key, action, None)?;
        Ok(key)
    }

    fn authorize(&self, key: &Key, action: &str, recipient: Option<&Recipient>) -> Result<(), Refusal> {
        let mut facts = Facts::from([("kms:calleraccount".into(), ACCOUNT.into())]);
        facts.extend(recipient.iter().flat_map(|recipient| recipient.facts.clone()));
        let context = self.context().into_iter();
        facts.extend(context.map(|(name, value)| (format!("kms:encryptioncontext:{name}").to_lowercase(), value)));
        let granted = key.grants.iter().any(|grant| {
            grant.grantee == self.caller.arn() && grant.operations.iter().any(|operation| operation == action)
        });
        let policy = policy::parse(&key.policy)?;
        let why = match policy::evaluate(&policy, self.caller, &format!("kms:{action}"), &facts) {
            Verdict::Allowed => return Ok(()),
            Verdict::Nothing if granted => return Ok(()),
            Verdict::Nothing => format!("because no resource-based policy allows the kms:{action} action"),
            Verdict::Denied => "with an explicit deny in a resource-based policy".into(),
        };
        Err(self.denied(action, &key.arn, &why))
    }

    fn denied(&self, action: &str, resource: &str, why: &str) -> Refusal {
        let caller = self.caller.caller_arn();
        let message =
            format!("User: {caller} is not authorized to perform: kms:{action} on resource: {resource} {why}");
        Refusal::new("AccessDeniedException", message)
    }

    fn create_key(&self, keys: &mut Keys) -> Answer {
        if self.caller != Principal::Administrator {
            let why = "because no identity-based policy allows the kms:CreateKey action";
            return Err(self.denied("CreateKey", "*", why));
        }
        let given = self.request["Policy"].as_str();
        let by_default = json!({
            "Version": "2012-10-17", "Id": "key-default-1",
            "Statement": [{
                "Sid": "Enable IAM User Permissions", "Effect": "Allow",
                "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:root") }, "Action": "kms:*", "Resource": "*",
            }],
        });
        given.map(policy::parse).transpose()?;
        let policy = given.map_or_else(|| by_default.to_string(), str::to_owned);
        Ok(json!({ "KeyMetadata": metadata(keys.create(policy, self.now)?) }))
    }

    fn put_key_policy(&self, keys: &mut Keys) -> Answer {
        let text = self.text("Policy")?.to_owned();
        let key = self.of_key(keys, "PutKeyPolicy")?;
        let policy = policy::parse(&text)?;
        let stays = policy::evaluate(&policy, self.caller, "kms:PutKeyPolicy", &Facts::new()) == Verdict::Allowed;
        if !stays && self.request["BypassPolicyLockoutSafetyCheck"] != true {
            let message = "The new key policy will not allow you to update the key policy in the future.";
            return Err(Refusal::new("MalformedPolicyDocumentException", message));
        }
        key.policy = text;
        keys.save()?;
        Ok(json!({}))
    }

    fn create_grant(&self, keys: &mut Keys) -> Answer {
        let grantee = self.text("GranteePrincipal")?.to_owned();
        let operations = self.request["Operations"].as_array().into_iter().flatten();
        let operations = operations.filter_map(|operation| operation.as_str().map(str::to_owned)).collect();
        let id: [u8; 32] = random().map_err(|_| Refusal::new("KMSInternalException", ""))?;
        let id = HEXLOWER.encode(&id);
        let key = self.of_key(keys, "CreateGrant")?;
        key.grants.push(Grant { id: id.clone(), grantee, operations });
        keys.save()?;
        Ok(json!({ "GrantId": id, "GrantToken": id }))
    }

    fn revoke_grant(&self, keys: &mut Keys) -> Answer {
        let id = self.text("GrantId")?.to_owned();
        self.of_key(keys, "RevokeGrant")?.grants.retain(|grant| grant.id != id);
        keys.save()?;
        Ok(json!({}))
    }

    fn generate_data_key(&self, keys: &mut Keys) -> Answer {
        let key = keys.find(self.text("KeyId")?)?;
        let recipient = recipient::verified(self.request, self.platform, self.now)?;
        self.authorize(key, "GenerateDataKey", recipient.as_ref())?;
        let is_32 = self.request["NumberOfBytes"] == 32 || self.request["KeySpec"] == "AES_256";
        if !is_32 {
            return Err(Refusal::validation("NumberOfBytes: only 32 are played"));
        }
        let secret: [u8; 32] = random().map_err(|_| Refusal::new("KMSInternalException", ""))?;
        let ciphertext = BASE64.encode(&key.encrypt(&secret, &self.context())?);
        let mut answer = released(&key.arn, &secret, recipient.as_ref())?;
        answer["CiphertextBlob"] = ciphertext.into();
        Ok(answer)
    }

    fn decrypt(&self, keys: &mut Keys) -> Answer {
        let ciphertext = BASE64.decode(self.text("CiphertextBlob")?.as_bytes());
        let ciphertext = ciphertext.map_err(|_| Refusal::new("InvalidCiphertextException", ""))?;
        let of_ciphertext = keys.of_ciphertext(&ciphertext).map(|key| key.arn.clone());
        let named =
            self.request["KeyId"].as_str().map(|name| keys.find(name).map(|key| key.arn.clone())).transpose()?;
        let arn =
            named.or_else(|| of_ciphertext.clone()).ok_or_else(|| Refusal::new("InvalidCiphertextException", ""))?;
        let key = keys.find(&arn)?;
        let recipient = recipient::verified(self.request, self.platform, self.now)?;
        self.authorize(key, "Decrypt", recipient.as_ref())?;
        if of_ciphertext.as_ref() != Some(&arn) {
            let message = "The key ID in the request does not identify a CMK that can perform this operation.";
            return Err(Refusal::new("IncorrectKeyException", message));
        }
        let secret = key.decrypt(&ciphertext, &self.context())?;
        let mut answer = released(&key.arn, secret.as_bytes(), recipient.as_ref())?;
        answer["EncryptionAlgorithm"] = "SYMMETRIC_DEFAULT".into();
        Ok(answer)
    }
}

/// A secret: sealed to a recipient, if there is one, else in the clear.
fn released(arn: &str, secret: &[u8], recipient: Option<&Recipient>) -> Answer {
    Ok(match recipient {
        Some(recipient) => {
            let sealed = BASE64.encode(&recipient.seal(secret)?);
            json!({ "KeyId": arn, "CiphertextForRecipient": sealed, "Plaintext": "" })
        }
        None => json!({ "KeyId": arn, "Plaintext": BASE64.encode(secret) }),
    })
}

fn shown(key: &Key, grant: &Grant) -> Value {
    json!({
        "GrantId": grant.id, "KeyId": key.arn, "GranteePrincipal": grant.grantee, "Operations": grant.operations,
        "IssuingAccount": format!("arn:aws:iam::{ACCOUNT}:root"), "Name": "",
    })
}

fn metadata(key: &mut Key) -> Value {
    json!({
        "AWSAccountId": ACCOUNT, "KeyId": key.id(), "Arn": key.arn, "CreationDate": key.created, "Enabled": true,
        "Description": "", "KeyUsage": "ENCRYPT_DECRYPT", "KeyState": "Enabled", "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER", "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT", "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"], "MultiRegion": false,
    })
}
