//! Why a text is not an address.

use core::fmt;

/// Why a text is not an address; names no character of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DestinationError {
    /// Not `+`, a non-zero digit and 6 to 14 more ASCII digits.
    NotE164,
    /// No country has this calling code.
    CallingCode,
    /// The country of this calling code has no numbers of this length.
    NationalLength,
    /// Behind the calling code comes what no number of this length begins with: a prefix dialled
    /// only inside the country, or the beginning of a form from before the country's plan changed.
    NationalBeginning,
    /// An e-mail address without an `@`.
    EmailForm,
    /// An e-mail address of more than 254 bytes.
    EmailLength,
    /// What stands before the `@` is not 1 to 64 characters of a plain local part.
    LocalPart,
    /// What stands behind the `@` is not a domain name of at least two labels.
    Domain,
}

impl fmt::Display for DestinationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotE164 => "expected a phone number in E.164 form: +, country code, subscriber number, digits only",
            Self::CallingCode => "no country has this calling code: expected + and a country code, such as +1 or +44, before the number",
            Self::NationalLength => "the country has no phone numbers of this length: expected the whole number with its area code, and no extension",
            Self::NationalBeginning => {
                "the country has no phone numbers that begin so: leave out what is dialled only inside the country (as in \
                 +49 0170), and write the number in today's form (as +54 9 11 in Argentina)"
            }
            Self::EmailForm => "expected an e-mail address: local@domain",
            Self::EmailLength => "expected an e-mail address of at most 254 bytes",
            Self::LocalPart => "expected 1 to 64 plain ASCII characters before the @",
            Self::Domain => "expected an ASCII domain name behind the @ (international ones as xn--)",
        })
    }
}

impl core::error::Error for DestinationError {}
