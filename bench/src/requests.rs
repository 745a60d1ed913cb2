//! Rows that clients would see: over TLS through the host's pipes into the enclave, durable, delivered to the phone.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::load::{CONNECTIONS, Measured, run as load};
use crate::peers::Unavailable;
use crate::phone::{Codes, let_mail_hang};
use crate::vault::Vault;
use crate::{Beside, Error, Options, Row, privacyidea, redis};

/// Wrong codes tried on each verification before the right one.
const WRONG: usize = 4;

pub(crate) async fn run(options: Options, folder: &Path, print: &mut impl FnMut(Row)) -> Result<(), Error> {
    let vault = Vault::start(folder)?;
    print(Row::new("cold start, genesis", "ms", vault.started_in.as_secs_f64() * 1000.0));
    let (enclave, host) = vault.resident()?;
    print(Row::new("idle memory, enclave", "MiB", enclave as f64 / 1_048_576.0));
    print(Row::new("idle memory, host", "MiB", host as f64 / 1_048_576.0));

    let bench = Bench::of(vault).await?;
    let count = options.scale(400_000);
    let before = bench.vault.cpu()?;
    let echo = bench.echo(count).await?;
    let echo_cpu = (bench.vault.cpu()? - before).as_secs_f64() * 1e6 / count as f64;
    let peers = if options.peers { Peers::measure(options, folder).await } else { Peers::default() };
    let codes = bench.codes.clone();

    // What each connection and the writer take once is not a verification's.
    drop(bench.starts(&codes, options.scale(5_000)).await?);
    let (before, _) = bench.vault.resident()?;
    let count = options.scale(60_000);
    let prepared = bench.starts(&codes, count).await?;
    let (after, _) = bench.vault.resident()?;
    print(Row::new("live verification", "bytes", after.saturating_sub(before) as f64 / count as f64));
    let before = bench.vault.cpu()?;
    let checks = bench.checks(prepared).await?;
    let cpu = (bench.vault.cpu()? - before).as_secs_f64() * 1e6 / checks.done as f64;
    print(Row { limit: Some(echo_cpu), ..Row::new("processor time of a check", "µs", cpu) });
    rows(["check", "check / privacyIDEA"], "checks/s", checks, echo, peers.checks, print);
    let pairs = bench.pairs(&codes, options.scale(80_000)).await?;
    rows(["start and check", "start and check / privacyIDEA"], "pairs/s", pairs, echo / 2.0, peers.pairs, print);

    // The same beside mail, whose carrier is alive and then dead.
    let count = options.scale(40_000);
    let alive = bench.pairs_beside_mail(&codes, count).await?.rate();
    let_mail_hang(&bench.vault, true).await?;
    let mut dead = bench.pairs_beside_mail(&codes, count).await?;
    let (rate, p99_ms) = (dead.rate(), Some(dead.percentile_ms(99)));
    print(Row { limit: Some(alive), p99_ms, ..Row::new("beside a dead carrier", "pairs/s", rate) });

    bench.stop()?;
    let again = Vault::start(folder)?;
    print(Row::new("cold start, with its log", "ms", again.started_in.as_secs_f64() * 1000.0));
    again.stop()
}

/// What Redis and privacyIDEA did; nothing if they were not asked for.
#[derive(Default)]
struct Peers {
    checks: Vec<Beside>,
    pairs: Vec<Beside>,
}

impl Peers {
    /// Runs them, one after the other, while the vault idles.
    async fn measure(options: Options, folder: &Path) -> Self {
        let mut peers = Self::default();
        match redis::measure(options, folder).await {
            Ok(redis::Peer { name, checks, pairs }) => {
                peers.checks.push(Beside::Peer { name: name.clone(), rate: checks, p99_ms: None });
                peers.pairs.push(Beside::Peer { name, rate: pairs, p99_ms: None });
            }
            Err(unavailable) => peers.not_run(unavailable),
        }
        match privacyidea::measure(options, folder).await {
            Ok(privacyidea::Peer { name, checks, pairs }) => {
                let beside = |mut measured: Measured, name| Beside::Peer {
                    name,
                    rate: measured.rate(),
                    p99_ms: Some(measured.percentile_ms(99)),
                };
                peers.checks.push(beside(checks, name.clone()));
                peers.pairs.push(beside(pairs, name));
            }
            Err(unavailable) => peers.not_run(unavailable),
        }
        peers
    }

    fn not_run(&mut self, Unavailable(reason): Unavailable) {
        self.checks.push(Beside::NotRun(Unavailable(reason.clone())));
        self.pairs.push(Beside::NotRun(Unavailable(reason)));
    }
}

/// One row for each peer; the first alone if there is none.
fn rows(
    names: [&'static str; 2],
    unit: &'static str,
    mut measured: Measured,
    limit: f64,
    peers: Vec<Beside>,
    print: &mut impl FnMut(Row),
) {
    let (rate, p99_ms) = (measured.rate(), measured.percentile_ms(99));
    let peers = if peers.is_empty() { vec![Beside::Nothing] } else { peers };
    for (name, peer) in names.into_iter().zip(peers) {
        print(Row { limit: Some(limit), peer, p99_ms: Some(p99_ms), ..Row::new(name, unit, rate) });
    }
}

/// A vault under load.
pub(crate) struct Bench {
    vault: Rc<Vault>,
    /// What its phone receives.
    codes: Codes,
    /// Numbers handed out so far: each verification has its own.
    next: Rc<Cell<u32>>,
}

/// A live verification and its code.
struct Prepared {
    to: String,
    code: String,
}

fn number(next: &Cell<u32>) -> String {
    let number = next.get();
    next.set(number + 1);
    format!("+1212{number:07}")
}

fn escaped(to: &str) -> String {
    to.replace('+', "%2B")
}

impl Bench {
    pub(crate) async fn of(vault: Vault) -> Result<Self, Error> {
        let codes = Codes::follow(&vault).await?;
        Ok(Self { vault: Rc::new(vault), codes, next: Rc::default() })
    }

    pub(crate) fn stop(self) -> Result<(), Error> {
        let Ok(vault) = Rc::try_unwrap(self.vault) else { return Err("a task still holds the vault".into()) };
        vault.stop()
    }

    /// Starts so many verifications, and measures the checks of them.
    pub(crate) async fn started_and_checked(&self, count: usize) -> Result<Measured, Error> {
        let prepared = self.starts(&self.codes, count).await?;
        self.checks(prepared).await
    }

    fn start(vault: &Vault, to: &str) -> Vec<u8> {
        vault.request("Verifications", &format!("To={}&Channel=sms", escaped(to)))
    }

    fn check(vault: &Vault, to: &str, code: &str) -> Vec<u8> {
        vault.request("VerificationCheck", &format!("To={}&Code={code}", escaped(to)))
    }

    /// The limit: the same connections, pipes, TLS and HTTP, and an answer that needs nothing else.
    async fn echo(&self, count: usize) -> Result<f64, Error> {
        let request = b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";
        let connector = self.vault.connector()?;
        let measured = load(&connector, CONNECTIONS, move |_, mut connection| async move {
            let mut measured = Measured::default();
            for _ in 0..count / CONNECTIONS {
                let began = Instant::now();
                expect(200, connection.exchange(request).await?)?;
                measured.note(began);
                measured.done += 1;
            }
            Ok(measured)
        });
        Ok(measured.await?.rate())
    }

    /// A start, the code as the phone got it, and its check; the latencies are those of the two requests.
    async fn pairs(&self, codes: &Codes, count: usize) -> Result<Measured, Error> {
        let (vault, codes, next) = (Rc::clone(&self.vault), codes.clone(), Rc::clone(&self.next));
        load(&self.vault.connector()?, CONNECTIONS, move |_, mut connection| {
            let (vault, codes, next) = (Rc::clone(&vault), codes.clone(), Rc::clone(&next));
            async move {
                let mut measured = Measured::default();
                for _ in 0..count / CONNECTIONS {
                    let to = number(&next);
                    let request = Self::start(&vault, &to);
                    let began = Instant::now();
                    expect(201, connection.exchange(&request).await?)?;
                    measured.note(began);
                    let request = Self::check(&vault, &to, &codes.of(&to).await?);
                    let began = Instant::now();
                    let answer = expect(200, connection.exchange(&request).await?)?;
                    measured.note(began);
                    approved(answer, true)?;
                    measured.done += 1;
                }
                Ok(measured)
            }
        })
        .await
    }

    /// [`pairs`](Self::pairs), while mail to a hundred addresses a second begins beside it.
    async fn pairs_beside_mail(&self, codes: &Codes, count: usize) -> Result<Measured, Error> {
        let (vault, next, over) = (Rc::clone(&self.vault), Rc::clone(&self.next), Rc::new(Cell::new(false)));
        let mut connection = vault.connector()?.connect().await?;
        let ends = Rc::clone(&over);
        let mail = tokio::task::spawn_local(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(10));
            while !ends.get() {
                ticks.tick().await;
                let number = next.get();
                next.set(number + 1);
                let form = format!("To=m{number}%40dead.example&Channel=email");
                expect(201, connection.exchange(&vault.request("Verifications", &form)).await?)?;
            }
            Ok::<_, Error>(())
        });
        let measured = self.pairs(codes, count).await;
        over.set(true);
        mail.await??;
        measured
    }

    /// Live verifications and their codes, in as many parts as there are connections.
    async fn starts(&self, codes: &Codes, count: usize) -> Result<Vec<Vec<Prepared>>, Error> {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(self.vault.connector()?.connect().await?);
        }
        let tasks: Vec<_> = connections
            .into_iter()
            .map(|mut connection| {
                let (vault, codes, next) = (Rc::clone(&self.vault), codes.clone(), Rc::clone(&self.next));
                tokio::task::spawn_local(async move {
                    let mut prepared = Vec::new();
                    for _ in 0..count / CONNECTIONS {
                        let to = number(&next);
                        expect(201, connection.exchange(&Self::start(&vault, &to)).await?)?;
                        let code = codes.of(&to).await?;
                        prepared.push(Prepared { to, code });
                    }
                    Ok::<_, Error>(prepared)
                })
            })
            .collect();
        let mut parts = Vec::new();
        for task in tasks {
            parts.push(task.await??);
        }
        Ok(parts)
    }

    /// Wrong codes and then the right one on each verification.
    async fn checks(&self, prepared: Vec<Vec<Prepared>>) -> Result<Measured, Error> {
        let (vault, prepared) = (Rc::clone(&self.vault), Rc::new(prepared));
        load(&self.vault.connector()?, CONNECTIONS, move |part, mut connection| {
            let (vault, prepared) = (Rc::clone(&vault), Rc::clone(&prepared));
            async move {
                let mut measured = Measured::default();
                for Prepared { to, code } in &prepared[part] {
                    let wrong = if code.starts_with('0') { "1" } else { "0" }.to_owned() + &code[1..];
                    let (wrong, right) = (Self::check(&vault, to, &wrong), Self::check(&vault, to, code));
                    for tried in 0..=WRONG {
                        let began = Instant::now();
                        let request = if tried == WRONG { &right } else { &wrong };
                        let answer = expect(200, connection.exchange(request).await?)?;
                        measured.note(began);
                        approved(answer, tried == WRONG)?;
                        measured.done += 1;
                    }
                }
                Ok(measured)
            }
        })
        .await
    }
}

/// The body of an answer with the status that was wanted.
pub(crate) fn expect(wanted: u16, (status, body): (u16, &[u8])) -> Result<&[u8], Error> {
    if status == wanted {
        return Ok(body);
    }
    Err(format!("expected {wanted}, got {status}: {}", String::from_utf8_lossy(body)).into())
}

fn approved(body: &[u8], wanted: bool) -> Result<(), Error> {
    let text = String::from_utf8_lossy(body);
    let word = if wanted { "\"valid\":true" } else { "\"valid\":false" };
    if text.contains(word) { Ok(()) } else { Err(format!("expected {word}, got {text}").into()) }
}
