//! What many tenants and services cost: a vault of its own is filled through its API, as clients would, and started again.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use adyton_seal::{RecipientPublicKey, SealedPurpose};
use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};

use crate::load::{CONNECTIONS, Measured, run as load};
use crate::requests::expect;
use crate::vault::Vault;
use crate::{Error, Row};

/// With the one that `adyton up` makes they are the 10,000 that open admission lets in.
const TENANTS: usize = 9_999;
/// Services of each.
const SERVICES: usize = 10;
/// A service as people make them.
const SERVICE: &str = "FriendlyName=Corner%20Shop%20Login";
/// By then no snapshot is under way.
const SETTLED: Duration = Duration::from_secs(5);
const MIB: f64 = 1_048_576.0;

pub(crate) async fn run(folder: &Path, print: &mut impl FnMut(Row)) -> Result<(), Error> {
    let folder = folder.join("tenants");
    std::fs::create_dir_all(&folder)?;
    let vault = Rc::new(Vault::start(&folder)?);
    let (idle, _) = vault.resident()?;
    fill(&vault).await?;
    tokio::time::sleep(SETTLED).await;
    let (filled, _) = vault.resident()?;
    let grown = |resident: u64| resident.saturating_sub(idle) as f64 / MIB;
    print(Row::new("tenants and services, filled", "MiB", grown(filled)));
    let Ok(vault) = Rc::try_unwrap(vault) else { return Err("a task still holds the vault".into()) };
    vault.stop()?;

    let again = Vault::start(&folder)?;
    tokio::time::sleep(SETTLED).await;
    let (replayed, _) = again.resident()?;
    print(Row::new("tenants and services, replayed", "MiB", grown(replayed)));
    again.stop()
}

/// What a sealed token needs to know of the vault.
struct Recipient {
    vault_id: [u8; 32],
    key: RecipientPublicKey,
}

impl Recipient {
    async fn of(vault: &Vault) -> Result<Self, Error> {
        let mut connection = vault.connector()?.connect().await?;
        let request = b"GET /adyton/v1/vault HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";
        let said: Value = serde_json::from_slice(expect(200, connection.exchange(request).await?)?)?;
        let field = |name: &str| {
            let bytes = HEXLOWER.decode(said[name].as_str().unwrap_or_default().as_bytes());
            let bytes = bytes.ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            bytes.ok_or_else(|| Error::from(format!("{name} is not 32 bytes")))
        };
        Ok(Self { vault_id: field("vault_id")?, key: RecipientPublicKey(field("hpke_key")?) })
    }
}

/// Each connection makes its share of the tenants, each with its services.
async fn fill(vault: &Rc<Vault>) -> Result<(), Error> {
    let recipient = Rc::new(Recipient::of(vault).await?);
    let shared = Rc::clone(vault);
    let connector = vault.connector()?;
    let done = load(&connector, CONNECTIONS, move |part, mut connection| {
        let (vault, recipient) = (Rc::clone(&shared), Rc::clone(&recipient));
        async move {
            let mut measured = Measured::default();
            for number in (part..TENANTS).step_by(CONNECTIONS) {
                let account = format!("AC{}", HEXLOWER.encode(&adyton_seal::random::<16>()?));
                let token = HEXLOWER.encode(&adyton_seal::random::<16>()?);
                let purpose = SealedPurpose::tenant_token(&recipient.vault_id, &account);
                let sealed = BASE64.encode(&recipient.key.seal(&purpose, token.as_bytes())?);
                let name = format!("Tenant number {number}");
                // Nobody signs here; what counts is that each has a key of its own.
                let key = [b"\0\0\0\x0bssh-ed25519\0\0\0\x20", &adyton_seal::random::<32>()?[..]].concat();
                let body = json!({
                    "account_sid": account, "friendly_name": name, "sealed_token": sealed,
                    "ssh_key": format!("ssh-ed25519 {}", BASE64.encode(&key)),
                });
                expect(201, connection.exchange(&vault.json("/adyton/v1/tenants", &body.to_string())).await?)?;
                for _ in 0..SERVICES {
                    let request = vault.form("/v2/Services", &account, &token, SERVICE);
                    expect(201, connection.exchange(&request).await?)?;
                    measured.done += 1;
                }
            }
            Ok(measured)
        }
    });
    let done = done.await?.done;
    if done == (TENANTS * SERVICES) as u64 { Ok(()) } else { Err(format!("{done} services were made").into()) }
}
