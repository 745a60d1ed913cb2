//! The peer of the request rows: codes kept in Redis, as most teams keep them, tuned as fairly as we know how.
//!
//! TLS, an append-only file synced on every write (what a durable answer needs), one script for a check. It has no HTTP,
//! no delivery and no log that anybody could verify; its codes are there to be read by whoever holds its memory or file.

use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use crate::http::Connector;
use crate::load::{CONNECTIONS, Measured, run as load};
use crate::peers::{Server, Unavailable, available, certificate, free_port, version};
use crate::{Error, Options};

const PROGRAM: &str = "/usr/bin/redis-server";
/// Compares, counts a wrong try, forgets a code that was right.
const CHECK: &str = "local v = redis.call('HGET', KEYS[1], 'code') if not v then return -1 end \
    if v == ARGV[1] then redis.call('DEL', KEYS[1]) return 1 end \
    return redis.call('HINCRBY', KEYS[1], 'tries', 1) > 5 and -2 or 0";
const START: &str = "redis.call('HSET', KEYS[1], 'code', ARGV[1], 'tries', 0) \
    redis.call('EXPIRE', KEYS[1], 600) return 1";

/// Operations a second.
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) checks: f64,
    pub(crate) pairs: f64,
}

fn command(parts: &[&str]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", parts.len());
    for part in parts {
        out += &format!("${}\r\n{part}\r\n", part.len());
    }
    out.into_bytes()
}

fn start(folder: &Path) -> Result<(Server, Connector), Error> {
    let folder = folder.join("redis");
    std::fs::create_dir_all(&folder)?;
    certificate(&folder)?;
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let port = free_port()?;
    let child = Command::new(PROGRAM)
        .args(["--bind", "127.0.0.1", "--port", "0", "--tls-port", &port.to_string(), "--tls-auth-clients", "no"])
        .args(["--tls-protocols", "TLSv1.3", "--save", "", "--appendonly", "yes", "--appendfsync", "always"])
        .arg("--tls-cert-file")
        .arg(&certificate)
        .arg("--tls-key-file")
        .arg(&key)
        .arg("--tls-ca-cert-file")
        .arg(&certificate)
        .arg("--dir")
        .arg(&folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let connector = Connector::new(([127, 0, 0, 1], port).into(), &certificate)?;
    Ok((Server(child), connector))
}

/// Runs the peer's rows.
///
/// # Errors
/// [`Unavailable`] if it cannot be had.
pub(crate) async fn measure(options: Options, folder: &Path) -> Result<Peer, Unavailable> {
    available(PROGRAM, "redis-server")?;
    let (_server, connector) = start(folder)?;
    let mut tries = 0;
    while connector.connect().await.is_err() {
        tries += 1;
        if tries > 500 {
            return Err("redis-server does not answer".into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let scripts = Rc::new([load_script(&connector, START).await?, load_script(&connector, CHECK).await?]);
    let each = options.scale(60_000) / CONNECTIONS;
    // One start and five checks, as ours: the rate of the checks alone comes from a second run that only starts.
    let run = |wrong: usize, right: bool| {
        let (scripts, connector) = (Rc::clone(&scripts), connector.clone());
        async move {
            load(&connector, CONNECTIONS, move |part, mut connection| {
                let scripts = Rc::clone(&scripts);
                async move {
                    let mut measured = Measured::default();
                    for number in 0..each {
                        let key = format!("vc:{part}:{number}");
                        let start = command(&["EVALSHA", &scripts[0], "1", &key, "123456"]);
                        expect(b":1\r\n", connection.command(&start).await?)?;
                        for _ in 0..wrong {
                            let check = command(&["EVALSHA", &scripts[1], "1", &key, "654321"]);
                            expect(b":0\r\n", connection.command(&check).await?)?;
                        }
                        if right {
                            let check = command(&["EVALSHA", &scripts[1], "1", &key, "123456"]);
                            expect(b":1\r\n", connection.command(&check).await?)?;
                        }
                        measured.done += 1;
                    }
                    Ok(measured)
                }
            })
            .await
        }
    };
    let starts = run(0, false).await?;
    let pairs = run(0, true).await?;
    let all = run(4, true).await?;
    let checks = 5.0 * all.done as f64 / (all.took.saturating_sub(starts.took)).as_secs_f64();
    Ok(Peer { name: format!("Redis {}", version(PROGRAM)), checks, pairs: pairs.rate() })
}

async fn load_script(connector: &Connector, script: &str) -> Result<String, Error> {
    let mut connection = connector.connect().await?;
    let mut answer = connection.command(&command(&["SCRIPT", "LOAD", script])).await?.to_vec();
    // `$40`, a newline, the hash; they may come in two pieces.
    while answer.len() < 47 {
        answer.extend_from_slice(connection.command(b"").await?);
    }
    Ok(String::from_utf8(answer[5..45].to_vec())?)
}

fn expect(wanted: &[u8], got: &[u8]) -> Result<(), Error> {
    if got == wanted { Ok(()) } else { Err(format!("redis answered {}", String::from_utf8_lossy(got)).into()) }
}
