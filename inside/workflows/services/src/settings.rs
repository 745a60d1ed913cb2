//! Settings of a service, chosen by its admin.

use alloc::string::String;
use alloc::vec::Vec;

use adyton_decider::{Corrupt, Id, IdKind, Seconds, read_flag};
use adyton_seal::Plaintext;
use adyton_wire::{Put, Reader};

use crate::{AppHash, Requirements};

/// A verification service.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceKind {}

impl IdKind for ServiceKind {
    const LETTERS: &'static str = "VA";
}

/// Names a service.
pub type ServiceId = Id<ServiceKind>;

/// Settings of a service, chosen by its admin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSettings {
    /// A name for people; it stands in the message.
    pub friendly_name: String,
    /// Digits of its codes.
    pub code_length: u8,
    /// Whether callers may supply codes, as far as the policy lets them.
    pub custom_code: bool,
    /// Whether messages ask not to share the code.
    pub do_not_share: bool,
    /// Requirements for a person.
    pub requirements: Requirements,
    /// Domain that codes are bound to in the message's last line (WebOTP); empty for none.
    pub web_otp_domain: String,
    /// Android apps that a request may have the message handed to, each once; at most
    /// [`AppHash::MAX_COUNT`].
    pub app_hashes: Vec<AppHash>,
}

/// Changes to a service; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceUpdate {
    /// A name for people.
    pub friendly_name: Option<String>,
    /// Digits of its codes.
    pub code_length: Option<u8>,
    /// Whether callers may supply codes.
    pub custom_code: Option<bool>,
    /// Whether messages ask not to share the code.
    pub do_not_share: Option<bool>,
    /// Requirements for a person.
    pub requirements: Option<Requirements>,
    /// Domain that codes are bound to; empty for none.
    pub web_otp_domain: Option<String>,
    /// Android apps that a message may be handed to.
    pub app_hashes: Option<Vec<AppHash>>,
}

impl ServiceUpdate {
    /// The settings that come of older ones.
    pub(crate) fn applied_to(self, old: &ServiceSettings) -> ServiceSettings {
        let Self { friendly_name, code_length, custom_code, do_not_share, requirements, web_otp_domain, app_hashes } =
            self;
        ServiceSettings {
            friendly_name: friendly_name.unwrap_or_else(|| old.friendly_name.clone()),
            code_length: code_length.unwrap_or(old.code_length),
            custom_code: custom_code.unwrap_or(old.custom_code),
            do_not_share: do_not_share.unwrap_or(old.do_not_share),
            requirements: requirements.unwrap_or(old.requirements),
            web_otp_domain: web_otp_domain.unwrap_or_else(|| old.web_otp_domain.clone()),
            app_hashes: app_hashes.unwrap_or_else(|| old.app_hashes.clone()),
        }
    }
}

/// A change that makes a service weaker and therefore waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loosening {
    /// Code length from then on, if it becomes shorter.
    pub code_length: Option<u8>,
    /// Whether callers may supply codes from then on.
    pub custom_code: bool,
    /// When it takes effect.
    pub at: Seconds,
}

impl Loosening {
    /// A service's settings after it.
    pub(crate) fn apply(&self, settings: &mut ServiceSettings) {
        settings.code_length = self.code_length.unwrap_or(settings.code_length);
        settings.custom_code |= self.custom_code;
    }

    /// Writes `loosening` of the spec page.
    pub(crate) fn encode(&self, out: &mut Plaintext) {
        out.put_u8(self.code_length.unwrap_or(0));
        out.put_u8(u8::from(self.custom_code));
        out.put_u64(self.at);
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        Ok(Self {
            code_length: Some(reader.u8()?).filter(|length| *length > 0),
            custom_code: read_flag(reader)?,
            at: reader.u64()?,
        })
    }
}

impl ServiceSettings {
    /// Writes `settings` of the spec page.
    pub(crate) fn encode(&self, out: &mut Plaintext) {
        out.put_u8(self.code_length);
        out.put_u8(u8::from(self.custom_code) | u8::from(self.do_not_share) << 1);
        out.put_u8(self.requirements.bits());
        out.put_lp(self.friendly_name.as_bytes());
        out.put_lp(self.web_otp_domain.as_bytes());
        // At most 8.
        out.put_u8(u8::try_from(self.app_hashes.len()).unwrap_or(u8::MAX));
        self.app_hashes.iter().for_each(|hash| out.put(hash.text().as_bytes()));
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        let (code_length, flags) = (reader.u8()?, reader.u8()?);
        if flags > 3 {
            return Err(Corrupt);
        }
        Ok(Self {
            code_length,
            custom_code: flags & 1 != 0,
            do_not_share: flags & 2 != 0,
            requirements: Requirements::from_bits(reader.u8()?)?,
            friendly_name: reader.text()?.into(),
            web_otp_domain: reader.text()?.into(),
            app_hashes: app_hashes(reader)?,
        })
    }
}

fn app_hashes(reader: &mut Reader<'_>) -> Result<Vec<AppHash>, Corrupt> {
    let count = usize::from(reader.u8()?);
    let mut hashes = Vec::new();
    for _ in 0..count {
        let bytes: [u8; AppHash::LENGTH] = reader.array()?;
        let hash = core::str::from_utf8(&bytes).ok().and_then(AppHash::parse).ok_or(Corrupt)?;
        if hashes.len() == AppHash::MAX_COUNT || hashes.contains(&hash) {
            return Err(Corrupt);
        }
        hashes.push(hash);
    }
    Ok(hashes)
}
