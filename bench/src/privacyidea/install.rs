//! Its packages: from PyPI, at fixed versions, into a virtual environment beside the binaries, and never elsewhere.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Error;
use crate::peers::Unavailable;

/// What is installed; what these need comes with them.
const PACKAGES: [&str; 3] = ["privacyidea==3.14", "gunicorn==27.0.1", "psycopg2-binary==2.9.13"];
/// The key of RFC 4226's test values.
pub(super) const HOTP_KEY: &str = "3132333435363738393031323334353637383930";
/// Prints one-time codes (RFC 4226), by Python's own library.
const HOTP: &str = "import hashlib, hmac, sys
key = bytes.fromhex(sys.argv[1])
for counter in range(int(sys.argv[2])):
    digest = hmac.digest(key, counter.to_bytes(8, 'big'), hashlib.sha1)
    at = digest[19] & 15
    print('%06d' % ((int.from_bytes(digest[at:at + 4], 'big') & 0x7FFFFFFF) % 1000000))
";

/// The environment, made if it is not there.
pub(super) fn environment() -> Result<PathBuf, Unavailable> {
    let beside = std::env::current_exe()?.parent().ok_or("no folder")?.to_path_buf();
    let environment = beside.join("peer-privacyidea");
    // Written last, so that what was broken off is made anew.
    let done = environment.join("installed");
    let wanted = PACKAGES.join("\n");
    if std::fs::read_to_string(&done).is_ok_and(|found| found == wanted) {
        return Ok(environment);
    }
    eprintln!("adyton-bench: installing {}, a peer", PACKAGES.join(", "));
    said(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
    // It waits for a network, which may not be there.
    let mut pip = Command::new("timeout");
    pip.arg("900").arg(environment.join("bin/pip")).args(["install", "--quiet", "--disable-pip-version-check"]);
    said(pip.args(PACKAGES))?;
    std::fs::write(done, wanted)?;
    Ok(environment)
}

/// `privacyIDEA 3.14, gunicorn 27.0.1`.
pub(super) fn versions() -> String {
    let version = |package: &str| package.rsplit('=').next().unwrap_or_default().to_owned();
    format!("privacyIDEA {}, gunicorn {}", version(PACKAGES[0]), version(PACKAGES[1]))
}

/// The first codes of [`HOTP_KEY`].
pub(super) fn hotp_codes(environment: &Path, count: usize) -> Result<Vec<String>, Error> {
    let mut python = Command::new(environment.join("bin/python"));
    let out = said(python.args(["-c", HOTP, HOTP_KEY, &count.to_string()]))?;
    let codes: Vec<String> = out.lines().map(str::to_owned).collect();
    // RFC 4226, appendix D.
    if codes.first().is_some_and(|code| code == "755224") { Ok(codes) } else { Err("no one-time codes".into()) }
}

/// Runs a command to its end; its output, or the last line of what it complains of.
pub(super) fn said(command: &mut Command) -> Result<String, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let out = command.stdin(Stdio::null()).output().map_err(|error| format!("{program}: {error}"))?;
    if out.status.success() {
        return Ok(String::from_utf8(out.stdout)?);
    }
    let complaint = String::from_utf8_lossy(&out.stderr);
    let last = complaint.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason given");
    Err(format!("{program}: {}: {last}", out.status).into())
}
