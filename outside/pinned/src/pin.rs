//! Files that say what is used, by version and hash.

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::PinnedError;

/// Reads a file of pins.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, PinnedError> {
    let text = fs::read_to_string(path).map_err(|error| PinnedError::new(format!("{}: {error}", path.display())))?;
    toml::from_str(&text).map_err(|error| PinnedError::new(format!("{}: {error}", path.display())))
}

/// Gives a key of a table another value, and leaves everything else of the file as people wrote it.
pub(crate) fn set(path: &Path, table: &str, key: &str, value: &str) -> Result<(), PinnedError> {
    let text = fs::read_to_string(path)?;
    let changed = with(&text, table, key, value);
    let changed =
        changed.ok_or_else(|| PinnedError::new(format!("{}: there is no {key} in [{table}]", path.display())))?;
    fs::write(path, changed)?;
    Ok(())
}

fn with(text: &str, table: &str, key: &str, value: &str) -> Option<String> {
    let (mut inside, mut found) = (false, false);
    let lines = text.lines().map(|line| {
        if line.starts_with('[') {
            inside = line == format!("[{table}]");
        }
        let is_key = line.split_once('=').is_some_and(|(name, _)| name.trim() == key);
        if !inside || !is_key {
            return line.to_owned();
        }
        found = true;
        let comment = line.split_once('#').map(|(_, comment)| format!("   #{comment}")).unwrap_or_default();
        format!("{key} = \"{value}\"{comment}")
    });
    let changed = lines.collect::<Vec<_>>().join("\n") + "\n";
    found.then_some(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_moved_and_the_rest_stays() {
        let text = "# words\n[a]\nversion = \"1\"   # why\n[b]\nversion = \"2\"\n";
        let moved = "# words\n[a]\nversion = \"3\"   # why\n[b]\nversion = \"2\"\n";
        assert_eq!(with(text, "a", "version", "3").as_deref(), Some(moved));
        assert_eq!(with(text, "c", "version", "3"), None);
        assert_eq!(with(text, "a", "sha256", "3"), None);
    }
}
