//! The one form of an e-mail address that is accepted: RFC 5321 §4.1.2's dot-string local part and
//! a domain of at least two labels (RFC 1035 §2.3.1), ASCII only. No quoted strings, comments,
//! address literals or lists: nobody who waits for a code needs them, and each is a second
//! spelling. International domains come as `xn--`.

use alloc::boxed::Box;

use zeroize::Zeroizing;

use crate::DestinationError;

/// RFC 5321 §4.5.3.1.1.
const MAX_LOCAL: usize = 64;
/// RFC 5321 §4.5.3.1.3, less the angle brackets.
const MAX_ADDRESS: usize = 254;
/// RFC 1035 §2.3.4, less the length and the root label of the wire form.
const MAX_DOMAIN: usize = 253;
const MAX_LABEL: usize = 63;

/// The address with its domain in lower case.
///
/// # Errors
/// [`DestinationError`] `EmailForm`, `EmailLength`, `LocalPart` or `Domain`, the first rule that is
/// broken.
pub(crate) fn normal(text: &str) -> Result<Zeroizing<Box<[u8]>>, DestinationError> {
    let (local, domain) = text.split_once('@').ok_or(DestinationError::EmailForm)?;
    if text.len() > MAX_ADDRESS {
        return Err(DestinationError::EmailLength);
    }
    if !is_local(local) {
        return Err(DestinationError::LocalPart);
    }
    if !is_domain(domain) {
        return Err(DestinationError::Domain);
    }
    let mut bytes = Zeroizing::new(Box::<[u8]>::from(text.as_bytes()));
    bytes[local.len()..].make_ascii_lowercase();
    Ok(bytes)
}

fn is_local(local: &str) -> bool {
    let atom = |atom: &str| !atom.is_empty() && atom.bytes().all(is_atext);
    local.len() <= MAX_LOCAL && local.split('.').all(atom)
}

/// RFC 5322 §3.2.3.
fn is_atext(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

/// Whether a text is a DNS name of at least two labels: letters, digits and inner hyphens; the last
/// label begins with a letter, which no address literal's does.
pub fn is_domain(domain: &str) -> bool {
    let label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = domain.rsplit('.').next().unwrap_or_default();
    domain.len() <= MAX_DOMAIN
        && domain.contains('.')
        && domain.split('.').all(label)
        && last.starts_with(|first: char| first.is_ascii_alphabetic())
}
