//! Enclave images: what is measured, how it is packed, how it is built.
//!
//! Why: evidence names a measurement, and a measurement is worth as much as the way from sources to it. So the image is
//! written, read and measured here, byte by byte by `docs/spec/11-image.md`, by few lines that can be read.
//!
//! Scope: the Enclave Image Format ([`Eif`]), its ramdisks ([`ramdisk`]), its registers ([`Measurements`]), its signature
//! ([`sign`]), the two ramdisks that a vault's image is made of ([`assemble`], [`Layout`]), what two images differ in
//! ([`compare`]), and building the enclave so that others get the same bytes ([`build`], the one module with IO).
//!
//! What it is not: it starts no enclave and reads no evidence. A measurement says which bytes run, and not that they are good.
//! The kernel is given to it.

mod assemble;
pub mod build;
mod bzimage;
mod compare;
mod cpio;
mod eif;
mod elf;
mod gzip;
mod measure;
mod metadata;
pub mod ramdisk;
mod sign;
mod signature;

pub use assemble::{COMMAND_LINE, INIT, Layout, LayoutError, POLICY, assemble};
pub use bzimage::kernel_version;
pub use compare::{Comparison, Difference, Facts, compare};
pub use cpio::{Content, CpioError, Entry};
pub use eif::{Eif, EifError, Section, checksum};
pub use gzip::GzipError;
pub use measure::{Measurements, Register, policy_register};
pub use metadata::Metadata;
pub use sign::{SignError, sign};
pub use signature::{SignatureError, SignedBy};
