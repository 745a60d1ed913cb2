//! Rows of evidence: how many clients get a document that is fresh for them, and how fast a document is verified.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::Instant;

use data_encoding::HEXLOWER;

use crate::load::{CONNECTIONS, Measured, run as load};
use crate::peers::{Unavailable, available};
use crate::vault::Vault;
use crate::{Beside, Error, Options, Row};

pub(crate) async fn run(options: Options, folder: &Path, print: &mut impl FnMut(Row)) -> Result<(), Error> {
    let vault = Rc::new(Vault::start(&folder.join("evidence"))?);
    let each = options.scale(20_000) / CONNECTIONS;
    let host = vault.authority().to_owned();
    let mut measured = load(&vault.connector()?, CONNECTIONS, move |number, mut connection| {
        let host = host.clone();
        async move {
            let mut measured = Measured::default();
            for round in 0..each {
                let mut nonce = [0; 32];
                nonce[..8].copy_from_slice(&number.to_be_bytes());
                nonce[8..16].copy_from_slice(&round.to_be_bytes());
                let nonce = HEXLOWER.encode(&nonce);
                let request =
                    format!("GET /.well-known/adyton/evidence?nonce={nonce} HTTP/1.1\r\nhost: {host}\r\n\r\n");
                let began = Instant::now();
                let (status, _) = connection.exchange(request.as_bytes()).await?;
                if status != 200 {
                    return Err(format!("evidence: the vault answered {status}").into());
                }
                measured.note(began);
                measured.done += 1;
            }
            Ok(measured)
        }
    })
    .await?;
    let (rate, p99_ms) = (measured.rate(), Some(measured.percentile_ms(99)));
    print(Row { p99_ms, ..Row::new("evidence", "nonces/s", rate) });
    Rc::try_unwrap(vault).map_err(|_| "a task still holds the vault")?.stop()?;
    if options.peers {
        match verifications() {
            Ok(rows) => rows.into_iter().for_each(print),
            Err(why) => {
                print(Row { peer: Beside::NotRun(why), ..Row::new("verify a document", "documents/s", f64::NAN) })
            }
        }
    }
    Ok(())
}

/// Ours and Evervault's on one document of AWS's, in turn in one process, which stands apart because of its tree.
fn verifications() -> Result<[Row; 2], Unavailable> {
    available("/usr/bin/faketime", "faketime")?;
    let sources = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let target = std::env::current_exe()?.with_file_name("peer-evervault");
    let mut run = Command::new("cargo");
    run.args(["run", "--release", "--locked", "--quiet", "--manifest-path"]).arg(sources.join("evervault/Cargo.toml"));
    run.args(["--", "measure"]).arg(sources.join("../vectors/nitro/yawn-2025.cbor")).env("CARGO_TARGET_DIR", target);
    let said = run.output()?;
    if !said.status.success() {
        return Err(Unavailable(String::from_utf8_lossy(&said.stderr).trim().to_owned()));
    }
    let said: serde_json::Value = serde_json::from_slice(&said.stdout)?;
    let number = |name: &str| said[name].as_f64().ok_or_else(|| Unavailable(format!("no {name}")));
    let peer = || {
        let name = "Evervault attestation-doc-validation 0.10.1".to_owned();
        Ok::<_, Unavailable>(Beside::Peer { name, rate: number("theirs")?, p99_ms: None })
    };
    let p384 = number("p384")?;
    let all = Row {
        limit: Some(p384 / number("signatures")?),
        peer: peer()?,
        ..Row::new("verify a document", "documents/s", number("ours")?)
    };
    // The leaf and the document.
    let limit = Some(p384 / 2.0);
    let remembered =
        Row { limit, peer: peer()?, ..Row::new("verify, issuers remembered", "documents/s", number("remembered")?) };
    Ok([all, remembered])
}
