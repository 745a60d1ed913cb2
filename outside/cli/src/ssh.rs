//! Signing with the owner's own `ssh-keygen`: keys stay where they are, hardware keys work, and an agent is asked if there
//! is one. And reading public keys, which alone leave this machine.

use std::ffi::OsStr;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use adyton_ledger::SshPublicKey;

type Error = Box<dyn std::error::Error>;

/// Signs a text with a private key file, or with the hardware or agent key of a `.pub` file.
pub(crate) fn sign(key: &Path, text: &str) -> Result<String, Error> {
    sign_by("ssh-keygen".as_ref(), key, text)
}

fn sign_by(program: &OsStr, key: &Path, text: &str) -> Result<String, Error> {
    let mut child = Command::new(program)
        .args(["-q", "-Y", "sign", "-n", "adyton", "-f"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("ssh-keygen does not start: {error}: install OpenSSH"))?;
    let written = child.stdin.take().ok_or("no input")?.write_all(text.as_bytes());
    let output = child.wait_with_output()?;
    if !output.status.success() {
        // It said why on stderr. It may have ended before it read the text.
        return Err(format!("ssh-keygen did not sign with {}", key.display()).into());
    }
    match written {
        // What signs has read everything; what has not gives a signature that does not verify.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(String::from_utf8(output.stdout)?),
    }
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
    let line = std::fs::read_to_string(&public).map_err(|error| format!("{}: {error}", public.display()))?;
    Ok(line.trim_end().to_owned())
}

/// The public key of a `.pub` file. Nothing else of the file leaves this machine; a private key is refused by name.
pub(crate) fn public_key(file: &Path) -> Result<SshPublicKey, Error> {
    let read = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    if is_private(&read) {
        let mut public = file.as_os_str().to_os_string();
        public.push(".pub");
        return Err(format!(
            "{}: this is a private key. Nothing was sent or written: name its public key, {}",
            file.display(),
            PathBuf::from(public).display()
        )
        .into());
    }
    let parsed = std::str::from_utf8(&read).ok().map(|text| text.trim_end().parse::<SshPublicKey>());
    match parsed {
        Some(Ok(key)) => Ok(key),
        Some(Err(error)) => Err(format!("{}: {error}. Nothing was sent or written", file.display()).into()),
        None => Err(format!("{}: not an SSH public key. Nothing was sent or written", file.display()).into()),
    }
}

/// Whether a file holds a private key: in PEM, as OpenSSH and OpenSSL write one, or as PuTTY does.
pub(crate) fn is_private(content: &[u8]) -> bool {
    let holds = |text: &[u8]| content.windows(text.len()).any(|window| window == text);
    holds(b"PRIVATE KEY-----") || content.starts_with(b"PuTTY-User-Key-File")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use std::fs;

    use super::*;

    #[test]
    fn an_end_before_the_text_is_read_is_its_failure_to_sign() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("signs-not");
        // Larger than a pipe, so that the write meets the end whenever it comes.
        let text = "x".repeat(1 << 20);
        for pause in ["0", "0.001", "0.1"] {
            let script = folder.path().join("script");
            fs::write(&script, format!("#!/bin/sh\nexec <&-\nsleep {pause}\nexit 1\n")).unwrap();
            // Another process writes the program: a program that a process of ours has open for writing does not start.
            let copied = Command::new("install").args(["-m", "700"]).arg(&script).arg(&program).status().unwrap();
            assert!(copied.success());
            let refused = sign_by(program.as_os_str(), "/no/key".as_ref(), &text).unwrap_err();
            assert_eq!(refused.to_string(), "ssh-keygen did not sign with /no/key");
        }
    }

    #[test]
    fn only_a_public_key_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tenant");
        let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";
        for text in [format!("{line} jo@example\n"), line.to_owned(), format!("{line}\r\n")] {
            fs::write(&file, &text).unwrap();
            assert_eq!(public_key(&file).unwrap().to_string(), line, "{text:?}");
        }
        for private in [
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n-----END OPENSSH PRIVATE KEY-----\n",
            "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n",
            "PuTTY-User-Key-File-3: ssh-ed25519\n",
        ] {
            fs::write(&file, private).unwrap();
            let refused = public_key(&file).unwrap_err().to_string();
            let named = format!("Nothing was sent or written: name its public key, {}.pub", file.display());
            assert!(refused.contains("this is a private key") && refused.ends_with(&named), "{refused}");
        }
        for (other, why) in [
            (&b"garbage"[..], "not an SSH public key"),
            (b"", "not an SSH public key"),
            (b"\xFF\xFE", "not an SSH public key"),
            (b"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAQ== jo", "RSA keys do not sign here"),
            (format!("{line}\n{line}\n").as_bytes(), "not an SSH public key"),
        ] {
            fs::write(&file, other).unwrap();
            let refused = public_key(&file).unwrap_err().to_string();
            assert!(refused.contains(why) && refused.ends_with("Nothing was sent or written"), "{refused}");
        }
    }
}
