//! The vault under measurement: release binaries, started by `adyton up` as a user would.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use serde_json::Value;

use crate::Error;
use crate::http::Connector;

/// One tenant sends here what a whole vault would; the ceilings are counted as ever, but none is reached.
const CEILINGS: [&str; 3] = [
    "limits.sends_per_number_block_hour=4000000",
    "limits.sends_per_tenant_hour=4000000",
    "limits.spend_per_tenant_hour=1000000.0",
];

/// A running vault and its first tenant.
pub(crate) struct Vault {
    up: Child,
    ready: Value,
    /// From the start of the command to its first line, by when the API has answered.
    pub(crate) started_in: Duration,
}

/// A binary beside this one.
pub(crate) fn sibling(name: &str) -> Result<PathBuf, Error> {
    let path = std::env::current_exe()?.with_file_name(name);
    if path.is_file() { Ok(path) } else { Err(format!("{} is missing: cargo build --release", path.display()).into()) }
}

impl Vault {
    /// Starts a vault over a folder, new or not.
    pub(crate) fn start(folder: &Path) -> Result<Self, Error> {
        Self::start_with(folder, &[])
    }

    /// The same with further arguments of `adyton up`.
    pub(crate) fn start_with(folder: &Path, arguments: &[&str]) -> Result<Self, Error> {
        // A vault that exists has its policy.
        let data = folder.join("vault");
        let ceilings: &[&str] = if data.join("adyton.toml").exists() { &[] } else { &CEILINGS };
        let began = Instant::now();
        let mut up = Command::new(sibling("adyton")?)
            .args(["up", "--json", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(arguments)
            .args(ceilings.iter().flat_map(|ceiling| ["--set", ceiling]))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(up.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let started_in = began.elapsed();
        let ready = serde_json::from_str(&line).map_err(|_| "adyton up did not start")?;
        Ok(Self { up, ready, started_in })
    }

    /// Milliseconds from the start of an emulated machine to its heartbeat.
    pub(crate) fn heartbeat_ms(&self) -> Option<u64> {
        self.ready["machine"]["heartbeat_ms"].as_u64()
    }

    /// The process that the enclave is, or that emulates its machine.
    pub(crate) fn enclave_pid(&self) -> Option<u64> {
        self.ready["enclave_pid"].as_u64()
    }

    fn field(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap_or_default()
    }

    pub(crate) fn connector(&self) -> Result<Connector, Error> {
        Connector::new(self.authority().parse()?, self.field("ca"))
    }

    /// Host and port of the API.
    pub(crate) fn authority(&self) -> &str {
        self.field("api").trim_start_matches("https://")
    }

    /// `http://HOST:PORT/TOKEN` of the phone: host and path.
    pub(crate) fn phone(&self) -> Option<(&str, &str)> {
        self.field("phone").strip_prefix("http://")?.split_once('/')
    }

    /// A request to the service's `resource`, written out.
    pub(crate) fn request(&self, resource: &str, form: &str) -> Vec<u8> {
        let path = format!("/v2/Services/{}/{resource}", self.field("service_sid"));
        self.form(&path, self.field("account_sid"), self.field("auth_token"), form)
    }

    /// A form that an account posts.
    pub(crate) fn form(&self, path: &str, account: &str, token: &str, form: &str) -> Vec<u8> {
        let basic = BASE64.encode(format!("{account}:{token}").as_bytes());
        self.post(path, &format!("authorization: Basic {basic}\r\n"), "x-www-form-urlencoded", form)
    }

    /// JSON that nobody needs an account for.
    pub(crate) fn json(&self, path: &str, body: &str) -> Vec<u8> {
        self.post(path, "", "json", body)
    }

    fn post(&self, path: &str, authorization: &str, kind: &str, body: &str) -> Vec<u8> {
        format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\n{authorization}content-type: application/{kind}\r\n\
             content-length: {}\r\n\r\n{body}",
            self.authority(),
            body.len()
        )
        .into_bytes()
    }

    /// Resident bytes of the enclave and of the host.
    pub(crate) fn resident(&self) -> Result<(u64, u64), Error> {
        let of = |name: &str| resident(self.ready[name].as_u64().ok_or("no process id")?);
        Ok((of("enclave_pid")?, of("host_pid")?))
    }

    /// Processor time that enclave, host and this process have used.
    pub(crate) fn cpu(&self) -> Result<Duration, Error> {
        let of = |name: &str| Ok::<_, Error>(self.ready[name].as_u64().ok_or("no process id")?.to_string());
        [String::from("self"), of("enclave_pid")?, of("host_pid")?].iter().map(|pid| cpu(pid)).sum()
    }

    /// Asks it to stop and waits.
    pub(crate) fn stop(mut self) -> Result<(), Error> {
        let pid = self.up.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        let began = Instant::now();
        while self.up.try_wait()?.is_none() {
            if began.elapsed() > Duration::from_secs(20) {
                return Err("adyton up did not stop".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        // Its children die with it.
        let _ = self.up.kill();
        let _ = self.up.wait();
    }
}

/// Fields 14 and 15 of proc(5)'s `stat`, in hundredths of a second.
fn cpu(pid: &str) -> Result<Duration, Error> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name before may have blanks in it.
    let (_, rest) = stat.rsplit_once(')').ok_or("no stat")?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut ticks = || fields.next().ok_or("no stat")?.parse::<u64>().map_err(Error::from);
    Ok(Duration::from_millis((ticks()? + ticks()?) * 10))
}

fn resident(pid: u64) -> Result<u64, Error> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}
