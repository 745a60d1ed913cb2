//! The emulated Nitro machine: QEMU's `nitro-enclave`, a bridge for vsock, firmware.
//!
//! 1. QEMU from Debian's upstream tarball, with a patch that signs attestation documents under a root that a test makes
//!    (`e2e/nitro/qemu-nsm.patch`, which is QEMU's licence, not ours);
//! 2. `vhost-device-vsock` from its registry's archive, with one line so that a parent is context 3, as on Nitro;
//! 3. firmware from Debian's packages.
//!
//! What it is not: a TEE. It runs a real image over a real NSM interface and real vsock, and isolates nothing from whoever
//! runs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use crate::cache::{self, Recipe};
use crate::command::run;
use crate::packages::{FETCHING, Package, expect, need};
use crate::{Console, PinnedError, pin};

/// What the builds need of Debian.
const NEEDED: [&str; 14] = [
    "bison",
    "curl",
    "flex",
    "gcc",
    "libcbor-dev",
    "libfdt-dev",
    "libglib2.0-dev",
    "libgnutls28-dev",
    "ninja-build",
    "patch",
    "pkg-config",
    "python3-venv",
    "xz-utils",
    "zlib1g-dev",
];
const CONFIGURING: Duration = Duration::from_secs(600);
const BUILDING: Duration = Duration::from_secs(2400);
const REPIN: &str = "cargo xtask nitro --repin";
/// Raised when what is done with the sources changes.
const VERSION: &[u8] = b"1";

/// `e2e/nitro/pins.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pins {
    qemu: Tarball,
    vhost_device_vsock: Crate,
    seabios: Package,
    firmware: Package,
}

/// An upstream tarball of Debian's archive.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tarball {
    /// The suite whose source package has it.
    suite: String,
    range: String,
    version: String,
    sha256: String,
}

/// A crate of the registry.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Crate {
    version: String,
    sha256: String,
}

/// Where the machine's parts are.
#[derive(Debug)]
pub struct Emulator {
    /// `qemu-system-x86_64`.
    pub qemu: PathBuf,
    /// `vhost-device-vsock`.
    pub bridge: PathBuf,
    /// Folders of firmware, for `-L`.
    pub firmware: [PathBuf; 2],
}

/// The machine of this source tree, built unless it was before. `console` hears what takes long.
///
/// # Errors
/// [`PinnedError`].
pub fn prepare(tree: &Path, console: &Console<'_>) -> Result<Emulator, PinnedError> {
    let folder = tree.join("e2e/nitro");
    let pins: Pins = pin::read(&folder.join("pins.toml"))?;
    let (patch, requirements) = (folder.join("qemu-nsm.patch"), folder.join("requirements.txt"));
    let recipe = Recipe::new("qemu")
        .with(VERSION)
        .with(pins.qemu.sha256.as_bytes())
        .with(&fs::read(&patch)?)
        .with(&fs::read(&requirements)?);
    let qemu = recipe.made(|work, kept| {
        need(&NEEDED, console)?;
        (console.tell)(&format!("QEMU {} is built: some minutes", pins.qemu.version));
        build_qemu(&pins.qemu, (&patch, &requirements), work, kept)
    })?;
    let patch = folder.join("vhost-device-vsock-cid3.patch");
    let recipe = Recipe::new("vsock-bridge")
        .with(VERSION)
        .with(pins.vhost_device_vsock.sha256.as_bytes())
        .with(&fs::read(&patch)?);
    let bridge = recipe.made(|work, kept| {
        (console.tell)(&format!("vhost-device-vsock {} is built: a minute", pins.vhost_device_vsock.version));
        build_bridge(&pins.vhost_device_vsock, &patch, work, kept)
    })?;
    let recipe = Recipe::new("firmware").with(pins.seabios.sha256.as_bytes()).with(pins.firmware.sha256.as_bytes());
    let firmware = recipe.made(|_, kept| {
        pins.seabios.unpack(kept, REPIN)?;
        pins.firmware.unpack(kept, REPIN)
    })?;
    Ok(Emulator {
        qemu: qemu.join("qemu-system-x86_64"),
        bridge: bridge.join("vhost-device-vsock"),
        firmware: [firmware.join("usr/share/qemu"), firmware.join("usr/share/seabios")],
    })
}

/// Moves the pins of what Debian drops to the newest version in their ranges.
///
/// # Errors
/// [`PinnedError`].
pub fn repin(tree: &Path) -> Result<(), PinnedError> {
    let path = tree.join("e2e/nitro/pins.toml");
    let pins: Pins = pin::read(&path)?;
    let (version, sha256) = pins.qemu.newest()?;
    pin::set(&path, "qemu", "version", &version)?;
    pin::set(&path, "qemu", "sha256", &sha256)?;
    for (table, package) in [("seabios", &pins.seabios), ("firmware", &pins.firmware)] {
        let (version, sha256) = package.newest()?;
        pin::set(&path, table, "version", &version)?;
        pin::set(&path, table, "sha256", &sha256)?;
    }
    Ok(())
}

/// 1.
fn build_qemu(
    tarball: &Tarball,
    (patch, requirements): (&Path, &Path),
    work: &Path,
    kept: &Path,
) -> Result<(), PinnedError> {
    let archive = tarball.fetch(work)?;
    run(Command::new("tar").arg("xf").arg(&archive).arg("-C").arg(work), CONFIGURING)?;
    let tree = fs::read_dir(work)?.filter_map(Result::ok).map(|entry| entry.path());
    let tree = tree.into_iter().find(|path| path.join("configure").is_file());
    let tree = tree.ok_or_else(|| PinnedError::new("QEMU's tarball has no configure"))?;
    run(Command::new("patch").args(["--batch", "-p1", "-i"]).arg(patch).current_dir(&tree), CONFIGURING)?;
    // Debian's tarball has no firmware in it, and none is built here.
    let meson = tree.join("pc-bios/meson.build");
    let text = fs::read_to_string(&meson)?;
    fs::write(&meson, format!("unpack_edk2_blobs = false\n{text}"))?;
    fs::write(tree.join("configs/devices/x86_64-softmmu/nitro.mak"), "CONFIG_NITRO_ENCLAVE=y\n")?;
    let python = work.join("python");
    run(Command::new("python3").args(["-m", "venv"]).arg(&python), CONFIGURING)?;
    let mut pip = Command::new(python.join("bin/pip"));
    run(pip.args(["install", "--quiet", "--require-hashes", "--requirement"]).arg(requirements), FETCHING)?;
    let folder = tree.join("build-nitro");
    fs::create_dir(&folder)?;
    let mut configure = Command::new("../configure");
    configure.arg(format!("--python={}", python.join("bin/python3").display())).args([
        "--target-list=x86_64-softmmu",
        "--without-default-features",
        "--without-default-devices",
        "--with-devices-x86_64=nitro",
        "--enable-system",
        "--enable-tcg",
        "--enable-fdt=system",
        "--enable-gnutls",
        "--enable-libcbor",
        "--enable-vhost-user",
        "--disable-docs",
        "--disable-install-blobs",
    ]);
    run(configure.current_dir(&folder), CONFIGURING)?;
    run(Command::new("ninja").arg("qemu-system-x86_64").current_dir(&folder), BUILDING)?;
    let binary = kept.join("qemu-system-x86_64");
    fs::copy(folder.join("qemu-system-x86_64"), &binary)?;
    run(Command::new("strip").arg(&binary), CONFIGURING)?;
    Ok(())
}

/// 2. Cargo fetches the archive of whatever something depends on, so something does.
fn build_bridge(pin: &Crate, patch: &Path, work: &Path, kept: &Path) -> Result<(), PinnedError> {
    let (name, version) = ("vhost-device-vsock", &pin.version);
    fs::create_dir(work.join("src"))?;
    fs::write(work.join("src/lib.rs"), "")?;
    let manifest = format!(
        "[package]\nname = \"wants\"\nedition = \"2024\"\n[dependencies]\n{name} = \"={version}\"\n[workspace]\n"
    );
    fs::write(work.join("Cargo.toml"), manifest)?;
    let home = work.join("cargo");
    let mut fetch = Command::new("cargo");
    run(fetch.arg("fetch").current_dir(work).env("CARGO_HOME", &home), FETCHING)?;
    let archive = home.join("registry/cache");
    let archive = fs::read_dir(archive)?.filter_map(Result::ok).map(|index| index.path());
    let archive = archive.map(|index| index.join(format!("{name}-{version}.crate"))).find(|path| path.is_file());
    let archive = archive.ok_or_else(|| PinnedError::new(format!("{name} {version} was not fetched")))?;
    expect(&archive, &pin.sha256)?;
    run(Command::new("tar").arg("xzf").arg(&archive).arg("-C").arg(work), CONFIGURING)?;
    let tree = work.join(format!("{name}-{version}"));
    run(Command::new("patch").args(["--batch", "-p1", "-i"]).arg(patch).current_dir(&tree), CONFIGURING)?;
    let manifest = tree.join("Cargo.toml");
    fs::write(&manifest, format!("{}\n[workspace]\n", fs::read_to_string(&manifest)?))?;
    let mut build = Command::new("cargo");
    build.args(["build", "--release", "--locked", "--target-dir"]).arg(work.join("target")).current_dir(&tree);
    run(build.env("CARGO_HOME", &home), BUILDING)?;
    let binary = kept.join(name);
    fs::copy(work.join("target/release").join(name), &binary)?;
    run(Command::new("strip").arg(&binary), CONFIGURING)?;
    Ok(())
}

impl Tarball {
    /// Fetches the tarball, from wherever this machine gets its packages.
    fn fetch(&self, work: &Path) -> Result<PathBuf, PinnedError> {
        let kept = cache::folder()?.join(format!("qemu-{}.orig.tar.xz", self.sha256));
        if kept.is_file() && cache::hash_of(&kept)? == self.sha256 {
            return Ok(kept);
        }
        let address = format!("{}/pool/main/q/qemu/qemu_{}.orig.tar.xz", mirror()?, self.version.replace('+', "%2b"));
        let file = work.join("orig.tar.xz");
        download(&address, &file).map_err(|error| {
            PinnedError::new(format!(
                "QEMU {} cannot be had: {error}\nDebian drops old versions. Run `{REPIN}` to move the pin",
                self.version
            ))
        })?;
        expect(&file, &self.sha256)?;
        fs::rename(&file, &kept)?;
        Ok(kept)
    }

    /// The version of the suite's source package, if it is in the range, and the hash of its tarball.
    fn newest(&self) -> Result<(String, String), PinnedError> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("lists/partial"))?;
        fs::create_dir_all(path("cache/archives/partial"))?;
        let keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
        let list = format!("deb-src [signed-by={keys}] {} {} main\n", mirror()?, self.suite);
        fs::write(path("sources.list"), list)?;
        let apt = |arguments: &[&str]| {
            let mut apt = Command::new("apt-get");
            apt.arg(format!("-oDir::Etc::sourcelist={}", path("sources.list").display()));
            apt.arg("-oDir::Etc::sourceparts=/dev/null");
            apt.arg(format!("-oDir::State::lists={}", path("lists").display()));
            apt.arg(format!("-oDir::Cache={}", path("cache").display()));
            run(apt.args(arguments), FETCHING)
        };
        apt(&["update", "-qq"])?;
        let listed = apt(&["source", "-qq", "--print-uris", "--download-only", "qemu"])?;
        // 'ADDRESS' NAME SIZE SHA256:HASH
        let line = listed.lines().find(|line| line.contains(".orig.tar.xz ")).unwrap_or_default();
        let mut words = line.split(' ').skip(1);
        let name = words.next().and_then(|name| name.strip_prefix("qemu_")?.strip_suffix(".orig.tar.xz"));
        let hash = words.nth(1).and_then(|hash| hash.strip_prefix("SHA256:"));
        match (name, hash) {
            (Some(version), Some(hash)) if version.starts_with(&self.range) => Ok((version.into(), hash.into())),
            _ => Err(PinnedError::new(format!("{} has no QEMU whose version begins with {}", self.suite, self.range))),
        }
    }
}

/// Where this machine gets its packages.
fn mirror() -> Result<String, PinnedError> {
    let printed = run(Command::new("apt-get").args(["download", "--print-uris", "seabios"]), FETCHING)?;
    let address = printed.trim_start_matches('\'').split_once("/pool/").map(|(mirror, _)| mirror.to_owned());
    address.ok_or_else(|| PinnedError::new("apt-get does not say where packages come from: run `apt-get update`"))
}

fn download(address: &str, file: &Path) -> Result<(), PinnedError> {
    let mut curl = Command::new("curl");
    curl.args(["--fail", "--silent", "--show-error", "--location", "--output"]).arg(file).arg(address);
    run(&mut curl, FETCHING).map(drop)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn the_committed_pins_are_ones() {
        let tree = crate::find_source(None).unwrap();
        let pins: Pins = pin::read(&tree.join("e2e/nitro/pins.toml")).unwrap();
        assert!(pins.qemu.version.starts_with(&pins.qemu.range));
        for hash in [pins.qemu.sha256, pins.vhost_device_vsock.sha256, pins.seabios.sha256, pins.firmware.sha256] {
            assert_eq!(hash.len(), 64);
        }
    }
}
