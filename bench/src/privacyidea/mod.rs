//! The peer of the request rows that people run for one-time codes: privacyIDEA behind gunicorn, over PostgreSQL.
//!
//! 1. its packages into a virtual environment beside the binaries, once ([`install`]); it is run, never linked;
//! 2. a database, keys and an administrator of its own, in folders that go when the row is done ([`server`]);
//! 3. one token for each connection, of each kind ([`enrol`]);
//! 4. the number of workers that does best here, from a short run of each;
//! 5. the rows: a one-time code checked; a code triggered, delivered to a gateway on loopback, read there, checked.
//!
//! What was tuned, and what the comparison leaves out, is said in `docs/SPEED.md`.

mod gateway;
mod install;
mod server;

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::http::{Connection, Connector};
use crate::load::{CONNECTIONS, Measured, over};
use crate::peers::Unavailable;
use crate::phone::{Codes, between};
use crate::postgres::Cluster;
use crate::{Error, Options};
use server::{Server, Workers};

/// What the rows say of it.
pub(crate) struct Peer {
    /// With versions and what was chosen.
    pub(crate) name: String,
    pub(crate) checks: Measured,
    pub(crate) pairs: Measured,
}

/// Workers and threads that are tried, for each core of the machine.
const CANDIDATES: [Workers; 3] =
    [Workers { per_core: 1, threads: 2 }, Workers { per_core: 1, threads: 4 }, Workers { per_core: 2, threads: 2 }];

/// Runs the peer's rows.
///
/// # Errors
/// [`Unavailable`] if it cannot be had or does not run here; the row says why.
pub(crate) async fn measure(options: Options, folder: &Path) -> Result<Peer, Unavailable> {
    let environment = install::environment()?;
    let cluster = Cluster::start(folder)?;
    cluster.run("CREATE DATABASE privacyidea")?;
    let folder = folder.join("privacyidea");
    std::fs::create_dir_all(&folder)?;
    let codes = Codes::default();
    let gateway = gateway::start(codes.clone()).await?;
    server::set_up(&environment, &folder, &cluster)?;
    let bench = Bench {
        codes,
        one_time: Rc::new(install::hotp_codes(&environment, MOST)?),
        used: Rc::new((0..CONNECTIONS).map(|_| Cell::new(1)).collect()),
    };

    let (mut best, mut enrolled) = (None, None);
    for workers in CANDIDATES {
        let server = Server::start(&environment, &folder, workers).await?;
        if enrolled.is_none() {
            enrolled = Some(enrol(&server.connector, gateway).await?);
        }
        let tried = bench.checks(&server.connector, Duration::from_secs(3)).await?.rate();
        if best.is_none_or(|(rate, _)| tried > rate) {
            best = Some((tried, workers));
        }
    }
    let (Some((_, workers)), Some(token)) = (best, enrolled) else { return Err("nothing was tried".into()) };

    let server = Server::start(&environment, &folder, workers).await?;
    let long = Duration::from_secs(if options.quick { 5 } else { 20 });
    let checks = bench.checks(&server.connector, long).await?;
    let pairs = bench.pairs(&server.connector, long, &token).await?;
    let name = format!("{}, {workers}, {}", install::versions(), Cluster::name());
    Ok(Peer { name, checks, pairs })
}

/// One-time codes that are there to be used; more than one token can use up in all runs.
const MOST: usize = 100_000;

struct Bench {
    codes: Codes,
    /// The codes of one key, in order: every token has that key.
    one_time: Rc<Vec<String>>,
    /// The next code of each connection's token.
    used: Rc<Vec<Cell<usize>>>,
}

impl Bench {
    /// Each code is right, and right once.
    async fn checks(&self, connector: &Connector, long: Duration) -> Result<Measured, Error> {
        let (one_time, used) = (Rc::clone(&self.one_time), Rc::clone(&self.used));
        over(warm(connector).await?, move |part, mut connection| {
            let (one_time, used) = (Rc::clone(&one_time), Rc::clone(&used));
            async move {
                let mut measured = Measured::default();
                let began = Instant::now();
                while began.elapsed() < long {
                    let next = used[part].get();
                    used[part].set(next + 1);
                    let code = one_time.get(next).ok_or("the codes are used up")?;
                    let request = post("/validate/check", "", &format!("serial=HOTP{part}&pass={code}"));
                    let sent = Instant::now();
                    accepted(connection.exchange(&request).await?)?;
                    measured.note(sent);
                    measured.done += 1;
                }
                Ok(measured)
            }
        })
        .await
    }

    /// A challenge by SMS, its code as the gateway got it, and its check; the latencies are those of the two requests.
    async fn pairs(&self, connector: &Connector, long: Duration, token: &str) -> Result<Measured, Error> {
        let (codes, token) = (self.codes.clone(), token.to_owned());
        over(warm(connector).await?, move |part, mut connection| {
            let (codes, token) = (codes.clone(), token.clone());
            async move {
                let mut measured = Measured::default();
                let began = Instant::now();
                let trigger = post("/validate/triggerchallenge", &token, &format!("serial=SMS{part}"));
                while began.elapsed() < long {
                    let sent = Instant::now();
                    let answer = triggered(connection.exchange(&trigger).await?)?;
                    measured.note(sent);
                    let code = codes.of(&number(part)).await?;
                    let form = format!("serial=SMS{part}&transaction_id={answer}&pass={code}");
                    let check = post("/validate/check", "", &form);
                    let sent = Instant::now();
                    accepted(connection.exchange(&check).await?)?;
                    measured.note(sent);
                    measured.done += 1;
                }
                Ok(measured)
            }
        })
        .await
    }
}

/// As many connections as every row has. Each asks for something at once: until then a new connection holds a thread.
async fn warm(connector: &Connector) -> Result<Vec<Connection>, Error> {
    let mut open = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let mut connection = connector.connect().await?;
        connection.exchange(b"GET /healthz/livez HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").await?;
        open.push(connection);
    }
    Ok(open)
}

/// Settings and tokens, by its API; the administrator's token.
async fn enrol(connector: &Connector, gateway: u16) -> Result<String, Error> {
    let mut connection = connector.connect().await?;
    let login = format!("username={}&password={}", server::ADMIN, server::ADMIN);
    let answer = text(connection.exchange(&post("/auth", "", &login)).await?)?;
    let token = value(&answer, "token").ok_or("no administrator's token")?.to_owned();
    let gateway = format!(
        "name=bench&module=privacyidea.lib.smsprovider.HttpSMSProvider.HttpSMSProvider\
         &option.URL=http://127.0.0.1:{gateway}/&option.HTTP_METHOD=GET&option.phone={{phone}}&option.text={{otp}}"
    );
    let mut requests = vec![
        // A token has no PIN: no password hash stands in the way of a check.
        post("/policy/nopin", &token, "scope=authentication&action=otppin=none&active=true"),
        // It need not count how often a token was right.
        post("/system/setConfig", &token, "no_auth_counter=true&sms.identifier=bench"),
        post("/smsgateway", &token, &gateway),
    ];
    for part in 0..CONNECTIONS {
        let hotp = format!("type=hotp&genkey=0&otpkey={}&serial=HOTP{part}", install::HOTP_KEY);
        requests.push(post("/token/init", &token, &hotp));
        let sms = format!("type=sms&genkey=1&serial=SMS{part}&phone={}", number(part));
        requests.push(post("/token/init", &token, &sms));
    }
    for request in requests {
        let answer = text(connection.exchange(&request).await?)?;
        if !answer.contains("\"status\":true") && !answer.contains("\"status\": true") {
            return Err(format!("privacyIDEA refused a setting: {answer}").into());
        }
    }
    Ok(token)
}

fn number(part: usize) -> String {
    format!("1212555{part:04}")
}

fn post(path: &str, token: &str, form: &str) -> Vec<u8> {
    let authorization = if token.is_empty() { String::new() } else { format!("PI-Authorization: {token}\r\n") };
    format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{authorization}content-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n{form}",
        form.len()
    )
    .into_bytes()
}

fn text((status, body): (u16, &[u8])) -> Result<String, Error> {
    let body = String::from_utf8_lossy(body).into_owned();
    if status == 200 { Ok(body) } else { Err(format!("privacyIDEA answered {status}: {body}").into()) }
}

/// A string field of an answer, which is written with and without spaces.
fn value<'a>(answer: &'a str, field: &str) -> Option<&'a str> {
    let spaced = between(answer, &format!("\"{field}\": \""), "\"");
    spaced.or_else(|| between(answer, &format!("\"{field}\":\""), "\""))
}

fn accepted(answer: (u16, &[u8])) -> Result<(), Error> {
    let answer = text(answer)?;
    if value(&answer, "authentication") == Some("ACCEPT") {
        return Ok(());
    }
    Err(format!("privacyIDEA did not accept a right code: {answer}").into())
}

/// The transaction that a challenge began.
fn triggered(answer: (u16, &[u8])) -> Result<String, Error> {
    let answer = text(answer)?;
    let transaction = value(&answer, "transaction_id").ok_or("privacyIDEA triggered nothing")?;
    Ok(transaction.to_owned())
}
