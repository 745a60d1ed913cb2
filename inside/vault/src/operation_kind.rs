//! The operations by name and number (`docs/spec/02-entries.md`, "Operations").

/// The operations, by their numbers in records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OperationKind {
    /// The owners admit a tenant.
    CreateTenant = 1,
    /// A tenant changes its keys.
    ChangeKeys = 2,
    /// The owners change the settings.
    ChangeSettings = 3,
    /// A service is made.
    CreateService = 4,
    /// A service is changed.
    UpdateService = 5,
    /// A service is deleted.
    DeleteService = 6,
    /// A service is to become weaker.
    Loosen = 7,
    /// A loosening is taken back.
    WithdrawLoosening = 8,
    /// A code is sent, for the first time or again.
    Start = 9,
    /// A code is checked.
    Check = 10,
    /// A verification is ended.
    Cancel = 11,
    /// A verification is approved by API.
    Approve = 12,
    /// Support looks at a verification.
    LookUp = 13,
    /// A read of an account.
    FetchAccount = 14,
    /// A read of a service.
    FetchService = 15,
    /// A list of services.
    ListServices = 16,
    /// A read of a verification.
    FetchVerification = 17,
}

impl OperationKind {
    /// The highest number.
    const LAST: u8 = Self::FetchVerification as u8;

    /// Whether there is an operation of this number.
    pub(crate) fn exists(number: u8) -> bool {
        (1..=Self::LAST).contains(&number)
    }

    /// Whether a secret may decide what comes of it: its record shows only whether it was
    /// permitted.
    pub(crate) fn is_decided_by_secrets(self) -> bool {
        matches!(
            self,
            Self::Start | Self::Check | Self::Cancel | Self::Approve | Self::LookUp | Self::FetchVerification
        )
    }
}
