//! Builds a vault's image from sources, so that everybody who builds the same sources gets the same bytes.
//!
//! 1. The policy is one, and the kernel is one: what an enclave would refuse is not packed.
//! 2. Cargo builds the enclave alone, with the profile `image` and for a named target, into a folder of its own. It sees
//!    nothing of the caller's environment but where tools are and how to fetch crates.
//! 3. The compilers write no path of this machine: sources, crates, standard library and what build scripts wrote are called
//!    `/adyton`, `/crates`, `/rustc/<commit>` and `/target`, in Rust and in C. So crates are fetched first: cargo unpacks them
//!    into a folder that is named for where they came from, and a mirror has another name than the registry.
//! 4. The program needs no loader.
//! 5. Kernel, program and policy become an image ([`crate::assemble`]).
//!
//! The compilers, the linker and the C library are the machine's: which versions gave which bytes stands in
//! `docs/spec/11-image.md`, "Toolchain".

use core::fmt;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io};

use adyton_policy::{Policy, PolicyError};

use crate::ramdisk::RamdiskError;
use crate::{Eif, assemble, elf, kernel_version};

/// What an enclave runs on.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// The profile of the workspace's manifest.
const PROFILE: &str = "image";
/// What makes a folder the source tree.
const MARK: &str = "inside/enclave/Cargo.toml";

/// What cargo sees of the caller's environment: where tools are, and how crates are fetched. None of it is in the bytes.
const KEPT: [&str; 15] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "CARGO_HOME",
    "CARGO_BUILD_JOBS",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];
/// Likewise, by how names begin.
const KEPT_PREFIXES: [&str; 6] =
    ["CARGO_HTTP_", "CARGO_NET_", "CARGO_SOURCE_", "CARGO_REGISTRY_", "CARGO_REGISTRIES_", "RUSTUP_"];

/// What an image is built of.
#[derive(Clone, Debug)]
pub struct Build {
    /// The source tree.
    pub source: PathBuf,
    /// The kernel, as a bzImage.
    pub kernel: PathBuf,
    /// The policy.
    pub policy: PathBuf,
    /// Where cargo may leave what it builds; `target` in the source tree if it is not given.
    pub target: Option<PathBuf>,
}

/// Why an image was not built.
#[derive(Debug)]
pub enum BuildError {
    /// A file cannot be read.
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The folder is not the source tree.
    Source(PathBuf),
    /// The policy is none.
    Policy(PolicyError),
    /// The kernel is no bzImage.
    Kernel(PathBuf),
    /// A compiler does not start, or does not say its version.
    Tool {
        /// Which.
        name: &'static str,
        /// What went wrong.
        why: String,
    },
    /// Cargo failed; it has said why.
    Cargo,
    /// The program asks for a loader, or is none: the C library's static form is missing.
    NotStatic(PathBuf),
    /// The program is too large.
    Ramdisk(RamdiskError),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Source(path) => {
                write!(f, "{}: not Adyton's source tree (it has no {MARK}); give it with --source DIR", path.display())
            }
            Self::Policy(error) => fmt::Display::fmt(error, f),
            Self::Kernel(path) => write!(f, "{}: not a Linux kernel as a bzImage", path.display()),
            Self::Tool { name, why } => write!(f, "{name}: {why}"),
            Self::Cargo => f.write_str("the enclave was not built; cargo says above why"),
            Self::NotStatic(path) => write!(
                f,
                "{}: not a program that runs without a loader; is the C library's static form installed?",
                path.display()
            ),
            Self::Ramdisk(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl core::error::Error for BuildError {}

impl Build {
    /// Builds it. Cargo speaks on stderr meanwhile.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn run(&self) -> Result<Eif, BuildError> {
        // 1.
        let policy = read(&self.policy)?;
        Policy::parse(&policy).map_err(BuildError::Policy)?;
        let kernel = read(&self.kernel)?;
        if kernel_version(&kernel).is_none() {
            return Err(BuildError::Kernel(self.kernel.clone()));
        }
        // 2., 3. and 4.
        let init = enclave(&self.source, self.target.as_deref())?;
        // 5.
        assemble(&kernel, &init, &policy).map_err(BuildError::Ramdisk)
    }
}

/// 2. to 4.: the enclave of a source tree, as an image has it. `target` is where cargo may leave what it builds.
///
/// # Errors
/// [`BuildError`].
pub fn enclave(source: &Path, target: Option<&Path>) -> Result<Vec<u8>, BuildError> {
    if !source.join(MARK).is_file() {
        return Err(BuildError::Source(source.into()));
    }
    // As the compilers will see them.
    let source = absolute(source)?;
    let target = target.map_or_else(|| source.join("target"), Path::to_path_buf).join("image");
    fs::create_dir_all(&target).map_err(|error| BuildError::File { path: target.clone(), error })?;
    let target = absolute(&target)?;
    let mut cargo = clean("cargo", &source);
    succeed(cargo.args(["fetch", "--quiet", "--locked", "--target", TARGET]))?;
    let names = names(&source, &target)?;
    let mut cargo = clean("cargo", &source);
    cargo.args(["build", "-p", "adyton-enclave", "--locked", "--profile", PROFILE, "--target", TARGET]);
    cargo.arg("--target-dir").arg(&target);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", rust_flags(&names));
    cargo.env(format!("CFLAGS_{}", TARGET.replace('-', "_")), c_flags(&names)).env("CC_SHELL_ESCAPED_FLAGS", "1");
    succeed(&mut cargo)?;
    let path = target.join(TARGET).join(PROFILE).join("adyton-enclave");
    let program = read(&path)?;
    if elf::is_static(&program) { Ok(program) } else { Err(BuildError::NotStatic(path)) }
}

/// A tool that sees what every machine has alike.
fn clean(tool: &str, source: &Path) -> Command {
    let mut command = Command::new(tool);
    command.current_dir(source).env_clear();
    command.envs(env::vars_os().filter(|(name, _)| {
        let kept = |name: &str| KEPT.contains(&name) || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        name.to_str().is_some_and(kept)
    }));
    command.envs([("LC_ALL", "C"), ("TZ", "UTC"), ("SOURCE_DATE_EPOCH", "1"), ("CARGO_INCREMENTAL", "0")]);
    // Empty is none, whatever a configuration file says.
    command.envs([("RUSTC_WRAPPER", ""), ("RUSTC_WORKSPACE_WRAPPER", "")]);
    command
}

fn succeed(cargo: &mut Command) -> Result<(), BuildError> {
    let done = cargo.stdin(Stdio::null()).stdout(Stdio::null()).status();
    let done = done.map_err(|error| BuildError::Tool { name: "cargo", why: error.to_string() })?;
    if done.success() { Ok(()) } else { Err(BuildError::Cargo) }
}

/// What folders of this machine are called in the bytes. Of two that fit, compilers take the later.
fn names(source: &Path, target: &Path) -> Result<Vec<(PathBuf, String)>, BuildError> {
    let asked = |argument: &[&str]| {
        let done = clean("rustc", source).args(argument).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
        let done = done.map_err(|error| BuildError::Tool { name: "rustc", why: error.to_string() })?;
        String::from_utf8(done.stdout).map_err(|error| BuildError::Tool { name: "rustc", why: error.to_string() })
    };
    let version = asked(&["-vV"])?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: "));
    let commit = commit.ok_or(BuildError::Tool { name: "rustc", why: "it does not say its commit".into() })?;
    let library = Path::new(asked(&["--print", "sysroot"])?.trim()).join("lib/rustlib/src/rust");
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    let mut names = vec![(library, format!("/rustc/{commit}")), (source.into(), "/adyton".into())];
    if let Some(home) = home {
        // Cargo names crates by the home as it is given, compilers of other languages by where it really is.
        for home in [fs::canonicalize(&home).ok(), Some(home)].into_iter().flatten() {
            let unpacked = home.join("registry/src");
            names.push((home, "/cargo".into()));
            let mut sources: Vec<PathBuf> =
                fs::read_dir(&unpacked).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
            sources.sort();
            names.extend(sources.into_iter().map(|source| (source, "/crates".to_owned())));
        }
    }
    names.push((target.into(), "/target".into()));
    Ok(names)
}

fn rust_flags(names: &[(PathBuf, String)]) -> OsString {
    let mut flags = vec![OsString::from("-Ctarget-feature=+crt-static"), "-Clink-arg=-Wl,--build-id=none".into()];
    for (path, name) in names {
        flags.push("--remap-path-prefix".into());
        flags.push(renamed(path, name));
    }
    flags.join(OsStr::new("\u{1F}"))
}

/// In a shell's quotes: that is how they are read (`CC_SHELL_ESCAPED_FLAGS`).
fn c_flags(names: &[(PathBuf, String)]) -> String {
    let flag = |(path, name): &(PathBuf, String)| {
        let renamed = renamed(path, name).to_string_lossy().replace('\'', r"'\''");
        format!("'-ffile-prefix-map={renamed}'")
    };
    names.iter().map(flag).collect::<Vec<_>>().join(" ")
}

fn renamed(path: &Path, name: &str) -> OsString {
    let mut both = path.as_os_str().to_owned();
    both.push("=");
    both.push(name);
    both
}

fn absolute(path: &Path) -> Result<PathBuf, BuildError> {
    fs::canonicalize(path).map_err(|error| BuildError::File { path: path.into(), error })
}

fn read(path: &Path) -> Result<Vec<u8>, BuildError> {
    fs::read(path).map_err(|error| BuildError::File { path: path.into(), error })
}
