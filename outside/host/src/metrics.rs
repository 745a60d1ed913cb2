//! Metrics in Prometheus' text format: made of operational events and nothing else, its only
//! source.
//!
//! The vault reports sums of its operations; the host counts its state changes. Sums begin at zero
//! with every boot, counts with every start of the host. How they are asked for is in
//! [`crate::pages`].

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use adyton_frame::{Ceiling, Counters, DeliveryFailure, Event, StopReason};

/// State according to the events.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    counters: Counters,
    ready: bool,
    /// Logs that the store does not take now.
    away: BTreeSet<u16>,
    /// A writer stopped: until the next boot nothing is answered.
    stopped: bool,
    replayed: u64,
    boot_micros: u64,
    boots: u64,
    boots_refused: u64,
    boots_delayed: u64,
    log_faults: u64,
    store_lost: u64,
    platform_lost: u64,
    fenced: u64,
    /// In the order of [`StopReason::ALL`].
    writer_stopped: [u64; StopReason::ALL.len()],
    /// In the order of [`Ceiling::ALL`].
    ceilings_near: [u64; Ceiling::ALL.len()],
    snapshots: u64,
    /// By class: connect, TLS, refused, timeout.
    delivery_failures: [u64; 4],
    senders_refused: u64,
}

impl Metrics {
    /// Takes an event in.
    pub fn observe(&self, event: &Event) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *event {
            Event::BootPhase { phase: 1 } => {
                (seen.ready, seen.stopped, seen.counters) = (false, false, Counters::default());
                seen.away.clear();
                seen.boots += 1;
            }
            Event::BootPhase { .. } | Event::PlatformBack => {}
            Event::StoreBack { log } => {
                seen.away.remove(&log);
            }
            Event::Ready { replayed, micros } => {
                (seen.ready, seen.replayed, seen.boot_micros) = (true, replayed, micros);
            }
            Event::StoreLost { log } => {
                seen.away.insert(log);
                seen.store_lost += 1;
            }
            Event::PlatformLost => seen.platform_lost += 1,
            Event::Fenced { .. } => {
                (seen.ready, seen.stopped) = (false, true);
                seen.fenced += 1;
            }
            Event::WriterStopped { reason, .. } => {
                (seen.ready, seen.stopped) = (false, true);
                seen.writer_stopped[usize::from(reason.number()) - 1] += 1;
            }
            Event::CeilingNear { ceiling } => seen.ceilings_near[usize::from(ceiling.number()) - 1] += 1,
            Event::DeliveryFailed { class } => {
                let place = match class {
                    DeliveryFailure::Connect => 0,
                    DeliveryFailure::Tls => 1,
                    DeliveryFailure::Refused => 2,
                    DeliveryFailure::Timeout => 3,
                };
                seen.delivery_failures[place] += 1;
            }
            Event::SnapshotTaken { .. } => seen.snapshots += 1,
            Event::SenderRefused { .. } => seen.senders_refused += 1,
            Event::BootRefused { .. } => {
                seen.ready = false;
                seen.boots_refused += 1;
            }
            Event::BootDelayed { .. } => seen.boots_delayed += 1,
            Event::LogFaulty { .. } => seen.log_faults += 1,
            Event::Counters(counters) => {
                // Only a vault that serves says this; a restarted host receives it within a minute.
                seen.ready = !seen.stopped;
                seen.counters = counters;
            }
        }
    }

    /// Whether nothing is known that keeps a vault that answers from deciding: the store takes its entries, and no other
    /// vault writes them.
    pub fn can_append(&self) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.away.is_empty() && !seen.stopped
    }

    /// The text of `/metrics`.
    pub fn text(&self) -> String {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Counters {
            starts,
            checks,
            accepted,
            refused,
            gave_up,
            unreachable,
            unconfirmed,
            withdrawn,
            live_hundreds,
            refused_by_ceiling,
        } = seen.counters;
        let [connect, tls, refusals, timeouts] = seen.delivery_failures;
        let mut text = Text::default();
        text.gauge("adyton_ready", "Whether the API answers.", seen.ready.into());
        text.counter("adyton_codes_requested_total", "Codes asked for since the boot.", starts);
        text.counter("adyton_checks_total", "Checks of a code since the boot, right or wrong.", checks);
        let messages = [
            ("accepted", accepted),
            ("refused", refused),
            ("gave_up", gave_up),
            ("unreachable", unreachable),
            ("unconfirmed", unconfirmed),
            ("withdrawn", withdrawn),
        ];
        let help = "Messages since the boot, by how their delivery ended.";
        text.counters("adyton_messages_total", help, "outcome", &messages);
        let live = live_hundreds.saturating_mul(100);
        text.gauge("adyton_live_verifications", "Live verifications, rounded down to hundreds.", live);
        let ceilings = Ceiling::ALL.map(Ceiling::text);
        let help = "Requests since the boot that a ceiling refused.";
        let counts: Vec<_> = ceilings.into_iter().zip(refused_by_ceiling).collect();
        text.counters("adyton_ceiling_refusals_total", help, "ceiling", &counts);
        let help = "Hours in which some tenant used 80 % of a ceiling; destinations are not told.";
        let counts: Vec<_> = ceilings.into_iter().zip(seen.ceilings_near).collect();
        text.counters("adyton_ceiling_near_total", help, "ceiling", &counts);
        let failures = [("connect", connect), ("tls", tls), ("refused", refusals), ("timeout", timeouts)];
        text.counters("adyton_delivery_failures_total", "Tries at a carrier that failed.", "class", &failures);
        let help = "Times that a carrier refused the vault's account or sender, at most one a minute and route.";
        text.counter("adyton_senders_refused_total", help, seen.senders_refused);
        text.counter("adyton_boots_total", "Boots that began.", seen.boots);
        text.counter("adyton_boots_refused_total", "Boots that were refused.", seen.boots_refused);
        text.counter("adyton_boots_delayed_total", "Boots that waited because there were many.", seen.boots_delayed);
        let help = "Time from process start to ready, of the last boot.";
        text.gauge("adyton_boot_microseconds", help, seen.boot_micros);
        text.gauge("adyton_replayed_events", "Events that the last boot replayed.", seen.replayed);
        text.counter("adyton_store_lost_total", "Times that the store was lost.", seen.store_lost);
        let help = "Times that the platform stopped giving documents for clients.";
        text.counter("adyton_platform_lost_total", help, seen.platform_lost);
        text.counter("adyton_snapshots_total", "Snapshots that became durable.", seen.snapshots);
        let help = "Times that the store showed a log that its signed head does not match.";
        text.counter("adyton_log_faults_total", help, seen.log_faults);
        text.counter("adyton_fenced_total", "Times that another writer was met.", seen.fenced);
        let reasons: Vec<_> = StopReason::ALL.map(StopReason::text).into_iter().zip(seen.writer_stopped).collect();
        text.counters("adyton_writer_stopped_total", "Times that a log's writer stopped.", "reason", &reasons);
        text.0
    }
}

/// Prometheus' text format, version 0.0.4. Writing to a string does not fail.
#[derive(Default)]
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "gauge", help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn counters(&mut self, name: &str, help: &str, label: &str, values: &[(&str, u64)]) {
        self.family(name, "counter", help);
        for (which, value) in values {
            let _ = writeln!(self.0, "{name}{{{label}=\"{which}\"}} {value}");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn value(text: &str, sample: &str) -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.unwrap_or_else(|| unreachable!("{sample} in {text}")).parse().unwrap()
    }

    fn counters() -> Counters {
        Counters {
            starts: 1,
            checks: 2,
            accepted: 4,
            refused: 5,
            gave_up: 6,
            unreachable: 7,
            unconfirmed: 8,
            withdrawn: 9,
            live_hundreds: 8,
            refused_by_ceiling: [9, 10, 11, 12, 13, 14],
        }
    }

    #[test]
    fn events_become_samples() {
        let metrics = Metrics::default();
        for event in [
            Event::BootPhase { phase: 1 },
            Event::BootPhase { phase: 2 },
            Event::Ready { replayed: 9, micros: 10 },
            Event::DeliveryFailed { class: DeliveryFailure::Tls },
            Event::DeliveryFailed { class: DeliveryFailure::Timeout },
            Event::DeliveryFailed { class: DeliveryFailure::Timeout },
            Event::StoreLost { log: 1 },
            Event::SenderRefused { route: 3 },
            Event::SnapshotTaken { log: 1, index: 77 },
            Event::CeilingNear { ceiling: Ceiling::MailDomain },
            Event::CeilingNear { ceiling: Ceiling::MailDomain },
            Event::Counters(counters()),
        ] {
            metrics.observe(&event);
        }
        let text = metrics.text();
        for (sample, expected) in [
            ("adyton_ready", 1),
            ("adyton_codes_requested_total", 1),
            ("adyton_checks_total", 2),
            ("adyton_messages_total{outcome=\"accepted\"}", 4),
            ("adyton_messages_total{outcome=\"refused\"}", 5),
            ("adyton_messages_total{outcome=\"gave_up\"}", 6),
            ("adyton_messages_total{outcome=\"unreachable\"}", 7),
            ("adyton_messages_total{outcome=\"unconfirmed\"}", 8),
            ("adyton_messages_total{outcome=\"withdrawn\"}", 9),
            ("adyton_senders_refused_total", 1),
            ("adyton_live_verifications", 800),
            ("adyton_delivery_failures_total{class=\"connect\"}", 0),
            ("adyton_delivery_failures_total{class=\"tls\"}", 1),
            ("adyton_delivery_failures_total{class=\"timeout\"}", 2),
            ("adyton_boots_total", 1),
            ("adyton_boot_microseconds", 10),
            ("adyton_replayed_events", 9),
            ("adyton_store_lost_total", 1),
            ("adyton_snapshots_total", 1),
            ("adyton_boots_refused_total", 0),
            ("adyton_ceiling_refusals_total{ceiling=\"destination\"}", 9),
            ("adyton_ceiling_refusals_total{ceiling=\"number_block\"}", 10),
            ("adyton_ceiling_refusals_total{ceiling=\"mail_domain\"}", 11),
            ("adyton_ceiling_refusals_total{ceiling=\"tenant\"}", 12),
            ("adyton_ceiling_refusals_total{ceiling=\"spend\"}", 13),
            ("adyton_ceiling_refusals_total{ceiling=\"support\"}", 14),
            ("adyton_ceiling_near_total{ceiling=\"mail_domain\"}", 2),
            ("adyton_ceiling_near_total{ceiling=\"number_block\"}", 0),
            ("adyton_writer_stopped_total{reason=\"conflict\"}", 0),
        ] {
            assert_eq!(value(&text, sample), expected, "{sample}");
        }
        metrics.observe(&Event::BootRefused { reason: 3 });
        assert_eq!(value(&metrics.text(), "adyton_ready"), 0);
        metrics.observe(&Event::BootPhase { phase: 1 });
        assert_eq!(value(&metrics.text(), "adyton_codes_requested_total"), 0, "sums begin anew");
    }

    #[test]
    fn ready_follows_store_and_fencing() {
        let metrics = Metrics::default();
        assert!(metrics.can_append());
        for (event, expected) in [
            (Event::StoreLost { log: 0 }, false),
            (Event::StoreLost { log: 1 }, false),
            (Event::StoreBack { log: 0 }, false),
            (Event::StoreBack { log: 1 }, true),
            (Event::Fenced { log: 1, size: 2 }, false),
            (Event::WriterStopped { log: 1, reason: StopReason::Conflict }, false),
            (Event::Counters(counters()), false),
            (Event::BootPhase { phase: 1 }, true),
            (Event::StoreLost { log: 1 }, false),
            (Event::BootPhase { phase: 1 }, true),
        ] {
            metrics.observe(&event);
            assert_eq!(metrics.can_append(), expected, "{event:?}");
        }
        metrics.observe(&Event::Counters(counters()));
        assert_eq!(value(&metrics.text(), "adyton_ready"), 1, "a host that was started again");
        metrics.observe(&Event::Fenced { log: 1, size: 2 });
        metrics.observe(&Event::Counters(counters()));
        assert_eq!(value(&metrics.text(), "adyton_ready"), 0);
        assert_eq!(value(&metrics.text(), "adyton_writer_stopped_total{reason=\"conflict\"}"), 1);
    }
}
