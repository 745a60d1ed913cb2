//! The edge of the vault: everything in the enclave that touches the world.
//!
//! Why a library as well as a binary: the engine's tests, fuzz targets and benchmarks drive the
//! same code.
//!
//! Scope: an image's machine ([`guest`]), boot ([`boot`]), the platform ([`platform`]), keys and
//! identity ([`custody`], [`identity`], [`public`], [`acme`]), evidence of it ([`evidence`]), the
//! engine over the log ([`engine`]), the HTTP API ([`http`]), delivery ([`delivery`]). What decides
//! anything is in `adyton-vault`.
//!
//! What it is not: there is no free-form logging here. Its only output is the closed list of
//! operational events ([`events`]).

pub mod acme;
pub mod ask;
pub mod boot;
pub mod clock;
pub mod custody;
pub mod delivery;
pub mod egress;
pub mod engine;
pub mod events;
pub mod evidence;
pub mod guest;
pub mod hashes;
pub mod http;
pub mod identity;
pub mod metrics;
pub mod platform;
pub mod policy;
pub mod process;
pub mod public;
pub mod signed;
#[cfg(test)]
#[path = "../../../vectors/ssh_signer.rs"]
mod ssh_signer;
pub mod store;
