//! `adyton log check`.

use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use adyton_ledger::{CheckContext, CheckError, LogId, Report, check, sha256};
use adyton_policy::Policy;
use serde_json::json;

use crate::governance::verify_approvals;
use crate::store::Source;

/// What policies say of retention, and this machine's clock.
struct Here;

impl CheckContext for Here {
    fn retention(&self, policy: &[u8]) -> Option<u64> {
        Policy::parse(policy).ok().map(|policy| u64::from(policy.retention_days) * 86_400)
    }

    fn now(&self) -> u64 {
        // A clock before 1970 is behind every log, and the check then goes by the log's time.
        SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs())
    }
}

/// The report of the check of a vault's logs; an error names what is wrong with them.
pub(crate) fn sound(source: &Source) -> Result<Report, Box<dyn std::error::Error>> {
    let report = check(source, &Here).map_err(|error| match error {
        CheckError::Fault(fault) => format!("FAULT: {fault}").into(),
        CheckError::Unsettled(log) => unsettled(log),
        CheckError::Store(error) => Box::from(error),
    })?;
    verify_approvals(&report.vault, &report.history)?;
    Ok(report)
}

/// Checks every log of the vault in `data`.
pub(crate) fn run(data: &Path, as_json: bool) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let source = Source::open(data)?;
    match check(&source, &Here) {
        Ok(report) => {
            if let Err(error) = verify_approvals(&report.vault, &report.history) {
                if as_json {
                    println!("{}", json!({ "ok": false, "fault": error.to_string(), "log": "gov" }));
                } else {
                    println!("FAULT: log gov: {error}");
                }
                return Ok(ExitCode::FAILURE);
            }
            let release = 1 + report.history.approvals.len();
            // Monitors of certificate transparency name certificates by this hash.
            let obtained = report.history.certificates.iter().filter_map(|record| record.chain.first());
            let certificates: Vec<String> = obtained.map(|der| sha256(der).to_string()).collect();
            if as_json {
                let logs: Vec<_> = report
                    .logs
                    .iter()
                    .map(|log| {
                        json!({
                            "log": log.log.name(), "size": log.size, "root": log.root.to_string(),
                            "bodies": log.bodies, "retired": log.retired, "heads": log.heads, "tiles": log.tiles,
                        })
                    })
                    .collect();
                let profile = report.genesis.profile.text();
                println!(
                    "{}",
                    json!({ "ok": true, "vault_id": report.vault.to_string(), "profile": profile, "release": release, "logs": logs,
                            "certificates": certificates })
                );
            } else {
                println!("vault {} (profile {}), release {release}", report.vault, report.genesis.profile.text());
                for log in &report.logs {
                    println!(
                        "{}: {} entries, root {}, {} bodies compared, {} retired, {} signed heads and {} tiles match",
                        log.log, log.size, log.root, log.bodies, log.retired, log.heads, log.tiles
                    );
                }
                for certificate in &certificates {
                    println!("certificate obtained from a CA: SHA-256 {certificate}");
                }
                println!(
                    "The logs hold together. Nothing here can say whether they are the newest ones, or whether copies of the vault run (freshness: none)."
                );
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(CheckError::Fault(fault)) => {
            if as_json {
                println!(
                    "{}",
                    json!({ "ok": false, "fault": fault.to_string(), "log": fault.log.name(), "index": fault.index })
                );
            } else {
                println!("FAULT: {fault}");
            }
            Ok(ExitCode::FAILURE)
        }
        Err(CheckError::Unsettled(log)) => Err(unsettled(log)),
        Err(CheckError::Store(error)) => Err(error.into()),
    }
}

fn unsettled(log: LogId) -> Box<dyn std::error::Error> {
    format!("log {log}: the vault drops bodies faster than they are read: check again, or stop it first").into()
}
