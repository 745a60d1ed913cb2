//! `POST /adyton/v1/tenants`: a tenant's client introduces itself with a token that it made and sealed, and with the SSH key
//! that signs for it; `GET /adyton/v1/account`.

use std::sync::Arc;

use adyton_api::{Account, ApiKey, ServiceLoosening, Tenant, timestamp};
use adyton_ledger::{SshKeyError, SshPublicKey, base64, sha256};
use adyton_seal::SealedPurpose;
use adyton_vault::{
    AccountId, AccountView, CreateTenant, FetchAccount, KeyId, Loosening, Scopes, ServiceId, TenantView, TokenHash,
    User, tenancy,
};
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use data_encoding::BASE64_NOPAD;

use super::Api;
use super::answer::{ApiError, json};
use super::body::Body;
use super::budget::Payer;
use super::json::{MemberError, parse as parse_json};
use super::large::measured;
use super::services::pending;
use super::workers::Kind;
use crate::hashes;

/// An [`adyton_api::CreateTenant`] whose fields have their form. Its token was not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRequest {
    /// The account that the client chose.
    pub account: AccountId,
    /// A name for people.
    pub friendly_name: String,
    /// The token, sealed to the vault.
    pub sealed_token: Vec<u8>,
    /// Blob of the OpenSSH public key that signs for the tenant.
    pub ssh_key: Vec<u8>,
}

/// Why a body is not a [`TenantRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TenantRequestError {
    /// This member.
    Member(MemberError),
    /// The token is not base64: it does not open.
    SealedToken,
    /// The key cannot sign here.
    SshKey(SshKeyError),
}

impl TenantRequest {
    /// Parses a body.
    ///
    /// # Errors
    /// [`TenantRequestError`], the first field that is wrong.
    pub fn parse(body: &[u8]) -> Result<Self, TenantRequestError> {
        let request: adyton_api::CreateTenant = parse_json(body).map_err(TenantRequestError::Member)?;
        let field = |name, expected| TenantRequestError::Member(MemberError::field(name, expected));
        let account = AccountId::parse(&request.account_sid).ok().filter(|account| *account != AccountId::MIN);
        let friendly_name = tenant_name(&request.friendly_name);
        let sealed_token = base64::decode(request.sealed_token.as_bytes());
        let ssh_key: Result<SshPublicKey, _> = request.ssh_key.parse();
        Ok(Self {
            account: account.ok_or(field("account_sid", "AC and 32 hexadecimal digits, not all of them 0"))?,
            friendly_name: friendly_name
                .ok_or(field("friendly_name", "1 to 64 characters, none of them a control character"))?,
            ssh_key: ssh_key.map_err(TenantRequestError::SshKey)?.blob().to_vec(),
            sealed_token: sealed_token.ok_or(TenantRequestError::SealedToken)?,
        })
    }
}

impl From<TenantRequestError> for ApiError {
    fn from(error: TenantRequestError) -> Self {
        match error {
            TenantRequestError::Member(error) => error.into(),
            TenantRequestError::SealedToken => Self::sealed("sealed_token"),
            TenantRequestError::SshKey(error) => Self::because("ssh_key", &error.to_string()),
        }
    }
}

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Extension(payer): Extension<Payer>,
    Body(body): Body,
) -> Result<Response, ApiError> {
    // What is parsed is held while it waits for a worker, in place of the body.
    let _parsed = api.budget.take(payer, body.len())?;
    let request = TenantRequest::parse(&body)?;
    drop(body);
    admit(&api, request, None).await
}

/// Creates a tenant; `admitted` is the sequence of the owners' request that says so, whose signatures were verified.
pub(super) async fn admit(api: &Arc<Api>, request: TenantRequest, admitted: Option<u64>) -> Result<Response, ApiError> {
    let TenantRequest { account, friendly_name, sealed_token, ssh_key } = request;
    let opening = Arc::clone(api);
    let kind = if admitted.is_some() { Kind::Owners } else { Kind::Stranger };
    let token_hash = api.workers.run(kind, move || {
        let purpose = SealedPurpose::tenant_token(&opening.vault_id, &account.text());
        opening.token_hash(User::Account(account), &purpose, &sealed_token)
    });
    let token_hash = token_hash.await??;
    let view = api.ask(CreateTenant { account, token_hash, friendly_name, ssh_key, admitted }).await;
    let view = view.map_err(|failure| ApiError::failure(failure, "/adyton/v1/tenants"))?;
    Ok(json(StatusCode::CREATED, &tenant(view)))
}

pub(crate) async fn fetch(
    State(api): State<Arc<Api>>,
    Extension(payer): Extension<Payer>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let caller = api.caller(&headers)?;
    let view = api.read(&FetchAccount { caller }).await;
    let view = view.map_err(|failure| ApiError::failure(failure, "/adyton/v1/account"))?;
    measured(&api.budget, payer, StatusCode::OK, &account(view))
}

impl Api {
    /// Opens a token that a client made and sealed, and hashes it at once. Runs in a worker.
    pub(super) fn token_hash(&self, user: User, purpose: &SealedPurpose, sealed: &[u8]) -> Result<TokenHash, ApiError> {
        let refused = || ApiError::sealed(if matches!(user, User::Key(_)) { "sealed_secret" } else { "sealed_token" });
        let token = self.recipient.open(purpose, sealed).map_err(|_| refused())?;
        let well_formed = (32..=64).contains(&token.len()) && token.as_bytes().iter().all(u8::is_ascii_alphanumeric);
        if !well_formed {
            return Err(refused());
        }
        Ok(hashes::token_hash(&self.token_key, user, token.as_bytes()))
    }
}

fn tenant(TenantView { account, friendly_name, created }: TenantView) -> Tenant {
    Tenant { account_sid: account.text(), friendly_name, date_created: timestamp(created) }
}

fn account(AccountView { account, loosenings }: AccountView) -> Account {
    let tenancy::AccountView { tenant: of, ssh_key, next_sequence, keys } = account;
    let Tenant { account_sid, friendly_name, date_created } = tenant(of);
    let key = |(sid, scopes): (KeyId, Scopes)| ApiKey {
        key_sid: sid.text(),
        scopes: scopes.list().map(|scope| scope.text().into()).collect(),
    };
    let waiting = |(sid, loosening): (ServiceId, Loosening)| ServiceLoosening {
        service_sid: sid.text(),
        loosening: pending(&loosening),
    };
    Account {
        account_sid,
        friendly_name,
        ssh_key: format!("SHA256:{}", BASE64_NOPAD.encode(&sha256(&ssh_key).0)),
        next_sequence,
        keys: keys.into_iter().map(key).collect(),
        pending_loosenings: loosenings.into_iter().map(waiting).collect(),
        date_created,
    }
}

/// A tenant's name: 1 … 64 characters, none of them a control character.
fn tenant_name(text: &str) -> Option<String> {
    let plain = (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    plain.then(|| text.to_owned())
}
