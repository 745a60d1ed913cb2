//! Events, and their bytes (`docs/spec/02-entries.md`, "Events").

use alloc::string::String;
use alloc::vec::Vec;

use adyton_decider::{Class, Corrupt, TokenHash, put_list, read_flag, read_list};
use adyton_seal::Plaintext;
use adyton_wire::{Put, Reader};

use crate::{AccountId, KeyId, NewKey, Scopes, SubjectSalt};

/// Events of tenants.
pub enum Event {
    /// A tenant was created.
    TenantCreated {
        /// Its SID.
        account: AccountId,
        /// Keyed hash of its token.
        token_hash: TokenHash,
        /// Salt of its subject hashes.
        salt: SubjectSalt,
        /// OpenSSH public key of its own signed requests; empty for none.
        ssh_key: Vec<u8>,
        /// Sequence of the owners' signed request that admitted it, if one did.
        admitted: Option<u64>,
        /// Its name.
        friendly_name: String,
    },
    /// A tenant's keys changed.
    KeysChanged {
        /// The tenant.
        account: AccountId,
        /// Sequence of its signed request.
        sequence: u64,
        /// All API keys were removed first.
        reset: bool,
        /// New token of the account itself.
        token_hash: Option<TokenHash>,
        /// API keys removed.
        removed: Vec<KeyId>,
        /// API keys added.
        added: Vec<NewKey>,
    },
    /// The owners' settings changed.
    SettingsChanged {
        /// Sequence of the owners' signed request.
        sequence: u64,
        /// The settings, as they were signed.
        text: String,
    },
}

impl Event {
    /// Numbers of this workflow's events; no other workflow has them.
    pub const NUMBERS: &[u8] = &[2, 11, 12];

    /// The event's number.
    pub fn number(&self) -> u8 {
        match self {
            Self::TenantCreated { .. } => 2,
            Self::SettingsChanged { .. } => 11,
            Self::KeysChanged { .. } => 12,
        }
    }

    /// The freshness class.
    pub fn class(&self) -> Class {
        Class::S
    }

    /// Writes the fields.
    pub fn encode(&self, out: &mut Plaintext) {
        match self {
            Self::TenantCreated { account, token_hash, salt, ssh_key, admitted, friendly_name } => {
                out.put(account.as_bytes());
                out.put(token_hash.as_bytes());
                out.put(salt.as_bytes());
                out.put_lp(ssh_key);
                out.put_u64(admitted.unwrap_or(0));
                out.put_lp(friendly_name.as_bytes());
            }
            Self::KeysChanged { account, sequence, reset, token_hash, removed, added } => {
                out.put(account.as_bytes());
                out.put_u64(*sequence);
                out.put_u8(u8::from(*reset));
                out.put_u8(u8::from(token_hash.is_some()));
                token_hash.iter().for_each(|hash| out.put(hash.as_bytes()));
                put_list(out, removed.iter(), |out, key| out.put(key.as_bytes()));
                put_list(out, added.iter(), |out, NewKey { key, scopes, token_hash }| {
                    out.put(key.as_bytes());
                    out.put_u8(scopes.bits());
                    out.put(token_hash.as_bytes());
                });
            }
            Self::SettingsChanged { sequence, text } => {
                out.put_u64(*sequence);
                out.put_lp(text.as_bytes());
            }
        }
    }

    /// Reads the fields of the event of a number.
    ///
    /// # Errors
    /// [`Corrupt`].
    pub fn decode(number: u8, reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        Ok(match number {
            2 => Self::TenantCreated {
                account: AccountId::read(reader)?,
                token_hash: TokenHash::read(reader)?,
                salt: SubjectSalt::read(reader)?,
                ssh_key: reader.lp()?.to_vec(),
                admitted: Some(reader.u64()?).filter(|sequence| *sequence > 0),
                friendly_name: reader.text()?.into(),
            },
            11 => Self::SettingsChanged { sequence: reader.u64()?, text: reader.text()?.into() },
            12 => Self::KeysChanged {
                account: AccountId::read(reader)?,
                sequence: reader.u64()?,
                reset: read_flag(reader)?,
                token_hash: if read_flag(reader)? { Some(TokenHash::read(reader)?) } else { None },
                removed: read_list(reader, KeyId::read)?,
                added: read_list(reader, |reader| {
                    let (key, bits) = (KeyId::read(reader)?, reader.u8()?);
                    let scopes = Scopes::from_bits(bits).ok_or(Corrupt)?;
                    Ok(NewKey { key, scopes, token_hash: TokenHash::read(reader)? })
                })?,
            },
            _ => return Err(Corrupt),
        })
    }
}
