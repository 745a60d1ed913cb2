//! The leaky control: a process that does what the vault must not. A detector that does not catch it would call a leaking
//! vault clean.
//!
//! 1. it reads the canaries and encodes each, in a text of some length, in every encoding;
//! 2. it leaks them in every place: its memory, a file, its output, a Unix socket, a TCP connection, an answer over HTTP;
//! 3. the drill searches each place as it does for the vault, and says of each place and encoding whether every canary was
//!    caught and no decoy;
//! 4. last, it is made to dump core, if this machine writes cores.
//!
//! The encoders here are not the detectors' patterns: they encode whole texts, with other code where that is possible.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use data_encoding::{BASE64, HEXLOWER, HEXUPPER};
use rustix::process::{Signal, getppid};
use serde_json::{Value, json};

use super::attempts::cores;
use super::canary::Planted;
use super::detector::{Detector, Hits};
use super::encoding::{Encoding, septets};
use super::relay::{Recording, locked};
use super::report::Check;
use super::{Drill, Error, haystack, http, write};
use crate::processes::{Collected, Process, Surroundings};
use crate::vault::text;

/// What the control is told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// A JSON list of canaries
    #[arg(long)]
    canaries: PathBuf,
    /// Where files go
    #[arg(long)]
    dir: PathBuf,
    /// A Unix socket that takes bytes
    #[arg(long)]
    socket: PathBuf,
    /// As the vault's processes
    #[arg(long)]
    die_with_parent: bool,
}

/// 1. and 2. The control's own process: leaks, says so, and waits for its end.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Error> {
    if options.die_with_parent {
        let parent = getppid();
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        if getppid() != parent {
            return Err("the process that started this one is gone".into());
        }
    }
    let canaries: Vec<String> = serde_json::from_slice(&std::fs::read(&options.canaries)?)?;
    let leaks: Vec<Vec<u8>> =
        Encoding::ALL.iter().map(|encoding| leak(*encoding, &canaries)).collect::<Result<_, _>>()?;
    let everything = leaks.concat();
    for (encoding, leak) in Encoding::ALL.iter().zip(&leaks) {
        std::fs::write(options.dir.join(encoding.name()), leak)?;
    }
    UnixStream::connect(&options.socket)?.write_all(&everything)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", json!({ "listen": listener.local_addr()?.to_string() }))?;
    out.write_all(&everything)?;
    out.flush()?;
    std::io::stderr().write_all(&everything)?;
    for connection in listener.incoming() {
        let mut connection = connection?;
        connection.set_read_timeout(Some(Duration::from_secs(10)))?;
        let _ = connection.read(&mut [0; 4096])?;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", everything.len());
        connection.write_all(head.as_bytes())?;
        connection.write_all(&everything)?;
    }
    // They are in memory until here.
    drop(leaks);
    Ok(ExitCode::SUCCESS)
}

/// All canaries in one encoding, each in a text of its own.
fn leak(encoding: Encoding, canaries: &[String]) -> Result<Vec<u8>, Error> {
    let mut leaked = Vec::new();
    for (number, canary) in canaries.iter().enumerate() {
        // So that the canary begins at every alignment.
        let before = &"It is what nobody should see: "[..8 + number % 9];
        let said = format!("{before}{canary} and on.");
        let encoded = match encoding {
            Encoding::Raw => said.into_bytes(),
            Encoding::Hex if number % 2 == 0 => HEXLOWER.encode(said.as_bytes()).into(),
            Encoding::Hex => HEXUPPER.encode(said.as_bytes()).into(),
            Encoding::Base64(at) => {
                let before = &"It is what"[..usize::from(at) + 3 * (number % 3)];
                BASE64.encode(format!("{before}{canary} and on.").as_bytes()).into()
            }
            Encoding::Percent => said.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>().into(),
            Encoding::QuotedPrintable => said.bytes().map(|byte| format!("={byte:02X}")).collect::<String>().into(),
            Encoding::Utf16Le => said.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Encoding::Utf16Be => said.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            Encoding::Gsm7 => bit_by_bit(&septets(&said).unwrap_or_default()),
            Encoding::SemiOctets => telephone(canary),
            Encoding::Reversed => said.bytes().rev().collect(),
            Encoding::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(said.as_bytes())?;
                encoder.finish()?
            }
        };
        leaked.extend_from_slice(&encoded);
        leaked.extend_from_slice(b"\r\n");
    }
    Ok(leaked)
}

/// 3GPP TS 23.038, 6.1.2.1.1: the first septet's lowest bit is the first octet's lowest bit.
fn bit_by_bit(septets: &[u8]) -> Vec<u8> {
    let bits: Vec<u8> = septets.iter().flat_map(|septet| (0..7).map(move |bit| septet >> bit & 1)).collect();
    bits.chunks(8).map(|octet| octet.iter().rev().fold(0, |value, bit| value << 1 | bit)).collect()
}

/// 3GPP TS 23.040, 9.1.2.5: length, type, and the digits two by two, the second first.
fn telephone(canary: &str) -> Vec<u8> {
    if !canary.bytes().all(|byte| byte.is_ascii_digit()) {
        return vec![];
    }
    let filled = if canary.len() % 2 == 1 { format!("{canary}F") } else { canary.to_owned() };
    let swapped: String = filled.as_bytes().chunks(2).flat_map(|pair| [pair[1], pair[0]]).map(char::from).collect();
    [vec![u8::try_from(canary.len()).unwrap_or(0), 0x91], HEXUPPER.decode(swapped.as_bytes()).unwrap_or_default()]
        .concat()
}

/// What the control came to.
pub(crate) struct Caught {
    /// A line for each place and encoding.
    pub(crate) checks: Vec<Check>,
    /// What its core held, or why this machine showed none.
    pub(crate) cores: Result<String, String>,
}

/// 3. Starts the control, searches every place, and ends it.
pub(crate) async fn catch(drill: &Drill) -> Result<Caught, Error> {
    let (folder, runtime) = (drill.scratch.join("control"), drill.scratch.join("control.run"));
    std::fs::create_dir_all(&folder)?;
    std::fs::create_dir_all(&runtime)?;
    let values: Vec<_> = drill.planted.canaries.iter().map(|canary| &canary.value).collect();
    write(&runtime.join("canaries.json"), &serde_json::to_vec(&values)?)?;
    let (pipes, network, output) = (Recording::default(), Recording::default(), Collected::default());
    // Where the relayed bytes go.
    let sink = std::os::unix::net::UnixListener::bind(runtime.join("sink"))?;
    std::thread::spawn(move || {
        if let Ok((mut stream, _)) = sink.accept() {
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    drill.site.relays.unix(&runtime.join("socket"), runtime.join("sink"), Some(&pipes))?;
    let arguments: Vec<String> = [
        "drill-control".into(),
        "--canaries".into(),
        text(&runtime.join("canaries.json")),
        "--dir".into(),
        text(&folder),
        "--socket".into(),
        text(&runtime.join("socket")),
    ]
    .into();
    let surroundings = Surroundings {
        output: Some(output.clone()),
        memory: true,
        folder: Some(folder.clone()),
        ..Surroundings::default()
    };
    let (mut control, ready) = Process::start_ready("adyton", &arguments, &surroundings)?;
    let checks = search(drill, &control, &ready, (&pipes, &network, &output), &folder).await;
    // 4.
    let dump = checks.and_then(|checks| Ok((checks, dump(drill, &mut control, &folder)?)));
    control.stop();
    let (mut checks, dump) = dump?;
    let cores = dump.map(|(core, found)| {
        checks.extend(core);
        found
    });
    Ok(Caught { checks, cores })
}

/// 4. The control's core: its checks and what was found, or why there is none.
#[allow(clippy::type_complexity, reason = "used once")]
fn dump(drill: &Drill, control: &mut Process, folder: &Path) -> Result<Result<(Vec<Check>, String), String>, Error> {
    let dump = match cores::crash(control, Signal::ABORT, folder) {
        Ok(dump) => dump,
        Err(why) => return Ok(Err(why.to_string())),
    };
    let Some(core) = dump.files.first() else {
        return Ok(Err("this machine wrote no core even of a process that asked for one".into()));
    };
    let detector = drill.detector(&[])?;
    let mut hits = Hits::default();
    detector.search_reader(std::fs::File::open(core)?, &mut hits)?;
    let found = format!("the control's core: {}", detector.verdict(&hits)?.describe());
    std::fs::remove_file(core)?;
    Ok(Ok((checks("cores", drill, &hits), found)))
}

fn checks(id: &'static str, drill: &Drill, hits: &Hits) -> Vec<Check> {
    let word = |encoding| if caught(&drill.planted, hits, encoding) { "caught" } else { "missed" };
    Encoding::ALL.map(|encoding| Check { id, encoding: encoding.name(), control: word(encoding) }).into()
}

async fn search(
    drill: &Drill,
    control: &Process,
    ready: &Value,
    (pipes, network, output): (&Recording, &Recording, &Collected),
    folder: &Path,
) -> Result<Vec<Check>, Error> {
    let listen = ready["listen"].as_str().ok_or("the control says too little")?.parse()?;
    let (_, answer) = http::get(drill.site.relays.tcp(listen, Some(network))?, "GET", "/").await?;
    let detector = drill.detector(&[])?;
    // Its output is read by a thread of its own.
    settle(output).await;
    let mut found = Vec::new();
    let mut check = |id: &'static str, search: &dyn Fn(&Detector, &mut Hits) -> Result<(), Error>| {
        let mut hits = Hits::default();
        search(&detector, &mut hits)?;
        found.extend(checks(id, drill, &hits));
        Ok::<_, Error>(())
    };
    match control.memory() {
        Some(Ok(memory)) => check("memory", &|detector, hits| haystack::memory(memory, detector, hits))?,
        Some(Err(error)) => return Err(format!("the control's memory cannot be opened: {error}").into()),
        None => return Err("the control's memory was not opened".into()),
    }
    check("files", &|detector, hits| haystack::folder(folder, detector, hits))?;
    check("output", &|detector, hits| {
        detector.search(&locked(output), hits);
        Ok(())
    })?;
    check("pipes", &|detector, hits| {
        pipes.search(detector, hits);
        Ok(())
    })?;
    check("network", &|detector, hits| {
        network.search(detector, hits);
        Ok(())
    })?;
    check("answers", &|detector, hits| {
        detector.search(&answer, hits);
        Ok(())
    })?;
    Ok(found)
}

/// Waits until nothing more comes.
async fn settle(output: &Collected) {
    let (mut before, mut still) = (0, 0);
    while still < 5 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let now = locked(output).len();
        still = if now == before && now > 0 { still + 1 } else { 0 };
        before = now;
    }
}

/// Decoys that chance may find in one place and encoding. The shortest patterns have five bytes, and a process's memory has
/// tens of millions.
const CHANCE: usize = 1;

/// Whether every canary that has such a form was found in it, and no more decoys than chance finds.
fn caught(planted: &Planted, hits: &Hits, encoding: Encoding) -> bool {
    let canaries = planted.canaries.iter().enumerate();
    let mut applicable =
        canaries.filter(|(_, canary)| encoding == Encoding::Gzip || !encoding.patterns(&canary.value).is_empty());
    applicable.all(|(number, _)| hits.has(number, encoding)) && hits.decoys(encoding) <= CHANCE
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;
    use crate::drill::canary::{Kind, Secret};

    #[test]
    fn known_answers_of_the_controls_own_encoders() {
        assert_eq!(HEXUPPER.encode(&bit_by_bit(&septets("hellohello").unwrap())), "E8329BFD4697D9EC37");
        assert_eq!(HEXUPPER.encode(&telephone("12025550123")), "0B912120550521F3");
        assert_eq!(HEXUPPER.encode(&telephone("1234")), "04912143");
        assert!(telephone("12a4").is_empty());
    }

    /// Many values, so that every alignment and every character is met.
    #[test]
    fn whatever_is_leaked_is_found_in_its_encoding_and_in_no_text_of_another() {
        let mut planted = Planted::default();
        for _ in 0..20 {
            planted.number().unwrap();
            planted.address().unwrap();
            let code = crate::drill::canary::random_of(b"0123456789", 10).unwrap();
            planted.plant(Kind::Code, &code).unwrap();
            let token = crate::tenant_file::random_hex().unwrap();
            planted.plant(Kind::Token, &token).unwrap();
        }
        planted.plant(Kind::Credential, "pretend-messages-token").unwrap();
        let values: Vec<String> = planted.canaries.iter().map(|canary| canary.value.clone()).collect();
        let detector = Detector::new(&planted, &[]).unwrap();
        for encoding in Encoding::ALL {
            let mut hits = Hits::default();
            detector.search(&leak(encoding, &values).unwrap(), &mut hits);
            for (number, canary) in planted.canaries.iter().enumerate() {
                if encoding == Encoding::Gzip || !encoding.patterns(&canary.value).is_empty() {
                    assert!(hits.has(number, encoding), "{} in {}", canary.value, encoding.name());
                }
                // What cannot be made shorter stands in a gzip member as it is.
                let raw = matches!(encoding, Encoding::Raw | Encoding::Gzip);
                assert!(raw || !hits.has(number, Encoding::Raw), "{}", encoding.name());
            }
            assert_eq!(hits.decoys(encoding), 0, "{}", encoding.name());
        }
    }

    #[test]
    fn one_decoy_is_chance_and_two_are_not() {
        let mut planted = Planted::default();
        (0..20).for_each(|_| drop(planted.number().unwrap()));
        let values = |secrets: &[Secret]| secrets.iter().map(|secret| secret.value.clone()).collect::<Vec<_>>();
        let (canaries, decoys) = (values(&planted.canaries), values(&planted.decoys));
        let detector = Detector::new(&planted, &[]).unwrap();
        let caught_with = |canaries: &[String], decoys: &[String]| {
            let mut hits = Hits::default();
            for value in canaries.iter().chain(decoys) {
                detector.search(&leak(Encoding::SemiOctets, std::slice::from_ref(value)).unwrap(), &mut hits);
            }
            caught(&planted, &hits, Encoding::SemiOctets)
        };
        assert!(caught_with(&canaries, &[]) && caught_with(&canaries, &decoys[..1]));
        assert!(!caught_with(&canaries, &decoys[..2]), "a detector that finds what is not there");
        assert!(!caught_with(&canaries[1..], &[]), "one that misses a canary");
    }
}
