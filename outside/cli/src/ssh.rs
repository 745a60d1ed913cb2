//! Signing with the owner's own `ssh-keygen`: keys stay where they are, hardware keys work, and an agent is asked if there
//! is one.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

type Error = Box<dyn std::error::Error>;

/// Signs a text with a private key file, or with the hardware or agent key of a `.pub` file.
pub(crate) fn sign(key: &Path, text: &str) -> Result<String, Error> {
    let mut child = Command::new("ssh-keygen")
        .args(["-q", "-Y", "sign", "-n", "adyton", "-f"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("ssh-keygen does not start: {error}: install OpenSSH"))?;
    child.stdin.take().ok_or("no input")?.write_all(text.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        // It said why on stderr.
        return Err(format!("ssh-keygen did not sign with {}", key.display()).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Makes an Ed25519 key without a passphrase, and its `.pub`, unless they are there. Gives the public line.
pub(crate) fn make_key(path: &Path, comment: &str) -> Result<String, Error> {
    let public = path.with_extension("pub");
    if !path.exists() {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"])
            .arg(path)
            .stdin(Stdio::null())
            .status()
            .map_err(|error| format!("ssh-keygen does not start: {error}: install OpenSSH"))?;
        if !made.success() {
            return Err(format!("ssh-keygen did not make {}", path.display()).into());
        }
    }
    Ok(std::fs::read_to_string(public)?.trim_end().to_owned())
}
