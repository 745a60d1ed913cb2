//! What the insider tries. One attempt is one row of the report; a module holds attempts of one kind.
//!
//! An attempt says what it tries, what the profile declares of it, and how. It returns what happened; an error means that
//! it could not be carried out, which is never CLOSED. A search must prove that it works: give [`super::Drill::detector`]
//! a marker that stands where is searched.
//!
//! Passive attempts look at what is there and leave the vault as it is; [`crash`] ends its processes and starts them again.

mod clock;
mod clones;
pub(super) mod cores;
mod crash;
mod egress;
mod endpoints;
mod freshness;
mod kms;
mod lookalikes;
mod passive;
mod release;
mod tampering;
mod tenants;

use std::pin::Pin;

use super::report::{Expected, Finding};
use super::setting::Setting;
use super::{Drill, Error};

/// One attempt.
pub(crate) struct Attempt {
    /// Its name in the report.
    pub(crate) id: &'static str,
    /// What the insider tries, in one line.
    pub(crate) what: &'static str,
    /// What the profile says of it.
    pub(crate) expected: Expected,
    /// Tries it.
    pub(crate) run: for<'a> fn(&'a mut Drill) -> Running<'a>,
}

/// An attempt under way.
pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = Result<Finding, Error>> + 'a>>;

/// All of a setting, in the order in which they run.
pub(crate) fn all(setting: Setting) -> impl Iterator<Item = &'static Attempt> {
    let images: &'static [Attempt] = match setting {
        Setting::Laptop => &[],
        Setting::Emulated => &release::ATTEMPTS,
    };
    let kinds: [&'static [Attempt]; 13] = [
        &tenants::ATTEMPTS,
        &freshness::ATTEMPTS,
        &clones::ATTEMPTS,
        &tampering::ATTEMPTS,
        &lookalikes::ATTEMPTS,
        &egress::ATTEMPTS,
        // What the attempts before made the vault say is searched too.
        &endpoints::ATTEMPTS,
        &passive::ATTEMPTS,
        &kms::ATTEMPTS,
        images,
        &clock::ATTEMPTS,
        // They end processes.
        &cores::ATTEMPTS,
        &crash::ATTEMPTS,
    ];
    kinds.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_a_name_of_its_own() {
        let mut ids: Vec<_> = all(Setting::Emulated).map(|attempt| attempt.id).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
        assert!(ids.iter().all(|id| id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')));
    }
}
