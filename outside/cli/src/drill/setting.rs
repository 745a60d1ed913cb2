//! What the drill runs against, and what is expected of an attempt there.
//!
//! A laptop plays the whole platform, so whoever is root there reads the enclave's memory, sets its clock and holds the
//! platform's keys: those attempts are made, and succeed. An emulated machine stands for hardware. What plays that hardware
//! is not the insider's, and an emulator can show neither that real hardware closes such an attempt nor that it does not;
//! so those are listed as not shown, and what is left of them is the administrator of the KMS.

use super::report::Expected;

/// What the inside is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// A process, profile `dev`.
    Laptop,
    /// An image on an emulated machine, profile `kms`.
    Emulated,
}

/// Attempts at what an emulator plays.
const THE_PLATFORMS: [(&str, &str); 4] = [
    ("enclave-memory", "an enclave's memory is its own machine's, which the emulator plays"),
    ("clock", "an enclave's clock is its own machine's, which the emulator plays"),
    ("kms-folder", "the KMS is the cloud's, which the pretend one plays; see kms-administrator"),
    ("other-code-vouched-for", "the platform's root key is its maker's, which the emulator is given"),
];

impl Setting {
    /// The custody profile.
    pub(crate) fn profile(self) -> &'static str {
        match self {
            Self::Laptop => "dev",
            Self::Emulated => "kms",
        }
    }

    /// What is expected of an attempt of which a laptop declares this.
    pub(crate) fn expects(self, id: &str, on_a_laptop: Expected) -> Expected {
        let platforms = THE_PLATFORMS.iter().find(|(platforms, _)| *platforms == id);
        match (self, platforms) {
            (Self::Emulated, Some((_, why))) => Expected::NotShown { why },
            _ => on_a_laptop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::attempts;

    #[test]
    fn an_emulated_machine_leaves_fewer_rows_open() {
        let open = |setting: Setting| {
            let rows = attempts::all(setting);
            let open = rows.filter(|row| matches!(setting.expects(row.id, row.expected), Expected::Open { .. }));
            open.map(|row| row.id).collect::<Vec<_>>()
        };
        let laptop =
            ["restored-service", "cloned-vault", "other-code-vouched-for", "enclave-memory", "kms-folder", "clock"];
        assert_eq!(open(Setting::Laptop), laptop);
        assert_eq!(open(Setting::Emulated), ["restored-service", "cloned-vault", "kms-administrator"]);
        for (id, _) in THE_PLATFORMS {
            assert!(laptop.contains(&id), "{id} is a row that a laptop leaves open");
        }
    }
}
