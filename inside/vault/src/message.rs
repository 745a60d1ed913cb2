//! Temporary.

use alloc::string::String;

/// Look.
#[derive(Clone, Debug, Default)]
pub struct MessageLook {
    /// Name.
    pub name: Option<String>,
}
