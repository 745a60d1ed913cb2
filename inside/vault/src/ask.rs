//! Each request has its own typed answer, though all go through one queue.

use core::convert::Infallible;

use crate::{
    Approve, Cancel, ChangeKeys, ChangeSettings, Check, Command, CountRepeat, CreateService, CreateTenant,
    DeleteService, LookUp, Loosen, RecordRead, Refusal, Reply, ReportDelivery, ServiceView, Start, SupportView,
    TenantView, Tick, UpdateService, VerificationView, WithdrawLoosening, services, tenancy, verification,
};

/// A request and the types of its answer. What a decider answers to a request has these types;
/// `None` is another request's.
pub trait Ask: Into<Command> {
    /// The predefined output.
    type Reply;
    /// Why it may be refused.
    type Refusal;

    /// The reply to this request.
    fn reply(reply: Reply) -> Option<Self::Reply>;

    /// The refusal of this request.
    fn refusal(refusal: Refusal) -> Option<Self::Refusal>;
}

/// `Request: Reply = pattern of the workflow's reply => value;`
macro_rules! asks {
    ($workflow:ident of $module:ident { $($request:ident: $reply:ty = $pattern:pat => $value:expr;)* }) => {$(
        impl From<$request> for Command {
            fn from(request: $request) -> Self {
                Self::$workflow($module::Command::$request(request))
            }
        }

        impl Ask for $request {
            type Reply = $reply;
            type Refusal = $module::Refusal;

            fn reply(reply: Reply) -> Option<Self::Reply> {
                use $module::Reply::*;
                match reply {
                    Reply::$workflow($pattern) => Some($value),
                    _ => None,
                }
            }

            fn refusal(refusal: Refusal) -> Option<Self::Refusal> {
                match refusal {
                    Refusal::$workflow(refusal) => Some(refusal),
                    _ => None,
                }
            }
        }
    )*};
}

asks!(Tenancy of tenancy {
    CreateTenant: TenantView = Tenant(view) => view;
    ChangeKeys: () = Done => ();
    ChangeSettings: () = Done => ();
});

asks!(Services of services {
    CreateService: ServiceView = Service(view) => view;
    UpdateService: ServiceView = Service(view) => view;
    DeleteService: () = Done => ();
    Loosen: ServiceView = Service(view) => view;
    WithdrawLoosening: ServiceView = Service(view) => view;
});

asks!(Verification of verification {
    Start: VerificationView = Verification(view) => view;
    Check: VerificationView = Verification(view) => view;
    Cancel: VerificationView = Verification(view) => view;
    Approve: VerificationView = Verification(view) => view;
    LookUp: SupportView = Support(view) => view;
    ReportDelivery: () = Done => ();
    CountRepeat: () = Done => ();
});

impl From<RecordRead> for Command {
    fn from(note: RecordRead) -> Self {
        Self::RecordRead(note)
    }
}

impl Ask for RecordRead {
    type Reply = ();
    type Refusal = Infallible;

    fn reply(reply: Reply) -> Option<Self::Reply> {
        match reply {
            Reply::Done => Some(()),
            _ => None,
        }
    }

    fn refusal(_: Refusal) -> Option<Self::Refusal> {
        None
    }
}

impl From<Tick> for Command {
    fn from(tick: Tick) -> Self {
        Self::Tick(tick)
    }
}

impl Ask for Tick {
    type Reply = ();
    type Refusal = Infallible;

    fn reply(reply: Reply) -> Option<Self::Reply> {
        match reply {
            Reply::Done => Some(()),
            _ => None,
        }
    }

    fn refusal(_: Refusal) -> Option<Self::Refusal> {
        None
    }
}
