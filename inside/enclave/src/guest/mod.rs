//! What an image does before it is a vault: it is the only process of its machine, and nobody else
//! sets it up.
//!
//! 1. mounts: `/dev`, and nothing else; console and NSM are opened;
//! 2. heartbeat: the parent learns that the image runs, as `nitro-cli` expects;
//! 3. entropy: the NSM's randomness goes into the kernel's pool, where RDRAND's is already;
//! 4. clock: refused if it parts from the NSM's by more than [`TOLERANCE`](crate::clock::TOLERANCE)
//!    seconds;
//! 5. policy: its SHA-256 is what PCR 16 is extended by; an image in debug mode, whose PCR 0 is
//!    zero, is refused;
//! 6. lock: no register changes any more;
//! 7. dumps: neither core dumps nor ptrace;
//! 8. memory: all of it stays where it is;
//! 9. gate: only its thread can open a socket from here on, and nothing can run another program
//!    (`confine`).
//!
//! Each step is told on the console, by its name; on hardware only an image in debug mode has one.
//! Then [`crate::boot`] goes on: key, identity, engine.
//!
//! Why there is no argument: an image is measured, and what its command line says beyond that is
//! not.
//!
//! What it is not: it runs nothing else and waits for no child; when it ends, the machine does.

mod confine;
mod heartbeat;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use adyton_ledger::sha256;
use adyton_nsm::Device;
use adyton_transport::{Address, INGRESS_PORT, PARENT, SERVICE_PORT, gate};
use rustix::mm::MlockAllFlags;
use rustix::mount::MountFlags;
use rustix::process::{Resource, Rlimit};
use rustix::system::RebootCommand;

use crate::boot::Config;
use crate::clock::Clock;
use crate::platform::{self, Claims, NsmAddress, PlatformError};
use crate::process;

/// Where an image has its policy.
const POLICY: &str = "/adyton.toml";
/// The register that is extended by the policy's hash.
const POLICY_REGISTER: u16 = 16;
/// Registers of an NSM.
const REGISTERS: u16 = 32;
/// Descriptors that an image may have open: its clients' and its own.
const DESCRIPTORS: u64 = 65_536;
/// Any address of this machine (`VMADDR_CID_ANY`).
const ANY: u32 = u32::MAX;

/// A step of the list above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the module says what each does")]
pub enum Step {
    Mounts = 1,
    Heartbeat,
    Entropy,
    Clock,
    Policy,
    Lock,
    Dumps,
    Memory,
    Gate,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Mounts => "mounts",
            Self::Heartbeat => "heartbeat",
            Self::Entropy => "entropy",
            Self::Clock => "clock",
            Self::Policy => "policy",
            Self::Lock => "lock",
            Self::Dumps => "dumps",
            Self::Memory => "memory",
            Self::Gate => "gate",
        };
        write!(f, "image {} {name}", *self as u8)
    }
}

/// Why an image does not become a vault. Public facts only.
#[derive(Debug)]
pub enum GuestError {
    /// The system refused.
    Io(io::Error),
    /// The NSM refused.
    Platform(PlatformError),
    /// The parent sent back something else.
    Heartbeat,
    /// The guest's clock and the platform's part by more than two seconds.
    ClockParts,
    /// The NSM has zeros for what was measured.
    DebugMode,
    /// A register does not hold what it was extended to.
    PolicyRegister,
}

impl fmt::Display for GuestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Platform(error) => error.fmt(f),
            Self::Heartbeat => f.write_str("the parent sent back another byte"),
            Self::ClockParts => f.write_str("this machine's clock and the platform's part by more than two seconds"),
            Self::DebugMode => f.write_str("debug mode: the platform vouches for nothing, so nothing is opened"),
            Self::PolicyRegister => f.write_str("the NSM did not extend the policy's register"),
        }
    }
}

impl std::error::Error for GuestError {}

impl From<io::Error> for GuestError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<rustix::io::Errno> for GuestError {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Io(error.into())
    }
}

impl From<PlatformError> for GuestError {
    fn from(error: PlatformError) -> Self {
        Self::Platform(error)
    }
}

/// Whether this process is all that its machine runs.
pub fn is_one() -> bool {
    std::process::id() == 1
}

/// Sets the machine up. `tell` receives each step before it is done; it may only write to stderr,
/// which is the console from the first step on.
///
/// # Errors
/// The step, and [`GuestError`].
pub fn set_up(tell: fn(Step)) -> Result<Config, (Step, GuestError)> {
    let device = step(tell, Step::Mounts, mounts)?;
    step(tell, Step::Heartbeat, heartbeat::beat)?;
    step(tell, Step::Entropy, || entropy(&device))?;
    step(tell, Step::Clock, || agree(&device))?;
    let policy = step(tell, Step::Policy, || extend(&device))?;
    step(tell, Step::Lock, || lock(&device))?;
    step(tell, Step::Dumps, || Ok(process::harden()?))?;
    step(tell, Step::Memory, || Ok(rustix::mm::mlockall(resident())?))?;
    step(tell, Step::Gate, confine)?;
    Ok(Config {
        ingress: Address::Vsock { cid: ANY, port: INGRESS_PORT },
        service: Address::Vsock { cid: PARENT, port: SERVICE_PORT },
        nsm: NsmAddress::Device(Arc::new(device)),
        policy,
        in_image: true,
    })
}

/// Ends the machine. There is nothing else that it could do.
pub fn end() -> io::Error {
    match rustix::system::reboot(RebootCommand::Restart) {
        Ok(()) => io::Error::other("the machine did not end"),
        Err(error) => error.into(),
    }
}

fn step<T>(
    tell: fn(Step),
    step: Step,
    carry_out: impl FnOnce() -> Result<T, GuestError>,
) -> Result<T, (Step, GuestError)> {
    tell(step);
    carry_out().map_err(|error| (step, error))
}

/// 1. The kernel has no console for a program that it starts from a ramdisk.
fn mounts() -> Result<Device, GuestError> {
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    rustix::mount::mount("devtmpfs", "/dev", "devtmpfs", flags, None)?;
    // On hardware there is one in debug mode only.
    let open = |path: &str| std::fs::File::options().read(true).write(true).open(path);
    let console = open("/dev/console").or_else(|_| open("/dev/null"))?;
    rustix::stdio::dup2_stdin(&console)?;
    rustix::stdio::dup2_stdout(&console)?;
    rustix::stdio::dup2_stderr(&console)?;
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current: Some(DESCRIPTORS), maximum: Some(DESCRIPTORS) })?;
    Ok(Device::open()?)
}

/// 3. What is written to the device is mixed into the pool; it is credited with nothing, and need not be.
fn entropy(device: &Device) -> Result<(), GuestError> {
    let random = platform::random_of(&platform::process(device, &platform::get_random()?)?)?;
    std::fs::write("/dev/urandom", &random)?;
    Ok(())
}

/// 4.
fn agree(device: &Device) -> Result<(), GuestError> {
    let document = platform::document_of(&platform::process(device, &platform::attestation(Claims::default())?)?)?;
    let own = adyton_attest::OwnDocument::parse(&document).map_err(|_| PlatformError::Answer)?;
    if Clock::new().agrees(own.timestamp_ms) { Ok(()) } else { Err(GuestError::ClockParts) }
}

/// 5. Gives the policy's bytes.
fn extend(device: &Device) -> Result<Vec<u8>, GuestError> {
    let ask = |request: &[u8], name: &str| platform::register_of(&platform::process(device, request)?, name);
    let image = ask(&platform::describe_pcr(0)?, "DescribePCR")?;
    // Public values, here and below.
    if image.iter().all(|byte| *byte == 0) {
        return Err(GuestError::DebugMode);
    }
    let policy = std::fs::read(Path::new(POLICY))?;
    let before = ask(&platform::describe_pcr(POLICY_REGISTER)?, "DescribePCR")?;
    let extended = ask(&platform::extend_pcr(POLICY_REGISTER, &sha256(&policy).0)?, "ExtendPCR")?;
    let after = ask(&platform::describe_pcr(POLICY_REGISTER)?, "DescribePCR")?;
    if before.iter().any(|byte| *byte != 0) || extended == before || extended != after {
        return Err(GuestError::PolicyRegister);
    }
    Ok(policy)
}

/// 6.
fn lock(device: &Device) -> Result<(), GuestError> {
    let answer = platform::process(device, &platform::lock_pcrs(REGISTERS)?)?;
    if platform::is_done(&answer, "LockPCRs") { Ok(()) } else { Err(PlatformError::Answer.into()) }
}

/// 8. A thread's stack is taken when it is used, not when it is promised.
fn resident() -> MlockAllFlags {
    MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT
}

/// 9. The gate's thread is confined to what it does, and from then on everybody else to what they do.
fn confine() -> Result<(), GuestError> {
    // The library looks for a device the first time, which it may not any more.
    adyton_seal::fill_random(&mut [0; 32]).map_err(|_| PlatformError::Answer)?;
    gate::open(|| confine::apply(confine::Thread::Gate))?;
    Ok(confine::apply(confine::Thread::Any)?)
}
