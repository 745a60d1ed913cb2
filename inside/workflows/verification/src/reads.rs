//! Reads of verifications. No read changes anything, so none is a command: a published view answers
//! it.

use adyton_decider::Seconds;
use adyton_services::ServiceId;
use adyton_tenancy::Caller;

use crate::live::own;
use crate::{ReadHandles, Refusal, Status, Target, VerificationView, View};

/// Look at a live verification.
pub struct FetchVerification {
    /// The caller.
    pub caller: Caller,
    /// The service.
    pub service: ServiceId,
    /// Which verification.
    pub target: Target,
}

/// A live verification of one of the caller's services.
///
/// # Errors
/// [`Refusal::Denied`] or [`Refusal::NotFound`].
pub fn fetch(
    view: &View,
    handles: &ReadHandles<'_>,
    fetch: &FetchVerification,
    now: Seconds,
) -> Result<VerificationView, Refusal> {
    let live = own(&view.0, handles, &fetch.caller, fetch.service, fetch.target, now)?;
    Ok(live.view(Status::Pending, live.verification.updated))
}
