//! Whose evidence it is.

/// A kind of platform. AMD SEV-SNP and Intel TDX will be others: each brings a form of its own to receive, and ends in the same
/// [`crate::Verified`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Platform {
    /// AWS Nitro Enclaves.
    AwsNitro,
}

impl Platform {
    /// Its word in an answer (`docs/spec/09-evidence.md`).
    pub fn text(self) -> &'static str {
        match self {
            Self::AwsNitro => "aws-nitro",
        }
    }

    /// The platform of a word; `None` for one that this crate cannot verify.
    pub fn from_text(text: &str) -> Option<Self> {
        (text == Self::AwsNitro.text()).then_some(Self::AwsNitro)
    }
}
