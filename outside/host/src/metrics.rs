//! Metrics in Prometheus' text format: made of operational events and nothing else, for the host knows nothing else.
//!
//! What the vault did comes as sums from the inside; what became of the vault is counted here. Sums begin at zero with
//! every boot, counts with every start of the host.

use std::convert::Infallible;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use adyton_frame::{Counters, DeliveryFailure, Event};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Longest time that a scraper's connection is kept.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections at once: Prometheus needs one.
const MAX_CONNECTIONS: usize = 16;

/// What the events said.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    counters: Counters,
    ready: bool,
    replayed: u64,
    boot_micros: u64,
    boots: u64,
    boots_refused: u64,
    boots_delayed: u64,
    log_faults: u64,
    store_lost: u64,
    platform_lost: u64,
    fenced: u64,
    snapshots: u64,
    /// By class: connect, TLS, refused, timeout.
    delivery_failures: [u64; 4],
}

impl Metrics {
    /// Takes an event in.
    pub fn observe(&self, event: &Event) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *event {
            Event::BootPhase { phase: 1 } => {
                (seen.ready, seen.counters) = (false, Counters::default());
                seen.boots += 1;
            }
            Event::BootPhase { .. } | Event::StoreBack { .. } | Event::PlatformBack => {}
            Event::Ready { replayed, micros } => {
                (seen.ready, seen.replayed, seen.boot_micros) = (true, replayed, micros);
            }
            Event::StoreLost { .. } => seen.store_lost += 1,
            Event::PlatformLost => seen.platform_lost += 1,
            Event::Fenced { .. } => {
                seen.ready = false;
                seen.fenced += 1;
            }
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
            Event::BootRefused { .. } => {
                seen.ready = false;
                seen.boots_refused += 1;
            }
            Event::BootDelayed { .. } => seen.boots_delayed += 1,
            Event::LogFaulty { .. } => seen.log_faults += 1,
            Event::Counters(counters) => seen.counters = counters,
        }
    }

    /// The text of `/metrics`.
    pub fn text(&self) -> String {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Counters { starts, checks_passed, checks_failed, accepted, refused, gave_up, unreachable, live_hundreds } =
            seen.counters;
        let [connect, tls, refusals, timeouts] = seen.delivery_failures;
        let mut text = Text::default();
        text.gauge("adyton_ready", "Whether the API answers.", seen.ready.into());
        text.counter("adyton_codes_requested_total", "Codes asked for since the boot.", starts);
        let checks = [("passed", checks_passed), ("failed", checks_failed)];
        text.counters("adyton_checks_total", "Codes compared since the boot.", "result", &checks);
        let messages =
            [("accepted", accepted), ("refused", refused), ("gave_up", gave_up), ("unreachable", unreachable)];
        let help = "Messages since the boot, by how their delivery ended.";
        text.counters("adyton_messages_total", help, "outcome", &messages);
        let live = live_hundreds.saturating_mul(100);
        text.gauge("adyton_live_verifications", "Live verifications, rounded down to hundreds.", live);
        let failures = [("connect", connect), ("tls", tls), ("refused", refusals), ("timeout", timeouts)];
        text.counters("adyton_delivery_failures_total", "Tries at a carrier that failed.", "class", &failures);
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

/// Answers `GET /metrics` for ever.
pub async fn serve_metrics(listener: TcpListener, metrics: Arc<Metrics>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // Never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let metrics = Arc::clone(&metrics);
        let service = service_fn(move |request| std::future::ready(answer(&request, &metrics)));
        let mut http = hyper::server::conn::http1::Builder::new();
        let connection = http.keep_alive(false).serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            // How it ends is the client's affair.
            let _ = timeout(PATIENCE, connection).await;
            drop(place);
        });
    }
}

fn answer(request: &Request<Incoming>, metrics: &Metrics) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::default());
    if request.uri().path() != "/metrics" {
        *response.status_mut() = StatusCode::NOT_FOUND;
    } else if request.method() != Method::GET {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    } else {
        let kind = hyper::header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        *response.body_mut() = metrics.text().into();
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn value(text: &str, sample: &str) -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.unwrap_or_else(|| unreachable!("{sample} in {text}")).parse().unwrap()
    }

    fn counters() -> Counters {
        Counters {
            starts: 1,
            checks_passed: 2,
            checks_failed: 3,
            accepted: 4,
            refused: 5,
            gave_up: 6,
            unreachable: 7,
            live_hundreds: 8,
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
            Event::SnapshotTaken { log: 1, index: 77 },
            Event::Counters(counters()),
        ] {
            metrics.observe(&event);
        }
        let text = metrics.text();
        for (sample, expected) in [
            ("adyton_ready", 1),
            ("adyton_codes_requested_total", 1),
            ("adyton_checks_total{result=\"passed\"}", 2),
            ("adyton_checks_total{result=\"failed\"}", 3),
            ("adyton_messages_total{outcome=\"accepted\"}", 4),
            ("adyton_messages_total{outcome=\"refused\"}", 5),
            ("adyton_messages_total{outcome=\"gave_up\"}", 6),
            ("adyton_messages_total{outcome=\"unreachable\"}", 7),
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
        ] {
            assert_eq!(value(&text, sample), expected, "{sample}");
        }
        metrics.observe(&Event::BootRefused { reason: 3 });
        assert_eq!(value(&metrics.text(), "adyton_ready"), 0);
        metrics.observe(&Event::BootPhase { phase: 1 });
        assert_eq!(value(&metrics.text(), "adyton_codes_requested_total"), 0, "sums begin anew");
    }

    #[tokio::test]
    async fn only_metrics_are_answered() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve_metrics(listener, Arc::new(Metrics::default())));
        for (request, status) in [("GET /metrics", "200 OK"), ("GET /", "404 Not Found"), ("POST /metrics", "405 ")] {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.write_all(format!("{request} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request}: {answer}");
            assert_eq!(answer.contains("adyton_ready 0"), status.starts_with("200"));
        }
    }
}
