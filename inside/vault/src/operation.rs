//! Names of operations in their records, and their callers (`docs/spec/02-entries.md`,
//! "Operations").

use adyton_decider::{AnyKind, ClientAddress, CredentialKind, OperationOutcome, OperationRecord};

use crate::{
    Answer, Caller, Command, Denied, Id, KeyedHash, OperationKind, RecordRead, Refusal, Reply, Scope, ServiceId, State,
    User, VerificationId, services, tenancy, verification,
};

const NONE: Id<AnyKind> = Id::MIN;

fn any<K>(id: Id<K>) -> Id<AnyKind> {
    Id::from_bytes(*id.as_bytes())
}

/// An operation that waits for its outcome.
pub(crate) struct OperationRequest {
    credential: CredentialKind,
    sid: Id<AnyKind>,
    service: Id<AnyKind>,
    kind: OperationKind,
    object: Id<AnyKind>,
}

impl OperationRequest {
    fn by(caller: &Caller, kind: OperationKind) -> Self {
        let (credential, sid) = match caller.user {
            User::Account(account) => (CredentialKind::Account, any(account)),
            User::Key(key) => (CredentialKind::Key, any(key)),
        };
        Self { credential, sid, service: NONE, kind, object: NONE }
    }

    fn signed(credential: CredentialKind, sid: Id<AnyKind>, kind: OperationKind, object: Id<AnyKind>) -> Self {
        Self { credential, sid, service: NONE, kind, object }
    }

    fn of(self, service: ServiceId) -> Self {
        Self { service: any(service), ..self }
    }

    fn about(self, verification: Option<VerificationId>) -> Self {
        Self { object: verification.map_or(NONE, any), ..self }
    }

    /// The record, once the answer is known.
    pub(crate) fn record(self, answer: &Answer) -> OperationRecord {
        let Self { credential, sid, service, kind, object } = self;
        // The reply names what was made; of a refusal the object is what the request named.
        let (service, object) = match answer {
            Ok(Reply::Services(services::Reply::Service(view))) => (any(view.service), object),
            _ => (service, object),
        };
        let outcome = match answer {
            Err(refusal) if refusal.denied().is_some() => OperationOutcome::NotPermitted,
            Err(_) if !kind.is_decided_by_secrets() => OperationOutcome::Refused,
            _ => OperationOutcome::Done,
        };
        // The enclave does not know the address: the host hands over bytes of a stream.
        let client = KeyedHash::<ClientAddress>::MIN;
        OperationRecord { credential, sid, service, kind: kind as u8, object, outcome, client }
    }
}

/// The operation and caller of a command, if the caller is authenticated.
pub(crate) fn operation_of(state: &State, command: &Command) -> Option<OperationRequest> {
    let asked = match command {
        Command::Tenancy(command) => return of_tenancy(state, command),
        Command::Services(command) => of_services(command)?,
        Command::Verification(command) => of_verification(command)?,
        // Reads are noted once they are answered.
        Command::RecordRead(_) | Command::Tick(_) => return None,
    };
    let (caller, asked) = asked;
    let denied = state.tenancy.authenticate(caller, Scope::Verify).err();
    (denied != Some(Denied::Unauthorized)).then_some(asked)
}

/// Signatures were verified before there is a command.
fn of_tenancy(state: &State, command: &tenancy::Command) -> Option<OperationRequest> {
    use OperationKind::{ChangeKeys, ChangeSettings, CreateTenant};
    match command {
        // Where anybody may become a tenant, nobody is authenticated yet.
        tenancy::Command::CreateTenant(create) => create
            .admitted
            .map(|_| OperationRequest::signed(CredentialKind::Owners, NONE, CreateTenant, any(create.account))),
        tenancy::Command::ChangeKeys(change) => {
            let account = any(change.account);
            let asked = OperationRequest::signed(CredentialKind::Signer, account, ChangeKeys, account);
            state.tenancy.has_account(change.account).then_some(asked)
        }
        tenancy::Command::ChangeSettings(_) => {
            Some(OperationRequest::signed(CredentialKind::Owners, NONE, ChangeSettings, NONE))
        }
    }
}

fn of_services(command: &services::Command) -> Option<(&Caller, OperationRequest)> {
    use services::Command::{CreateService, DeleteService, Loosen, UpdateService, WithdrawLoosening};
    let (caller, kind, service) = match command {
        CreateService(create) => (&create.caller, OperationKind::CreateService, None),
        UpdateService(update) => (&update.caller, OperationKind::UpdateService, Some(update.service)),
        DeleteService(delete) => (&delete.caller, OperationKind::DeleteService, Some(delete.service)),
        Loosen(loosen) => (&loosen.caller, OperationKind::Loosen, Some(loosen.service)),
        WithdrawLoosening(withdraw) => (&withdraw.caller, OperationKind::WithdrawLoosening, Some(withdraw.service)),
    };
    let asked = OperationRequest { service: service.map_or(NONE, any), ..OperationRequest::by(caller, kind) };
    Some((caller, asked))
}

fn of_verification(command: &verification::Command) -> Option<(&Caller, OperationRequest)> {
    use verification::Command::{Approve, Cancel, Check, CountRepeat, LookUp, ReportDelivery, Start};
    Some(match command {
        Start(start) => (&start.caller, OperationRequest::by(&start.caller, OperationKind::Start).of(start.service)),
        Check(check) => {
            let asked = OperationRequest::by(&check.caller, OperationKind::Check).of(check.service);
            (&check.caller, asked.about(check.target.sid()))
        }
        Cancel(cancel) => {
            let asked = OperationRequest::by(&cancel.caller, OperationKind::Cancel).of(cancel.service);
            (&cancel.caller, asked.about(cancel.target.sid()))
        }
        Approve(approve) => {
            let asked = OperationRequest::by(&approve.caller, OperationKind::Approve).of(approve.service);
            (&approve.caller, asked.about(approve.target.sid()))
        }
        LookUp(look) => {
            (&look.caller, OperationRequest::by(&look.caller, OperationKind::LookUp).about(Some(look.verification)))
        }
        ReportDelivery(_) | CountRepeat(_) => return None,
    })
}

impl RecordRead {
    /// The record of a read.
    pub(crate) fn record(&self) -> OperationRecord {
        let asked = OperationRequest::by(&self.caller, self.kind);
        let service = self.service.map_or(NONE, any);
        let OperationRequest { credential, sid, kind, object, .. } = asked.about(self.verification);
        let outcome = if self.permitted { OperationOutcome::Done } else { OperationOutcome::NotPermitted };
        let client = KeyedHash::<ClientAddress>::MIN;
        OperationRecord { credential, sid, service, kind: kind as u8, object, outcome, client }
    }
}

impl Refusal {
    /// Why the caller may not, if that is it.
    fn denied(&self) -> Option<Denied> {
        match self {
            Self::Tenancy(tenancy::Refusal::Denied(denied))
            | Self::Services(services::Refusal::Denied(denied))
            | Self::Verification(verification::Refusal::Denied(denied)) => Some(*denied),
            _ => None,
        }
    }
}
