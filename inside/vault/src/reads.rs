//! Reads: what is answered from a view. They change nothing, so none is a command and none waits in
//! a queue.

use alloc::vec::Vec;

use adyton_services::{Loosening, Services};

use crate::verification::ReadHandles;
use crate::{
    AccountId, Caller, Denied, FetchService, FetchVerification, KeyId, ListServices, OperationKind, RecordRead, Rules,
    Scopes, Seconds, ServiceId, ServicePage, ServiceView, SubjectSalt, VerificationView, View, services, tenancy,
    verification,
};

/// A read and the types of its answer.
pub trait Read {
    /// The predefined output.
    type Reply;
    /// Why it may be refused.
    type Refusal;

    /// The answer as the view has it, under the rules of now.
    ///
    /// # Errors
    /// The refusal.
    fn answer(&self, view: &View, rules: &Rules, now: Seconds) -> Result<Self::Reply, Self::Refusal>;

    /// Its record, as if it was permitted.
    fn request(&self) -> RecordRead;

    /// Why the caller may not read, if that is the refusal.
    fn denied(refusal: &Self::Refusal) -> Option<Denied>;

    /// The record of it; none for a caller whose token is wrong.
    fn record(&self, answer: &Result<Self::Reply, Self::Refusal>) -> Option<RecordRead> {
        let denied = answer.as_ref().err().and_then(Self::denied);
        (denied != Some(Denied::Unauthorized)).then(|| RecordRead { permitted: denied.is_none(), ..self.request() })
    }
}

/// A tenant, its keys, and its waiting loosenings.
pub struct FetchAccount {
    /// The caller.
    pub caller: Caller,
}

/// A tenant with all that its admins see.
pub struct AccountView {
    /// The tenant and its keys.
    pub account: tenancy::AccountView,
    /// Its services with a waiting loosening, soonest first.
    pub loosenings: Vec<(ServiceId, Loosening)>,
}

impl Read for FetchAccount {
    type Reply = AccountView;
    type Refusal = Denied;

    fn answer(&self, view: &View, _: &Rules, _: Seconds) -> Result<AccountView, Denied> {
        let account = tenancy::account(&view.tenancy, &self.caller)?;
        let loosenings = view.services.loosenings_of(account.tenant.account).collect();
        Ok(AccountView { account, loosenings })
    }

    fn request(&self) -> RecordRead {
        RecordRead {
            caller: self.caller,
            kind: OperationKind::FetchAccount,
            service: None,
            verification: None,
            permitted: true,
        }
    }

    fn denied(refusal: &Self::Refusal) -> Option<Denied> {
        Some(*refusal)
    }
}

impl Read for FetchService {
    type Reply = ServiceView;
    type Refusal = services::Refusal;

    fn answer(&self, view: &View, _: &Rules, _: Seconds) -> Result<ServiceView, services::Refusal> {
        services::fetch(&view.services, &view.tenancy, self)
    }

    fn request(&self) -> RecordRead {
        RecordRead {
            caller: self.caller,
            kind: OperationKind::FetchService,
            service: Some(self.service),
            verification: None,
            permitted: true,
        }
    }

    fn denied(refusal: &Self::Refusal) -> Option<Denied> {
        match refusal {
            services::Refusal::Denied(denied) => Some(*denied),
            _ => None,
        }
    }
}

impl Read for ListServices {
    type Reply = ServicePage;
    type Refusal = services::Refusal;

    fn answer(&self, view: &View, _: &Rules, _: Seconds) -> Result<ServicePage, services::Refusal> {
        services::list(&view.services, &view.tenancy, self)
    }

    fn request(&self) -> RecordRead {
        RecordRead {
            caller: self.caller,
            kind: OperationKind::ListServices,
            service: None,
            verification: None,
            permitted: true,
        }
    }

    fn denied(refusal: &Self::Refusal) -> Option<Denied> {
        match refusal {
            services::Refusal::Denied(denied) => Some(*denied),
            _ => None,
        }
    }
}

impl Read for FetchVerification {
    type Reply = VerificationView;
    type Refusal = verification::Refusal;

    fn answer(&self, view: &View, rules: &Rules, now: Seconds) -> Result<VerificationView, verification::Refusal> {
        let services = Services::new(&view.services, &rules.services);
        let handles = ReadHandles { tenancy: &view.tenancy, services };
        verification::fetch(&view.verification, &handles, self, now)
    }

    fn request(&self) -> RecordRead {
        RecordRead {
            caller: self.caller,
            kind: OperationKind::FetchVerification,
            service: Some(self.service),
            verification: self.target.sid(),
            permitted: true,
        }
    }

    fn denied(refusal: &Self::Refusal) -> Option<Denied> {
        match refusal {
            verification::Refusal::Denied(denied) => Some(*denied),
            _ => None,
        }
    }
}

/// Look-ups of the edge before there is a command. The state may be about to change; the decider
/// decides.
impl View {
    /// The caller's account and what it may do there, if its token is right; in constant time.
    pub fn identify(&self, caller: &Caller) -> Option<(AccountId, Scopes)> {
        self.tenancy.identify(caller)
    }

    /// The account that an API key belongs to.
    pub fn account_of(&self, key: KeyId) -> Option<AccountId> {
        self.tenancy.account_of(key)
    }

    /// The salt of a tenant's subject hashes. It never changes.
    pub fn salt(&self, account: AccountId) -> Option<SubjectSalt> {
        self.tenancy.salt(account)
    }

    /// A tenant's SSH public key, empty for none, and the sequence that its next signed request must
    /// have.
    pub fn signer(&self, account: AccountId) -> Option<(&[u8], u64)> {
        self.tenancy.signer(account)
    }

    /// Sequence that the owners' next signed request must have.
    pub fn next_owners_sequence(&self) -> u64 {
        self.tenancy.next_owners_sequence()
    }
}
