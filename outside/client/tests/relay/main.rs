//! Whom the client speaks with: a vault that shows what it is, and nobody who sits between or looks alike.

#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]
#![allow(clippy::panic, reason = "the same")]

mod vault;

use std::net::SocketAddr;
use std::sync::Arc;

use adyton_attest::{AppraisalPolicy, Refusal, Root};
use adyton_client::{Attestation, Client, ClientError, Endpoint, Request, Response, Sealer};
use bytes::Bytes;
use tokio::time::{Duration, sleep};
use vault::{Fault, Platform, SystemCa, VAULT_ID, Vault, middlebox, serve};

struct World {
    _folder: tempfile::TempDir,
    platform: Arc<Platform>,
    system: SystemCa,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let platform = Arc::new(Platform::new(folder.path()));
        Self { _folder: folder, platform, system: SystemCa::new() }
    }

    fn attested(&self, address: SocketAddr) -> Client {
        Client::attested(endpoint(address), attestation(&self.platform.root))
    }
}

fn endpoint(address: SocketAddr) -> Endpoint {
    format!("https://localhost:{}", address.port()).parse().unwrap()
}

fn attestation(root: &[u8]) -> Attestation {
    Attestation { root: Root::explicit(root.to_vec()), policy: AppraisalPolicy::any_code(VAULT_ID) }
}

const SECRET: Request<'static> = Request { method: "POST", path: "/secret", headers: &[], body: Bytes::new() };

#[tokio::test]
async fn a_vault_that_shows_what_it_is_is_spoken_with() {
    let world = World::new();
    let identity = world.system.identity();
    let vault = Vault::new(&world.platform, identity.spki_hash, VAULT_ID, Fault::Nothing);
    let address = serve(&identity, Arc::clone(&vault)).await;
    let client = world.attested(address);
    for _ in 0..3 {
        let Response { status, body, .. } = client.send(&SECRET).await.unwrap();
        assert_eq!((status, &body[..]), (200, &b"/secret"[..]));
        // Where the connection was closed, as it should be, nobody took it.
        vault.slow.forget_permits(1);
    }
    assert_eq!(vault.told.lock().unwrap().len(), 3);
    let hpke = client.appraise(|appraised| appraised.unwrap().bundle().hpke_key).await.unwrap();
    assert_eq!(hpke, vault.bundle.hpke_key);
    let sealed = client.appraise(|appraised| Sealer::new(appraised.unwrap()).tenant_token("AC", b"token")).await;
    // X25519 with the made-up key works, whether anybody can open it or not.
    assert!(sealed.unwrap().is_ok());
}

/// A vault with a public certificate besides: the name's, with another key than its evidence names.
#[tokio::test]
async fn under_a_public_name_the_boots_own_key_is_shown_to_who_demands_it() {
    let world = World::new();
    let (own, public) = (world.system.identity(), world.system.identity());
    let vault = Vault::new(&world.platform, own.spki_hash, VAULT_ID, Fault::Nothing);
    let address = serve(&SystemCa::beside(&own, &public), Arc::clone(&vault)).await;
    assert_eq!(world.attested(address).send(&SECRET).await.unwrap().status, 200);
    // One that would show it to everybody is refused.
    let refused = world.attested(serve(&public, vault).await).send(&SECRET).await.unwrap_err();
    let ClientError::NotTheAttestedKey { expected, got } = refused else { panic!("{refused}") };
    assert_eq!((expected, got), (own.spki_hash, public.spki_hash));
}

/// The relay attack: a certificate that the system trusts, and all of the vault's own answers.
#[tokio::test]
async fn somebody_between_is_refused_whatever_certificate_he_has() {
    let world = World::new();
    let (identity, his) = (world.system.identity(), world.system.identity());
    let vault = Vault::new(&world.platform, identity.spki_hash, VAULT_ID, Fault::Nothing);
    let between = middlebox(&his, serve(&identity, Arc::clone(&vault)).await, &world.system).await;

    let refused = world.attested(between).send(&SECRET).await.unwrap_err();
    let ClientError::NotTheAttestedKey { expected, got } = refused else { panic!("{refused}") };
    assert_eq!((expected, got), (identity.spki_hash, his.spki_hash));
    assert_eq!(vault.told.lock().unwrap().len(), 0);

    // Who trusts the operator's certificates speaks with him.
    let trusting = Client::trusting_the_operator(endpoint(between), &world.system.certificate).unwrap();
    assert_eq!(trusting.send(&SECRET).await.unwrap().status, 200);
    assert_eq!(vault.told.lock().unwrap().len(), 1);
}

/// Who has the TLS key besides, but no attested key that signs, has no binding for his connection.
#[tokio::test]
async fn a_binding_of_another_connection_is_refused() {
    let world = World::new();
    let identity = world.system.identity();
    let vault = Vault::new(&world.platform, identity.spki_hash, VAULT_ID, Fault::BindsAnotherChannel);
    let address = serve(&identity, Arc::clone(&vault)).await;
    assert!(world.attested(address).send(&SECRET).await.is_ok());
    let refused = world.attested(address).send(&SECRET).await.unwrap_err();
    assert!(matches!(refused, ClientError::Refused(Refusal::ChannelBinding)), "{refused}");
    assert_eq!(vault.told.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn replayed_evidence_is_refused() {
    let world = World::new();
    let identity = world.system.identity();
    let vault = Vault::new(&world.platform, identity.spki_hash, VAULT_ID, Fault::Replays);
    let address = serve(&identity, vault).await;
    assert!(world.attested(address).send(&SECRET).await.is_ok());
    let refused = world.attested(address).send(&SECRET).await.unwrap_err();
    assert!(matches!(refused, ClientError::Refused(Refusal::NonceProof(_))), "{refused}");
}

#[tokio::test]
async fn another_vault_and_another_root_are_refused() {
    let world = World::new();
    let identity = world.system.identity();
    let vault = Vault::new(&world.platform, identity.spki_hash, [8; 32], Fault::Nothing);
    let address = serve(&identity, Arc::clone(&vault)).await;
    let refused = world.attested(address).send(&SECRET).await.unwrap_err();
    let ClientError::Refused(Refusal::VaultId { expected, got }) = refused else { panic!("{refused}") };
    assert_eq!((expected, got), (VAULT_ID, [8; 32]));

    let other = World::new();
    let client = Client::attested(endpoint(address), attestation(&other.platform.root));
    let refused = client.send(&SECRET).await.unwrap_err();
    assert!(matches!(refused, ClientError::Refused(Refusal::Root { .. })), "{refused}");
    let aws = Attestation { root: Root::aws(), policy: AppraisalPolicy::any_code([8; 32]) };
    let refused = Client::attested(endpoint(address), aws).send(&SECRET).await.unwrap_err();
    assert!(matches!(refused, ClientError::Refused(Refusal::Root { .. })), "{refused}");
    assert_eq!(vault.told.lock().unwrap().len(), 0);
}

/// What was convinced once is not believed on the next connection.
#[tokio::test]
async fn each_connection_is_appraised_anew() {
    let world = World::new();
    let identity = world.system.identity();
    let vault = Vault::new(&world.platform, identity.spki_hash, VAULT_ID, Fault::Ends);
    let address = serve(&identity, Arc::clone(&vault)).await;
    let client = world.attested(address);
    for _ in 0..2 {
        assert_eq!(client.send(&SECRET).await.unwrap().status, 200);
    }
    // Another one at the same address, with the same key and certificate.
    let other = Vault::new(&world.platform, identity.spki_hash, [8; 32], Fault::Nothing);
    *vault.replaced.lock().unwrap() = Some(Arc::clone(&other));
    let refused = client.send(&SECRET).await.unwrap_err();
    assert!(matches!(refused, ClientError::Refused(Refusal::VaultId { .. })), "{refused}");
    assert_eq!(other.told.lock().unwrap().len(), 0);
    // And the old one again.
    *vault.replaced.lock().unwrap() = None;
    assert_eq!(client.send(&SECRET).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_server_without_evidence_is_no_vault() {
    let world = World::new();
    let identity = world.system.identity();
    let vault = Vault::new(&world.platform, identity.spki_hash, VAULT_ID, Fault::NoVault);
    let address = serve(&identity, vault).await;
    let refused = world.attested(address).send(&SECRET).await.unwrap_err();
    assert!(matches!(refused, ClientError::NoEvidence { status: 404, .. }), "{refused}");
}

/// A rate limit is not a broken vault.
#[tokio::test]
async fn a_rate_limit_is_named_with_its_time() {
    let world = World::new();
    let identity = world.system.identity();
    let vault = Vault::new(&world.platform, identity.spki_hash, VAULT_ID, Fault::RateLimits);
    let refused = world.attested(serve(&identity, vault).await).send(&SECRET).await.unwrap_err();
    assert!(matches!(refused, ClientError::RateLimited { retry_after: Some(7) }), "{refused}");
    assert_eq!(refused.to_string(), "the server limits the rate of requests (429): try again after 7 s");
}

/// A caller that stops waiting for an answer does not leave it to the next request, however late it comes.
#[tokio::test]
async fn an_answer_that_nobody_waits_for_is_nobody_elses() {
    let world = World::new();
    let identity = world.system.identity();
    let vault = Vault::new(&world.platform, identity.spki_hash, VAULT_ID, Fault::Nothing);
    let address = serve(&identity, Arc::clone(&vault)).await;
    let client = Arc::new(world.attested(address));
    assert!(client.send(&SECRET).await.is_ok());
    for round in 1..=2 {
        let asking = Arc::clone(&client);
        let asking = tokio::spawn(async move {
            let slow = Request { method: "POST", path: "/slow", headers: &[], body: Bytes::new() };
            asking.send(&slow).await.is_ok()
        });
        while vault.told.lock().unwrap().len() < 2 * round {
            sleep(Duration::from_millis(2)).await;
        }
        asking.abort();
        assert!(asking.await.unwrap_err().is_cancelled());
        vault.slow.add_permits(1);
        let Response { status, body, .. } = client.send(&SECRET).await.unwrap();
        assert_eq!((status, &body[..]), (200, &b"/secret"[..]));
        // Where the connection was closed, as it should be, nobody took it.
        vault.slow.forget_permits(1);
    }
    // Nothing was sent twice.
    assert_eq!(*vault.told.lock().unwrap(), ["/secret", "/slow", "/secret", "/slow", "/secret"]);
}
