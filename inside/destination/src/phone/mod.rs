//! Phone numbers: the one form that is accepted, and where a number belongs.
//!
//! 1. E.164 form: `+`, then 7 to 15 ASCII digits that do not begin with 0 (ITU-T E.164 §6).
//! 2. The calling code is one of a country.
//! 3. The rest, the national number, has a length that the country uses.
//! 4. It begins as numbers of that length do: not with what is dialled only inside the country
//!    (`+49 0170 …`), and not as numbers did before the country's plan changed ([`spellings`]). So
//!    a telephone has one accepted number.
//! 5. Where several regions share a calling code, the beginning of the national number says which
//!    it is.
//!
//! What this is not: it does not say that a number is assigned, or that it can take text messages.
//! Numbers for fiction (+1 202 555 01xx, +44 7700 900xxx) are numbers like any other. Calling codes
//! of no country are refused: no person receives a code there, but fraud does.
//!
//! Limits: step 4 knows what the table knows. If a network still delivers to a form that neither
//! the metadata nor the list of spellings has, that form counts as another number.

mod spellings;
mod table;

use core::fmt;

use crate::DestinationError;
use table::PLANS;

/// Digits of a number; no numbering plan that text messages reach has shorter ones.
const DIGITS: core::ops::RangeInclusive<usize> = 7..=15;

/// Where a phone number belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country {
    /// Digits after the `+` that name the country, or the group of countries that share them (ITU-T
    /// E.164, annex).
    pub calling_code: u16,
    /// Its two letters (ISO 3166-1 alpha-2; AC, TA and XK as CLDR has them). If the beginning of a
    /// number tells nothing, the one that answers for the calling code.
    pub region: &'static str,
}

/// What a number's digits say.
#[derive(Clone, Copy)]
pub(crate) struct Numbering {
    pub(crate) country: Country,
    /// Premium-rate or shared-cost, whatever follows.
    pub(crate) premium_rate: bool,
}

/// What is known of one calling code.
struct Plan {
    calling_code: u16,
    /// The region that answers for the code.
    region: &'static str,
    /// Bit n of the entry of a digit: a national number that begins with it may have n digits.
    lengths: [u32; 10],
    /// What is dialled before a number inside the country, where no number begins so.
    dialled_inside: &'static [&'static str],
    /// Other regions, and how their national numbers begin. No beginning is that of another.
    others: &'static [(&'static str, &'static [&'static str])],
    /// How premium-rate and shared-cost numbers begin.
    premium: &'static [&'static str],
}

/// Reads a number in its one form.
///
/// # Errors
/// [`DestinationError`] `NotE164`, `CallingCode`, `NationalLength` or `NationalBeginning`.
pub(crate) fn parse(text: &str) -> Result<Numbering, DestinationError> {
    let digits = text.strip_prefix('+').ok_or(DestinationError::NotE164)?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    if !plain || !DIGITS.contains(&digits.len()) {
        return Err(DestinationError::NotE164);
    }
    let (plan, national) = plan(digits).ok_or(DestinationError::CallingCode)?;
    plan.check(national)?;
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| national.starts_with(prefix));
    let other = plan.others.iter().find(|(_, prefixes)| begins(prefixes));
    let region = other.map_or(plan.region, |(region, _)| region);
    let country = Country { calling_code: plan.calling_code, region };
    Ok(Numbering { country, premium_rate: begins(plan.premium) })
}

impl Plan {
    /// Steps 3 and 4.
    fn check(&self, national: &str) -> Result<(), DestinationError> {
        let of_length = |lengths: u32| lengths & (1 << national.len()) != 0;
        let first = national.bytes().next().map_or(0, |digit| usize::from(digit - b'0'));
        if !self.lengths.into_iter().any(of_length) {
            return Err(DestinationError::NationalLength);
        }
        let dialled_inside = self.dialled_inside.iter().any(|prefix| national.starts_with(prefix));
        let other_spelling = dialled_inside || spellings::is_other(self.calling_code, national);
        if other_spelling || !of_length(self.lengths[first]) {
            return Err(DestinationError::NationalBeginning);
        }
        Ok(())
    }
}

/// How a number that is refused is written instead. It names prefixes, and no other digit of the
/// number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrittenInstead {
    /// With a `+` instead of the prefix of international calls, `00`.
    Plus,
    /// Without what is dialled only inside the country.
    Without {
        /// The country's calling code.
        calling_code: u16,
        /// What is left out behind it.
        prefix: &'static str,
    },
    /// In the form of today's numbering plan; the rule.
    Today(&'static str),
}

impl fmt::Display for WrittenInstead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plus => f.write_str("write + instead of 00 before the country code"),
            Self::Without { calling_code, prefix } => {
                write!(f, "leave out the {prefix} behind +{calling_code}: it is dialled only inside the country")
            }
            Self::Today(rule) => f.write_str(rule),
        }
    }
}

/// How a refused number is written instead, if a rule knows; `None` for an accepted one.
pub(crate) fn written_instead(text: &str) -> Option<WrittenInstead> {
    let digits = |text: &str| (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if text.strip_prefix("00").is_some_and(|rest| digits(rest) && !rest.starts_with('0')) {
        return Some(WrittenInstead::Plus);
    }
    let number = text.strip_prefix('+').filter(|number| digits(number))?;
    let (plan, national) = plan(number)?;
    if parse(text).is_ok() {
        return None;
    }
    if let Some(rule) = spellings::instead(plan.calling_code, national) {
        return Some(WrittenInstead::Today(rule));
    }
    let known = |prefix: &&&'static str| national.strip_prefix(**prefix).is_some_and(|rest| plan.check(rest).is_ok());
    let prefix = plan.dialled_inside.iter().find(known)?;
    Some(WrittenInstead::Without { calling_code: plan.calling_code, prefix })
}

/// The plan of the calling code that digits begin with, and the national number. No code is the
/// beginning of another.
fn plan(digits: &str) -> Option<(&'static Plan, &str)> {
    (1..=3).find_map(|count| {
        let (code, national) = digits.split_at_checked(count)?;
        let code = code.parse().ok()?;
        let at = PLANS.binary_search_by_key(&code, |plan| plan.calling_code).ok()?;
        Some((&PLANS[at], national))
    })
}

#[cfg(test)]
mod tests;
