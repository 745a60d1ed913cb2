// The cases of `adyton_policy::CredentialForm`: the tests of policy, enclave and command line include this file, so that each
// side is held to the same ones.

/// Form, secret, and the fault that it has.
fn cases() -> Vec<(CredentialForm, Vec<u8>, Option<CredentialFault>)> {
    use CredentialFault::{Control, Empty, ExternalAccount, Hexadecimal, KeyId, KeyLength, Length, Login, Utf8};
    let (login, webhook) = (CredentialForm::Login, CredentialForm::WebhookKey);
    let external = CredentialForm::ExternalAccount;
    // Bytes of zeros in base64url, by their characters; the last one is not all of six bits.
    let key = |characters: usize| "A".repeat(characters);
    let (shortest, longest) = (key(43), key(86));
    let text = |form, text: &str, fault| (form, text.as_bytes().to_vec(), fault);
    let mut cases = vec![
        text(login, "AC0123:token", None),
        text(login, "Aladdin:open sesame", None),
        text(login, "a:b:c", None),
        text(login, "пользователь:пароль", None),
        text(login, "no colon", Some(Login)),
        text(login, ":token", Some(Login)),
        text(login, "AC0123:", Some(Login)),
        text(login, ":", Some(Login)),
        text(login, "user:pass\r\nQUIT", Some(Control)),
        text(login, "user:two\nlines", Some(Control)),
        text(login, "user:c1\u{85}", Some(Control)),
        (login, b"user:\xFF".to_vec(), Some(Utf8)),
        text(webhook, &"ab".repeat(32), None),
        text(webhook, &"AB".repeat(64), None),
        text(webhook, &"ab".repeat(31), Some(KeyLength { got: 31 })),
        text(webhook, &"ab".repeat(65), Some(KeyLength { got: 65 })),
        text(webhook, "user:password", Some(Hexadecimal)),
        text(webhook, &"a".repeat(65), Some(Hexadecimal)),
        text(webhook, &format!("{} ", "ab".repeat(32)), Some(Hexadecimal)),
        text(external, &format!("kid-1:{shortest}"), None),
        text(external, &format!("kid-1:{longest}"), None),
        text(external, &format!("kid-1:{shortest}="), None),
        text(external, &format!("https://ca.example/kid:1:{shortest}"), None),
        text(external, &format!("{}:{shortest}", "k".repeat(256)), None),
        text(external, &format!("{}:{shortest}", "k".repeat(257)), Some(KeyId)),
        text(external, &format!(":{shortest}"), Some(KeyId)),
        text(external, &format!("k id:{shortest}"), Some(KeyId)),
        text(external, &format!("k\"id:{shortest}"), Some(KeyId)),
        text(external, &format!("k\\id:{shortest}"), Some(KeyId)),
        text(external, &format!("kïd:{shortest}"), Some(KeyId)),
        text(external, "kid", Some(ExternalAccount)),
        text(external, &shortest, Some(ExternalAccount)),
        text(external, "kid:", Some(ExternalAccount)),
        text(external, &format!("kid:{}", key(42)), Some(ExternalAccount)),
        text(external, &format!("kid:{}", key(87)), Some(ExternalAccount)),
        text(external, &format!("kid:{shortest} "), Some(ExternalAccount)),
        text(external, &format!("kid:+{}", key(42)), Some(ExternalAccount)),
        text(external, &format!("kid:\n{shortest}"), Some(Control)),
        (external, [0xFF, b':', b'a'].to_vec(), Some(Utf8)),
    ];
    for form in [login, webhook, external] {
        cases.push((form, Vec::new(), Some(Empty)));
        cases.push((form, vec![b'a'; 4097], Some(Length)));
    }
    let password = vec![b'a'; 4094];
    cases.push((login, [b"u:", &password[..]].concat(), None));
    cases
}
