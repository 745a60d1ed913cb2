//! `cargo xtask reproducible`: whether two people who build one commit get the same image.
//!
//! 1. The commit is cloned twice, to paths of different length, one with a space in it.
//! 2. In each the image is built from nothing, with everything different that is no part of the sources: umask, time zone,
//!    language, `SOURCE_DATE_EPOCH`, cargo's home, where cargo leaves what it builds, flags for compilers;
//!    and the clock, by as long as the first takes.
//! 3. No program names a folder of this machine: what both happen to share, a comparison does not see.
//! 4. The images are compared byte for byte; if they differ, `adyton image diff` says where.
//!
//! Both are built by the `adyton` command of this tree, with one policy and one kernel: a file that is given, or a made-up one,
//! as the kernel's own build is not what is tried here. Tools are this machine's: whether another compiler gives the same bytes is
//! not tried either.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::{Error, metadata, root};

/// How somebody builds.
struct Habit {
    folder: &'static str,
    umask: &'static str,
    /// In the clone, or beside it.
    target: &'static str,
    /// Cargo's home, if it is not the usual one.
    home: Option<&'static str>,
    environment: &'static [(&'static str, &'static str)],
}

const HABITS: [Habit; 2] = [
    Habit {
        folder: "a",
        umask: "022",
        target: "a/target",
        home: None,
        environment: &[("TZ", "UTC"), ("LC_ALL", "C.UTF-8")],
    },
    Habit {
        folder: "another person's folder, with a much longer name/adyton",
        umask: "077",
        target: "what was built",
        home: Some("another cargo"),
        environment: &[
            ("TZ", "Pacific/Kiritimati"),
            ("LC_ALL", "C"),
            ("SOURCE_DATE_EPOCH", "1700000000"),
            ("RUSTFLAGS", "-Cdebuginfo=2 -Ctarget-cpu=native"),
            ("CFLAGS", "-g -march=native"),
            ("CARGO_PROFILE_IMAGE_OPT_LEVEL", "1"),
            ("CARGO_INCREMENTAL", "1"),
            ("USER", "somebody"),
        ],
    },
];

/// Builds twice and compares. `kernel` may be any bzImage.
pub(crate) fn run(kernel: Option<&Path>) -> Result<(), Error> {
    let command = command()?;
    if !metadata::output("git", &["status", "--porcelain"])?.is_empty() {
        println!("reproducible: what is not committed is not part of what is built");
    }
    let folder = std::env::temp_dir().join(format!("adyton-reproducible-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let done = compare(&command, kernel, &folder);
    fs::remove_dir_all(&folder)?;
    done
}

fn compare(command: &Path, kernel: Option<&Path>, folder: &Path) -> Result<(), Error> {
    let kernel = match kernel {
        Some(kernel) => fs::canonicalize(kernel)?,
        None => {
            let path = folder.join("bzImage");
            fs::write(&path, made_up_kernel())?;
            path
        }
    };
    // Once: somebody may commit meanwhile.
    let commit = metadata::output("git", &["rev-parse", "HEAD"])?;
    let mut images = Vec::new();
    for habit in &HABITS {
        let (begun, image) = (Instant::now(), folder.join(format!("{}.eif", images.len())));
        build(command, &kernel, (folder, commit.trim()), habit, &image)?;
        println!("reproducible: built {} after {} s", image.display(), begun.elapsed().as_secs());
        images.push(image);
    }
    let [one, two] = &images[..] else { return Err("two images are compared".into()) };
    let sums = metadata::output("sha384sum", &[text(one)?, text(two)?])?;
    print!("{sums}");
    if fs::read(one)? == fs::read(two)? {
        metadata::output(text(command)?, &["image", "measure", text(one)?]).map(|registers| print!("{registers}"))?;
        println!("reproducible: the same bytes twice");
        return Ok(());
    }
    Command::new(command).args(["image", "diff"]).args([one, two]).status()?;
    Err("the two images differ".into())
}

fn build(
    command: &Path,
    kernel: &Path,
    (folder, commit): (&Path, &str),
    habit: &Habit,
    image: &Path,
) -> Result<(), Error> {
    let source = folder.join(habit.folder);
    metadata::output("git", &["clone", "--quiet", "--no-local", text(&root())?, text(&source)?])?;
    metadata::output("git", &["-C", text(&source)?, "checkout", "--quiet", "--detach", commit])?;
    let policy = source.join("outside/image/tests/kms.toml");
    // A shell, as a process of ours cannot set the umask of another.
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask \"$1\" && shift && exec \"$@\"", "sh", habit.umask]);
    shell.arg(command).args(["image", "build", "--policy"]).arg(policy).arg("--kernel").arg(kernel);
    shell.arg("--out").arg(image).current_dir(&source).stdout(Stdio::null());
    let target = folder.join(habit.target);
    shell.env("CARGO_TARGET_DIR", &target).envs(habit.environment.iter().copied());
    if let Some(home) = habit.home {
        shell.env("CARGO_HOME", another_home(&folder.join(home))?);
    }
    if !shell.status()?.success() {
        return Err("the image was not built".into());
    }
    let program = fs::read(target.join("image").join(metadata::TARGET).join("image/adyton-enclave"))?;
    let mut folders = vec![folder.to_path_buf(), cargo_home()?];
    // Where tools are, too; a home that is the root of all would be found anywhere.
    folders.extend(std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.parent().is_some()));
    let mut names = vec!["/registry/src/".to_owned()];
    for folder in &folders {
        names.push(format!("{}/", text(folder)?));
    }
    for name in names {
        if program.windows(name.len()).any(|bytes| bytes == name.as_bytes()) {
            return Err(format!("the enclave names a folder of this machine: {name}").into());
        }
    }
    Ok(())
}

fn cargo_home() -> Result<PathBuf, Error> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cargo")));
    home.ok_or_else(|| "neither CARGO_HOME nor HOME is set".into())
}

/// Cargo's home under another name, with the same crates in it.
fn another_home(folder: &Path) -> Result<&Path, Error> {
    fs::create_dir(folder)?;
    for entry in fs::read_dir(cargo_home()?)? {
        let entry = entry?;
        // Locks are its own.
        if !entry.file_name().to_string_lossy().starts_with('.') {
            std::os::unix::fs::symlink(entry.path(), folder.join(entry.file_name()))?;
        }
    }
    Ok(folder)
}

/// The `adyton` command of this tree. Which profile it is built with is no part of the image.
fn command() -> Result<PathBuf, Error> {
    let done = Command::new("cargo").current_dir(root()).args(["build", "--locked", "-p", "adyton-cli"]).status()?;
    if !done.success() {
        return Err("the `adyton` command was not built".into());
    }
    Ok(metadata::Metadata::load()?.target_directory.join("debug/adyton"))
}

/// As much of a bzImage as says its version.
fn made_up_kernel() -> Vec<u8> {
    let mut kernel = vec![0; 0x400];
    kernel[0x202..0x206].copy_from_slice(b"HdrS");
    kernel[0x20E..0x210].copy_from_slice(&0x100u16.to_le_bytes());
    kernel[0x300..0x308].copy_from_slice(b"made-up\0");
    kernel
}

fn text(path: &Path) -> Result<&str, Error> {
    path.to_str().ok_or_else(|| format!("{}: not UTF-8", path.display()).into())
}
