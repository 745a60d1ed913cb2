//! The npm packages of the end-to-end tests that are written in JavaScript, installed outside the tree and keyed by the
//! lock file.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::process::Command;

use crate::ci::{Outcome, command};
use crate::metadata::{binaries, output};
use crate::root;

/// What the packages need; Debian 12 has an older one.
const OLDEST: u32 = 20;
const FOLDER: &str = "e2e/node";
const FILES: [&str; 2] = ["package.json", "package-lock.json"];

/// The official npm SDK against the release binaries.
pub(crate) fn step() -> Outcome {
    if let Err(why) = version().and_then(|said| check(&said)) {
        return Outcome::NotRun(why);
    }
    let binaries = match binaries() {
        Ok(binaries) => binaries,
        Err(error) => return Outcome::Fail(error.to_string()),
    };
    match install() {
        Ok(packages) => {
            let mut tests = Command::new("sh");
            tests.args(["-c", &format!("cd {FOLDER} && exec node --test --test-reporter=spec")]);
            command(tests.env("NODE_PATH", packages).env("ADYTON_BIN_DIR", binaries), 15)
        }
        Err(why) => Outcome::Fail(why),
    }
}

fn version() -> Result<String, String> {
    output("npm", &["--version"]).map_err(|_| "npm is not installed".to_owned())?;
    output("node", &["--version"]).map_err(|_| format!("Node.js is not installed ({OLDEST} or later is needed)"))
}

/// Takes `v20.1.2`.
fn check(version: &str) -> Result<(), String> {
    let version = version.trim();
    let major = version.strip_prefix('v').and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
    match major {
        Some(major) if major >= OLDEST => Ok(()),
        _ => Err(format!("Node.js is {version}, {OLDEST} or later is needed")),
    }
}

/// Installs what the lock file names unless a run before did; says where the packages are.
fn install() -> Result<std::path::PathBuf, String> {
    let read = |file: &str| {
        let path = root().join(FOLDER).join(file);
        std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let mut hasher = DefaultHasher::new();
    for file in FILES {
        read(file)?.hash(&mut hasher);
    }
    let place = root().join(format!("target/node-{:016x}", hasher.finish()));
    let (packages, ready) = (place.join("node_modules"), place.join("ready"));
    if !ready.exists() {
        let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
        std::fs::create_dir_all(&place).map_err(|error| failed(&place, error))?;
        for file in FILES {
            std::fs::write(place.join(file), read(file)?).map_err(|error| failed(&place, error))?;
        }
        // No package needs a script of its own, so none may run one.
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"]).arg(&place);
        if let Outcome::Fail(why) = command(&mut npm, 10) {
            return Err(format!("npm ci: {why}"));
        }
        std::fs::write(&ready, "").map_err(|error| failed(&ready, error))?;
    }
    Ok(packages)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::{FOLDER, check, root};

    #[test]
    fn every_package_comes_from_the_public_registry_with_its_hash() {
        let lock = std::fs::read_to_string(root().join(FOLDER).join("package-lock.json")).unwrap();
        let count = |start: &str| lock.lines().filter(|line| line.trim_start().starts_with(start)).count();
        let packages = count("\"node_modules/");
        assert!(packages > 0);
        assert_eq!(count("\"resolved\": \"https://registry.npmjs.org/"), packages);
        assert_eq!(count("\"integrity\": \"sha512-"), packages);
    }

    #[test]
    fn an_old_node_is_named() {
        assert_eq!(check("v20.20.2\n"), Ok(()));
        assert_eq!(check("v18.20.4"), Err("Node.js is v18.20.4, 20 or later is needed".into()));
        assert_eq!(check("none"), Err("Node.js is none, 20 or later is needed".into()));
    }
}
