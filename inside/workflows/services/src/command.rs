//! Commands.

use adyton_tenancy::{AccountId, Caller};

use crate::{ServiceId, ServiceSettings, ServiceUpdate};

/// Make a service of the caller's account.
pub struct CreateService {
    /// The caller.
    pub caller: Caller,
    /// Its settings.
    pub settings: ServiceSettings,
}

/// Change a service.
pub struct UpdateService {
    /// The caller.
    pub caller: Caller,
    /// The service.
    pub service: ServiceId,
    /// The changes.
    pub update: ServiceUpdate,
}

/// Delete a service and end what belongs to it.
pub struct DeleteService {
    /// The caller.
    pub caller: Caller,
    /// The service.
    pub service: ServiceId,
}

/// A tenant's signed request makes a service weaker, after a wait. The signature was verified.
pub struct Loosen {
    /// The caller: an admin key, besides the signature.
    pub caller: Caller,
    /// The tenant that signed.
    pub account: AccountId,
    /// Sequence of the signed request.
    pub sequence: u64,
    /// The service.
    pub service: ServiceId,
    /// Code length from then on.
    pub code_length: Option<u8>,
    /// Whether callers may supply codes from then on.
    pub custom_code: bool,
}

/// An admin takes back a loosening that still waits.
pub struct WithdrawLoosening {
    /// The caller.
    pub caller: Caller,
    /// The service.
    pub service: ServiceId,
}

/// All that changes something here. Reads are functions of a state ([`crate::fetch`], [`crate::list`]).
pub enum Command {
    /// See [`CreateService`].
    CreateService(CreateService),
    /// See [`UpdateService`].
    UpdateService(UpdateService),
    /// See [`DeleteService`].
    DeleteService(DeleteService),
    /// See [`Loosen`].
    Loosen(Loosen),
    /// See [`WithdrawLoosening`].
    WithdrawLoosening(WithdrawLoosening),
}
