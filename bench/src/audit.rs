//! What the operation record costs: the check row with it and without it, in turns.
//!
//! Two vaults run side by side and are asked one after the other, so that what else the machine does meets both.

use std::path::Path;

use crate::load::Measured;
use crate::requests::Bench;
use crate::vault::Vault;
use crate::{Error, Options, Row};

/// Turns of each vault.
const TURNS: usize = 6;
/// How a policy turns the record off.
const OFF: [&str; 2] = ["--set", "audit.operations=false"];

pub(crate) async fn run(options: Options, folder: &Path, print: &mut impl FnMut(Row)) -> Result<(), Error> {
    let mut vaults = Vec::new();
    for (name, arguments) in [("audit-on", &[][..]), ("audit-off", &OFF[..])] {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder)?;
        vaults.push((Bench::of(Vault::start_with(&folder, arguments)?).await?, Measured::default()));
    }
    let count = options.scale(24_000) / TURNS;
    for turn in 0..TURNS {
        // Each is first in every other turn.
        vaults.rotate_left(turn % 2);
        for (bench, total) in &mut vaults {
            total.add(bench.started_and_checked(count).await?);
        }
        vaults.rotate_right(turn % 2);
    }
    let rates: Vec<f64> = vaults.iter().map(|(_, total)| total.rate()).collect();
    let p99_ms = vaults.first_mut().map(|(_, total)| total.percentile_ms(99));
    print(Row { limit: rates.last().copied(), p99_ms, ..Row::new("check, with its record", "checks/s", rates[0]) });
    for (bench, _) in vaults {
        bench.stop()?;
    }
    Ok(())
}
