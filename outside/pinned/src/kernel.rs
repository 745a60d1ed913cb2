//! The kernel of an image, from Debian's source package (`docs/spec/11-image.md`).
//!
//! 1. the source package at its pinned version;
//! 2. our patch, and our configuration over `allnoconfig`; every line of it must survive;
//! 3. `bzImage`, with a fixed time, user and host, so that it has the same bytes wherever this toolchain builds it;
//! 4. with the toolchain that the pin names, its hash must be the pin's.
//!
//! What it is not: a kernel with modules, files on disks, a network or a shell's worth of interfaces. `inside/kernel/config`
//! says what it has.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use crate::cache::{Recipe, hash_of};
use crate::command::run;
use crate::packages::{Package, need};
use crate::{Console, PinnedError, pin};

/// What the build needs of Debian.
const NEEDED: [&str; 8] = ["bc", "bison", "flex", "gcc", "libelf-dev", "make", "patch", "xz-utils"];
const UNPACKING: Duration = Duration::from_secs(300);
const BUILDING: Duration = Duration::from_secs(2400);
const REPIN: &str = "adyton image kernel --repin";

/// `inside/kernel/pin.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pin {
    source: Package,
    result: Built,
}

/// What came of the build where the pin was made.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Built {
    gcc: String,
    ld: String,
    sha256: String,
}

/// A kernel that is there.
#[derive(Debug)]
pub struct Kernel {
    /// Its `bzImage`.
    pub path: PathBuf,
    /// Version of the source package.
    pub version: String,
    /// SHA-256 of its `bzImage`, in hexadecimal.
    pub sha256: String,
    /// The compiler that built it.
    pub gcc: String,
    /// The linker that built it.
    pub ld: String,
    /// Whether the pin names this toolchain, and so these bytes.
    pub is_pinned: bool,
}

/// The kernel of this source tree, built unless it was before. `console` hears what takes long.
///
/// # Errors
/// [`PinnedError`].
pub fn prepare(tree: &Path, console: &Console<'_>) -> Result<Kernel, PinnedError> {
    let folder = tree.join("inside/kernel");
    let pin: Pin = pin::read(&folder.join("pin.toml"))?;
    need(&NEEDED, console)?;
    let (gcc, ld) = (version_of("gcc")?, version_of("ld")?);
    let (config, patch) = (folder.join("config"), folder.join("vsock-no-reply-pushback.patch"));
    let recipe = Recipe::new("kernel")
        .with(pin.source.sha256.as_bytes())
        .with(&fs::read(&config)?)
        .with(&fs::read(&patch)?)
        .with(gcc.as_bytes())
        .with(ld.as_bytes());
    let kept = recipe.made(|work, kept| {
        (console.tell)(&format!(
            "the kernel is built from {} {}: some minutes",
            pin.source.package, pin.source.version
        ));
        build(&pin.source, (&config, &patch), work, kept)
    })?;
    let path = kept.join("bzImage");
    let sha256 = hash_of(&path)?;
    let is_pinned = (&gcc, &ld) == (&pin.result.gcc, &pin.result.ld);
    if is_pinned && sha256 != pin.result.sha256 {
        return Err(PinnedError::new(format!(
            "the kernel has other bytes than inside/kernel/pin.toml says: expected SHA-256 {}, got {sha256} ({})",
            pin.result.sha256,
            path.display()
        )));
    }
    Ok(Kernel { path, version: pin.source.version, sha256, gcc, ld, is_pinned })
}

/// Moves the pin to the newest version in its range, builds it, and records what came of it.
///
/// # Errors
/// [`PinnedError`].
pub fn repin(tree: &Path, console: &Console<'_>) -> Result<Kernel, PinnedError> {
    let path = tree.join("inside/kernel/pin.toml");
    let pin: Pin = pin::read(&path)?;
    let (version, sha256) = pin.source.newest()?;
    pin::set(&path, "source", "version", &version)?;
    pin::set(&path, "source", "sha256", &sha256)?;
    // No toolchain has this name, so the bytes are not compared with those of the last version.
    pin::set(&path, "result", "gcc", "")?;
    let mut kernel = prepare(tree, console)?;
    for (key, value) in [("gcc", &kernel.gcc), ("ld", &kernel.ld), ("sha256", &kernel.sha256)] {
        pin::set(&path, "result", key, value)?;
    }
    kernel.is_pinned = true;
    Ok(kernel)
}

fn version_of(program: &str) -> Result<String, PinnedError> {
    let said = run(Command::new(program).arg("--version").env("LC_ALL", "C"), Duration::from_secs(10))?;
    Ok(said.lines().next().unwrap_or_default().to_owned())
}

fn build(source: &Package, (config, patch): (&Path, &Path), work: &Path, kept: &Path) -> Result<(), PinnedError> {
    // 1.
    source.unpack(&work.join("deb"), REPIN)?;
    let archive = work.join(format!("deb/usr/src/{}.tar.xz", source.package));
    run(Command::new("tar").arg("xJf").arg(&archive).arg("-C").arg(work), UNPACKING)?;
    let tree = work.join(&source.package);
    // 2.
    run(Command::new("patch").args(["--batch", "-p1", "-i"]).arg(patch).current_dir(&tree), UNPACKING)?;
    let make = |arguments: &[&str], limit| {
        let mut make = Command::new("make");
        make.arg("-s").args(arguments).current_dir(&tree);
        run(reproducible(&mut make), limit)
    };
    make(&["allnoconfig"], UNPACKING)?;
    let mut merge = Command::new("scripts/kconfig/merge_config.sh");
    merge.args(["-m", ".config"]).arg(config).current_dir(&tree);
    run(reproducible(&mut merge), UNPACKING)?;
    make(&["olddefconfig"], UNPACKING)?;
    check_config(&fs::read_to_string(config)?, &fs::read_to_string(tree.join(".config"))?)?;
    // 3.
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    make(&[&format!("-j{jobs}"), "bzImage"], BUILDING)?;
    fs::copy(tree.join("arch/x86/boot/bzImage"), kept.join("bzImage"))?;
    Ok(())
}

/// A command that sees nothing of this machine but where its tools are: no architecture, flag or compiler of the caller's, and
/// nothing that the banner or a path could take.
fn reproducible(command: &mut Command) -> &mut Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).env("LC_ALL", "C").env("TZ", "UTC");
    command.env("KBUILD_BUILD_TIMESTAMP", "@1").env("KBUILD_BUILD_VERSION", "1");
    command.env("KBUILD_BUILD_USER", "build").env("KBUILD_BUILD_HOST", "build")
}

/// `merge_config.sh` does not fail when a line is lost: whatever an option depends on may have turned it off again.
fn check_config(wanted: &str, got: &str) -> Result<(), PinnedError> {
    let survived = |line: &str| match line.strip_suffix("=n") {
        Some(name) => !got.lines().any(|line| line.starts_with(&format!("{name}="))),
        None => got.lines().any(|got| got == line),
    };
    let lost: Vec<&str> = wanted.lines().filter(|line| line.starts_with("CONFIG_") && !survived(line)).collect();
    if lost.is_empty() {
        return Ok(());
    }
    Err(PinnedError::new(format!("the kernel's configuration lost {}", lost.join(", "))))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn a_line_of_the_configuration_that_is_lost_is_named() {
        let got = "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=\"x\"\nCONFIG_DD=y\n";
        check_config("# words\nCONFIG_A=y\nCONFIG_B=n\nCONFIG_C=\"x\"\nCONFIG_D=n\n", got).unwrap();
        let lost = check_config("CONFIG_A=n\nCONFIG_B=y\nCONFIG_C=\"y\"\n", got).unwrap_err().to_string();
        assert_eq!(lost, "the kernel's configuration lost CONFIG_A=n, CONFIG_B=y, CONFIG_C=\"y\"");
    }

    #[test]
    fn the_committed_pin_is_one() {
        let tree = crate::find_source(None).unwrap();
        let pin: Pin = pin::read(&tree.join("inside/kernel/pin.toml")).unwrap();
        assert!(pin.source.version.starts_with(&pin.source.range));
        assert_eq!((pin.source.sha256.len(), pin.result.sha256.len()), (64, 64));
    }
}
