//! Rows of evidence: how many clients get a document that is fresh for them.

use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use data_encoding::HEXLOWER;

use crate::load::{CONNECTIONS, Measured, run as load};
use crate::vault::Vault;
use crate::{Error, Options, Row};

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
    Rc::try_unwrap(vault).map_err(|_| "a task still holds the vault")?.stop()
}
