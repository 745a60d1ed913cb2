//! Commands of the vault.

use adyton_tenancy::Caller;

use crate::{OperationKind, Rules, ServiceId, VerificationId, services, tenancy, verification};

/// Everything a decider may know besides its state and the command.
pub type Context<'a> = adyton_decider::Context<'a, Rules>;

/// One request, parsed and normalised.
#[allow(
    clippy::large_enum_variant,
    reason = "nearly every command is a verification's; a box for each would cost more"
)]
pub enum Command {
    /// About tenants.
    Tenancy(tenancy::Command),
    /// About services.
    Services(services::Command),
    /// About verifications.
    Verification(verification::Command),
    /// See [`RecordRead`].
    RecordRead(RecordRead),
    /// See [`Tick`].
    Tick(Tick),
}

/// A read that is answered, of a caller whose token was right: it leaves a record, if the policy
/// says so.
pub struct RecordRead {
    /// The caller.
    pub caller: Caller,
    /// The operation.
    pub kind: OperationKind,
    /// The service that it named.
    pub service: Option<ServiceId>,
    /// The verification that it named by its SID.
    pub verification: Option<VerificationId>,
    /// Whether its credential may read this. Nothing else of the answer is recorded.
    pub permitted: bool,
}

/// Time passed: erase what has expired, begin what is due.
pub struct Tick;
