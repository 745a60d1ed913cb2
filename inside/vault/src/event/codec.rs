//! Events as bytes (`docs/spec/02-entries.md`, "Events inside `ops` bodies").

use alloc::vec::Vec;

use adyton_seal::{Plaintext, Reader};

use super::{Event, EventKind};
use crate::{AppHash, Channel, Corrupt, Loosening, Outcome, Scopes, ServiceSettings, Sid, User};

/// Stands for "no route" in `DeliveryReported`.
const NO_ROUTE: u8 = u8::MAX;

impl Event {
    /// Writes the event.
    pub fn encode(&self, out: &mut Plaintext) {
        out.put_u8(number(&self.kind));
        out.put_u64(self.at);
        match &self.kind {
            EventKind::Booted { boot_id } => out.put(boot_id),
            EventKind::TenantCreated { account, token_hash, ssh_key, admitted, friendly_name } => {
                out.put(&account.0);
                out.put(token_hash);
                out.put_lp(ssh_key);
                out.put_u64(admitted.unwrap_or(0));
                out.put_lp(friendly_name.as_bytes());
            }
            EventKind::KeysChanged { account, sequence, reset, token_hash, removed, added } => {
                out.put(&account.0);
                out.put_u64(*sequence);
                out.put_u8(u8::from(*reset));
                out.put_u8(u8::from(token_hash.is_some()));
                token_hash.iter().for_each(|hash| out.put(hash));
                out.put_u32(count(removed.len()));
                removed.iter().for_each(|sid| out.put(&sid.0));
                out.put_u32(count(added.len()));
                for (sid, scopes, hash) in added {
                    out.put(&sid.0);
                    out.put_u8(scopes.bits());
                    out.put(hash);
                }
            }
            EventKind::SettingsChanged { sequence, text } => {
                out.put_u64(*sequence);
                out.put_lp(text.as_bytes());
            }
            EventKind::ServiceCreated { account, service, settings } => {
                out.put(&account.0);
                out.put(&service.0);
                put_settings(out, settings);
            }
            EventKind::ServiceUpdated { service, settings } => {
                out.put(&service.0);
                put_settings(out, settings);
            }
            EventKind::ServiceDeleted { service } => out.put(&service.0),
            EventKind::LooseningScheduled { account, sequence, service, loosening } => {
                out.put(&account.0);
                out.put_u64(*sequence);
                out.put(&service.0);
                put_loosening(out, loosening);
            }
            EventKind::LooseningEnded { service, in_effect } => {
                out.put(&service.0);
                out.put_u8(u8::from(*in_effect));
            }
            EventKind::SlotOpened { slot, key: _ } => out.put_u32(*slot),
            EventKind::VerificationStarted {
                verification,
                account,
                service,
                channel,
                subject,
                attempt,
                code_length,
                sent: _,
                destination: _,
                custom_code: _,
            } => {
                out.put(&verification.0);
                out.put(&account.0);
                out.put(&service.0);
                out.put_u8(match channel {
                    Channel::Sms => 1,
                    Channel::Email => 2,
                });
                out.put(subject);
                out.put(&attempt.0);
                out.put_u8(*code_length);
            }
            EventKind::VerificationResent { verification, attempt, sent: _ }
            | EventKind::SendRepeated { verification, attempt, sent: _ } => {
                out.put(&verification.0);
                out.put(&attempt.0);
            }
            EventKind::CheckFailed { verification, service, subject, full_again } => {
                out.put(&verification.0);
                out.put(&service.0);
                out.put(subject);
                out.put_u64(*full_again);
            }
            EventKind::VerificationApproved { verification, service, subject, proven } => {
                out.put(&verification.0);
                out.put(&service.0);
                out.put(subject);
                out.put_u8(u8::from(*proven));
            }
            EventKind::VerificationCanceled { verification } => out.put(&verification.0),
            EventKind::Expired | EventKind::BudgetsForgotten => {}
            EventKind::DeliveryReported { verification, attempt, outcome, route } => {
                out.put(&verification.0);
                out.put(&attempt.0);
                out.put_u8(match outcome {
                    Outcome::Accepted => 1,
                    Outcome::Refused => 2,
                    Outcome::GaveUp => 3,
                    Outcome::Unreachable => 4,
                    Outcome::Unconfirmed => 5,
                    Outcome::Withdrawn => 6,
                });
                out.put_u8(route.unwrap_or(NO_ROUTE));
            }
            EventKind::SupportLooked { account, user, verification } => {
                out.put(&account.0);
                let (kind, sid) = match user {
                    User::Account(sid) => (1, sid),
                    User::Key(sid) => (2, sid),
                };
                out.put_u8(kind);
                out.put(&sid.0);
                out.put(&verification.0);
            }
        }
    }

    /// Reads an event; the whole input is one event. Fields that are not written come back as `None`.
    ///
    /// # Errors
    /// [`Corrupt`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, Corrupt> {
        let mut reader = Reader::new(bytes);
        let (number, at) = (reader.u8()?, reader.u64()?);
        let kind = decode(number, &mut reader)?;
        reader.finish()?;
        Ok(Self { at, kind })
    }
}

fn number(kind: &EventKind) -> u8 {
    match kind {
        EventKind::Booted { .. } => 1,
        EventKind::TenantCreated { .. } => 2,
        EventKind::ServiceCreated { .. } => 3,
        EventKind::SlotOpened { .. } => 4,
        EventKind::VerificationStarted { .. } => 5,
        EventKind::VerificationResent { .. } => 6,
        EventKind::CheckFailed { .. } => 7,
        EventKind::VerificationApproved { .. } => 8,
        EventKind::Expired => 9,
        EventKind::DeliveryReported { .. } => 10,
        EventKind::SettingsChanged { .. } => 11,
        EventKind::KeysChanged { .. } => 12,
        EventKind::ServiceUpdated { .. } => 13,
        EventKind::ServiceDeleted { .. } => 14,
        EventKind::LooseningScheduled { .. } => 15,
        EventKind::LooseningEnded { .. } => 16,
        EventKind::VerificationCanceled { .. } => 17,
        EventKind::BudgetsForgotten => 18,
        EventKind::SupportLooked { .. } => 19,
        EventKind::SendRepeated { .. } => 20,
    }
}

fn decode(number: u8, reader: &mut Reader<'_>) -> Result<EventKind, Corrupt> {
    Ok(match number {
        1 => EventKind::Booted { boot_id: reader.array()? },
        2 => EventKind::TenantCreated {
            account: sid(reader)?,
            token_hash: reader.array()?,
            ssh_key: reader.lp()?.to_vec(),
            admitted: Some(reader.u64()?).filter(|sequence| *sequence > 0),
            friendly_name: reader.text()?.into(),
        },
        3 => EventKind::ServiceCreated { account: sid(reader)?, service: sid(reader)?, settings: settings(reader)? },
        4 => EventKind::SlotOpened { slot: reader.u32()?, key: None },
        5 => EventKind::VerificationStarted {
            verification: sid(reader)?,
            account: sid(reader)?,
            service: sid(reader)?,
            channel: match reader.u8()? {
                1 => Channel::Sms,
                2 => Channel::Email,
                _ => return Err(Corrupt),
            },
            subject: reader.array()?,
            attempt: sid(reader)?,
            code_length: reader.u8()?,
            sent: None,
            destination: None,
            custom_code: None,
        },
        6 => EventKind::VerificationResent { verification: sid(reader)?, attempt: sid(reader)?, sent: None },
        7 => EventKind::CheckFailed {
            verification: sid(reader)?,
            service: sid(reader)?,
            subject: reader.array()?,
            full_again: reader.u64()?,
        },
        8 => EventKind::VerificationApproved {
            verification: sid(reader)?,
            service: sid(reader)?,
            subject: reader.array()?,
            proven: flag(reader)?,
        },
        9 => EventKind::Expired,
        10 => EventKind::DeliveryReported {
            verification: sid(reader)?,
            attempt: sid(reader)?,
            outcome: match reader.u8()? {
                1 => Outcome::Accepted,
                2 => Outcome::Refused,
                3 => Outcome::GaveUp,
                4 => Outcome::Unreachable,
                5 => Outcome::Unconfirmed,
                6 => Outcome::Withdrawn,
                _ => return Err(Corrupt),
            },
            route: Some(reader.u8()?).filter(|route| *route != NO_ROUTE),
        },
        11 => EventKind::SettingsChanged { sequence: reader.u64()?, text: reader.text()?.into() },
        12 => EventKind::KeysChanged {
            account: sid(reader)?,
            sequence: reader.u64()?,
            reset: flag(reader)?,
            token_hash: if flag(reader)? { Some(reader.array()?) } else { None },
            removed: list(reader, sid)?,
            added: list(reader, |reader| {
                let (sid, bits) = (sid(reader)?, reader.u8()?);
                Ok((sid, Scopes::from_bits(bits).ok_or(Corrupt)?, reader.array()?))
            })?,
        },
        13 => EventKind::ServiceUpdated { service: sid(reader)?, settings: settings(reader)? },
        14 => EventKind::ServiceDeleted { service: sid(reader)? },
        15 => EventKind::LooseningScheduled {
            account: sid(reader)?,
            sequence: reader.u64()?,
            service: sid(reader)?,
            loosening: loosening(reader)?,
        },
        16 => EventKind::LooseningEnded { service: sid(reader)?, in_effect: flag(reader)? },
        17 => EventKind::VerificationCanceled { verification: sid(reader)? },
        18 => EventKind::BudgetsForgotten,
        19 => EventKind::SupportLooked {
            account: sid(reader)?,
            user: match reader.u8()? {
                1 => User::Account(sid(reader)?),
                2 => User::Key(sid(reader)?),
                _ => return Err(Corrupt),
            },
            verification: sid(reader)?,
        },
        20 => EventKind::SendRepeated { verification: sid(reader)?, attempt: sid(reader)?, sent: None },
        _ => return Err(Corrupt),
    })
}

fn sid(reader: &mut Reader<'_>) -> Result<Sid, Corrupt> {
    Ok(Sid(reader.array()?))
}

pub(crate) fn flag(reader: &mut Reader<'_>) -> Result<bool, Corrupt> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Corrupt),
    }
}

fn count(length: usize) -> u32 {
    // Lists are bounded far below this by the deciders.
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn list<T>(
    reader: &mut Reader<'_>,
    mut item: impl FnMut(&mut Reader<'_>) -> Result<T, Corrupt>,
) -> Result<Vec<T>, Corrupt> {
    let count = reader.u32()?;
    if usize::try_from(count).map_or(true, |count| count > reader.rest().len()) {
        return Err(Corrupt);
    }
    (0..count).map(|_| item(reader)).collect()
}

/// `settings` of the spec page; also part of a snapshot's service record.
pub(crate) fn put_settings(out: &mut Plaintext, settings: &ServiceSettings) {
    out.put_u8(settings.code_length);
    out.put_u8(u8::from(settings.custom_code) | u8::from(settings.do_not_share) << 1);
    out.put_lp(settings.friendly_name.as_bytes());
    out.put_lp(settings.web_otp_domain.as_bytes());
    // At most 8.
    out.put_u8(u8::try_from(settings.app_hashes.len()).unwrap_or(u8::MAX));
    settings.app_hashes.iter().for_each(|hash| out.put(hash.text().as_bytes()));
}

pub(crate) fn settings(reader: &mut Reader<'_>) -> Result<ServiceSettings, Corrupt> {
    let (code_length, flags) = (reader.u8()?, reader.u8()?);
    if flags > 3 {
        return Err(Corrupt);
    }
    Ok(ServiceSettings {
        code_length,
        custom_code: flags & 1 != 0,
        do_not_share: flags & 2 != 0,
        friendly_name: reader.text()?.into(),
        web_otp_domain: reader.text()?.into(),
        app_hashes: app_hashes(reader)?,
    })
}

fn app_hashes(reader: &mut Reader<'_>) -> Result<Vec<AppHash>, Corrupt> {
    let count = usize::from(reader.u8()?);
    let mut hashes = Vec::new();
    for _ in 0..count {
        let bytes: [u8; AppHash::LENGTH] = reader.array()?;
        let hash = core::str::from_utf8(&bytes).ok().and_then(AppHash::parse).ok_or(Corrupt)?;
        if hashes.len() == AppHash::MOST || hashes.contains(&hash) {
            return Err(Corrupt);
        }
        hashes.push(hash);
    }
    Ok(hashes)
}

/// `loosening` of the spec page; also part of a snapshot's service record.
pub(crate) fn put_loosening(out: &mut Plaintext, loosening: &Loosening) {
    out.put_u8(loosening.code_length.unwrap_or(0));
    out.put_u8(u8::from(loosening.custom_code));
    out.put_u64(loosening.at);
}

pub(crate) fn loosening(reader: &mut Reader<'_>) -> Result<Loosening, Corrupt> {
    Ok(Loosening {
        code_length: Some(reader.u8()?).filter(|length| *length > 0),
        custom_code: flag(reader)?,
        at: reader.u64()?,
    })
}
