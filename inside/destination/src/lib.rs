//! Where a message can go: phone numbers and e-mail addresses, one spelling of each; pure,
//! `no_std`.
//!
//! Why a crate of its own: several workflows send to people, and they must count and compare the
//! same spelling. What this crate is *not*: it sends nothing and knows no workflow.

#![no_std]

extern crate alloc;

mod channel;
mod destination;
mod email;
mod error;
mod phone;

pub use channel::Channel;
pub use destination::Destination;
pub use email::is_domain;
pub use error::DestinationError;
pub use phone::{Country, WrittenInstead};
