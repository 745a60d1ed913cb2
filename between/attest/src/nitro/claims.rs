//! 2. The payload: AWS's members, within AWS's limits.

use std::collections::BTreeMap;

use ciborium::Value;

use crate::{Claim, Refusal};

/// The payload's members.
pub(super) struct Claims {
    pub(super) module_id: String,
    pub(super) timestamp_ms: u64,
    pub(super) pcrs: BTreeMap<u8, [u8; 48]>,
    pub(super) certificate: Vec<u8>,
    pub(super) cabundle: Vec<Vec<u8>>,
    pub(super) public_key: Option<Vec<u8>>,
    pub(super) user_data: Option<Vec<u8>>,
    pub(super) nonce: Option<Vec<u8>>,
}

const ALL: [Claim; 9] = [
    Claim::ModuleId,
    Claim::Digest,
    Claim::Timestamp,
    Claim::Pcrs,
    Claim::Certificate,
    Claim::Cabundle,
    Claim::PublicKey,
    Claim::UserData,
    Claim::Nonce,
];

/// Bytes of `module_id`; AWS says no more than that it is not empty.
const MODULE_ID: (usize, usize) = (1, 256);
const PCRS: (usize, usize) = (1, 32);
const CERTIFICATE: (usize, usize) = (1, 1024);
/// Certificates of `cabundle`. AWS's have four; `webpki` follows no more than six.
const CABUNDLE: (usize, usize) = (1, 8);
const PUBLIC_KEY: (usize, usize) = (1, 1024);
const DATA: (usize, usize) = (0, 1024);

impl Claims {
    pub(super) fn parse(payload: &[u8]) -> Result<Self, Refusal> {
        let members = super::received::whole(payload).and_then(|value| value.into_map().ok());
        let mut found = BTreeMap::new();
        for (name, value) in members.ok_or(Refusal::PayloadCbor)? {
            let name = name.into_text().map_err(|_| Refusal::PayloadCbor)?;
            let claim = ALL.into_iter().find(|claim| claim.name() == name);
            let claim = claim.ok_or_else(|| Refusal::UnknownClaim(shown(&name)))?;
            if found.insert(claim, value).is_some() {
                return Err(Refusal::RepeatedClaim(claim));
            }
        }
        let mut members = Members(found);
        let module_id = members.text(Claim::ModuleId)?;
        within(Claim::ModuleId, MODULE_ID, module_id.len())?;
        if members.text(Claim::Digest)? != "SHA384" {
            return Err(Refusal::Digest);
        }
        let timestamp = members.need(Claim::Timestamp)?.into_integer().ok().and_then(|time| u64::try_from(time).ok());
        let timestamp_ms = timestamp.ok_or(Refusal::ClaimType(Claim::Timestamp))?;
        if timestamp_ms == 0 {
            return Err(Refusal::Timestamp);
        }
        let pcrs = pcrs(members.need(Claim::Pcrs)?)?;
        let certificate = bytes(Claim::Certificate, CERTIFICATE, members.need(Claim::Certificate)?)?;
        let cabundle = members.need(Claim::Cabundle)?.into_array().map_err(|_| Refusal::ClaimType(Claim::Cabundle))?;
        within(Claim::Cabundle, CABUNDLE, cabundle.len())?;
        let cabundle = cabundle.into_iter().map(|certificate| bytes(Claim::Cabundle, CERTIFICATE, certificate));
        Ok(Self {
            module_id,
            timestamp_ms,
            pcrs,
            certificate,
            cabundle: cabundle.collect::<Result<_, _>>()?,
            public_key: members.optional(Claim::PublicKey, PUBLIC_KEY)?,
            user_data: members.optional(Claim::UserData, DATA)?,
            nonce: members.optional(Claim::Nonce, DATA)?,
        })
    }
}

/// The beginning of a name that somebody else chose, for a message: at most 64 plain characters.
fn shown(name: &str) -> String {
    let plain = |char: char| if char.is_ascii_graphic() { char } else { '?' };
    name.chars().take(64).map(plain).collect()
}

struct Members(BTreeMap<Claim, Value>);

impl Members {
    fn need(&mut self, claim: Claim) -> Result<Value, Refusal> {
        self.0.remove(&claim).ok_or(Refusal::MissingClaim(claim))
    }

    fn text(&mut self, claim: Claim) -> Result<String, Refusal> {
        self.need(claim)?.into_text().map_err(|_| Refusal::ClaimType(claim))
    }

    /// Absent and null are the same.
    fn optional(&mut self, claim: Claim, limits: (usize, usize)) -> Result<Option<Vec<u8>>, Refusal> {
        match self.0.remove(&claim) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => bytes(claim, limits, value).map(Some),
        }
    }
}

fn bytes(claim: Claim, limits: (usize, usize), value: Value) -> Result<Vec<u8>, Refusal> {
    let bytes = value.into_bytes().map_err(|_| Refusal::ClaimType(claim))?;
    within(claim, limits, bytes.len())?;
    Ok(bytes)
}

fn within(claim: Claim, (least, most): (usize, usize), got: usize) -> Result<(), Refusal> {
    if (least..=most).contains(&got) { Ok(()) } else { Err(Refusal::ClaimLength { claim, least, most, got }) }
}

fn pcrs(value: Value) -> Result<BTreeMap<u8, [u8; 48]>, Refusal> {
    let entries = value.into_map().map_err(|_| Refusal::ClaimType(Claim::Pcrs))?;
    within(Claim::Pcrs, PCRS, entries.len())?;
    let mut pcrs = BTreeMap::new();
    for (index, value) in entries {
        let index = index.into_integer().map_err(|_| Refusal::ClaimType(Claim::Pcrs))?;
        let index = u8::try_from(index).ok().filter(|index| *index < 32).ok_or(Refusal::PcrIndex)?;
        let value = bytes(Claim::Pcrs, (48, 48), value)?;
        // Its length was looked at.
        let value = value.try_into().map_err(|_| Refusal::ClaimType(Claim::Pcrs))?;
        if pcrs.insert(index, value).is_some() {
            return Err(Refusal::RepeatedPcr(index));
        }
    }
    Ok(pcrs)
}
