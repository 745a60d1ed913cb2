//! The disk alone: what every durable append waits for.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use crate::Error;

/// Writes `size` bytes and waits for the disk, `count` times over; how many times a second that works.
pub(crate) fn synced_writes(folder: &Path, size: usize, count: usize) -> Result<f64, Error> {
    let bytes = vec![0x5A; size];
    let mut file = File::create(folder.join("synced"))?;
    let began = Instant::now();
    for _ in 0..count {
        file.write_all(&bytes)?;
        file.sync_data()?;
    }
    Ok(count as f64 / began.elapsed().as_secs_f64())
}
