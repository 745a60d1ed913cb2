//! Our verifier of Nitro documents beside Evervault's, an independent one: do they agree, and how fast is each.
//!
//!     adyton-bench-evervault check FILE...      real documents and thousands of changes of each
//!     adyton-bench-evervault measure FILE...    verifications a second
//!
//! Both judge at this process's clock, and theirs at no other. So for each document this starts itself again under
//! `faketime`, at the document's own time. Both trust AWS's root. One line of JSON on stdout for each document.
//!
//! 1. `check`: whatever one accepts, the other must too, but for what is listed in [`STRICTER`]: forms that no signature
//!    covers, which ours refuses because a document has one spelling; and for a genuine document with an empty `user_data`,
//!    which theirs refuses.
//! 2. `measure`: ours, ours with the chain remembered, theirs, and the P-384 verifications that cannot be avoided: one for
//!    each certificate below the root, and one for the document.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks")]

use std::collections::BTreeMap;
use std::error::Error;
use std::panic::catch_unwind;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use adyton_attest::{OwnDocument, Received, Refusal, RememberedChains, Root};
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use serde_json::json;

/// Refusals of ours where theirs accepts: nothing that is signed is another thing.
const STRICTER: [&str; 4] = ["document-cbor", "cose-form", "unprotected-header", "protected-header"];
/// How long each thing is measured at a time, and how often: in turn, so that a busy machine is so for all of them.
const TURN: Duration = Duration::from_millis(100);
const TURNS: u32 = 15;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let run = match (&words[..], std::env::var_os(AT_ITS_TIME)) {
        (["check", file], Some(_)) => check(file),
        (["measure", file], Some(_)) => measure(file),
        ([what @ ("check" | "measure"), files @ ..], None) if !files.is_empty() => at_their_times(what, files),
        _ => Err("adyton-bench-evervault check|measure FILE...".into()),
    };
    match run {
        Ok(code) => code,
        Err(error) => {
            eprintln!("adyton-bench-evervault: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Says to a process that its clock is the document's.
const AT_ITS_TIME: &str = "ADYTON_AT_ITS_TIME";

/// Runs this program again for each document, at the document's time.
fn at_their_times(what: &str, files: &[&str]) -> Result<ExitCode, Box<dyn Error>> {
    let mut worst = ExitCode::SUCCESS;
    for file in files {
        let document = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
        let seconds = OwnDocument::parse(&document)?.timestamp_ms / 1000;
        let date = Command::new("date").args(["-u", "-d", &format!("@{seconds}"), "+@%F %T"]).output()?;
        let date = String::from_utf8(date.stdout)?;
        let mut again = Command::new("faketime");
        again.args(["-m", "-f", date.trim()]).arg(std::env::current_exe()?).args([what, file]);
        // The clock by which things are measured stays.
        again.env("TZ", "UTC").env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env(AT_ITS_TIME, "1");
        if !again.status().map_err(|error| format!("faketime does not start: {error}"))?.success() {
            worst = ExitCode::FAILURE;
        }
    }
    Ok(worst)
}

fn now_ms() -> Result<u64, Box<dyn Error>> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis().try_into()?)
}

fn ours(document: &[u8], now_ms: u64) -> Result<(), Refusal> {
    Received::parse(document)?.verify(&Root::aws(), now_ms, &mut RememberedChains::new(0)).map(drop)
}

/// A panic is a refusal, too.
fn theirs(document: &[u8]) -> bool {
    catch_unwind(|| attestation_doc_validation::validate_attestation_doc(document).is_ok()).unwrap_or(false)
}

fn check(file: &str) -> Result<ExitCode, Box<dyn Error>> {
    std::panic::set_hook(Box::new(|_| {}));
    let (mut both, mut neither) = (0, 0);
    let (mut stricter, mut unexplained) = (BTreeMap::new(), Vec::new());
    let (document, now) = (std::fs::read(file)?, now_ms()?);
    let verified = Received::parse(&document)?.verify(&Root::aws(), now, &mut RememberedChains::new(0))?;
    if !theirs(&document) {
        // AWS's own text allows it, and AWS signed it.
        if verified.user_data() != Some(&[]) {
            return Err(format!("{file}: only ours accepts it at {now}").into());
        }
        println!("{}", json!({ "file": file, "only_ours": "theirs refuses an empty user_data" }));
        return Ok(ExitCode::SUCCESS);
    }
    for (change, changed) in changes(&document) {
        match (ours(&changed, now), theirs(&changed)) {
            (Ok(()), true) => both += 1,
            (Err(_), false) => neither += 1,
            (Ok(()), false) => unexplained.push(format!("{change}: only ours accepts")),
            (Err(refusal), true) if STRICTER.contains(&refusal.code()) => {
                *stricter.entry(refusal.code()).or_insert(0) += 1;
            }
            (Err(refusal), true) => unexplained.push(format!("{change}: only theirs accepts: {refusal}")),
        }
    }
    println!(
        "{}",
        json!({ "file": file, "both": both, "neither": neither, "stricter": stricter, "unexplained": unexplained })
    );
    Ok(if unexplained.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The document, every seventh bit of it turned, every prefix of some lengths, and other spellings of its frame.
fn changes(document: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut changes = vec![("nothing".to_owned(), document.to_vec())];
    for bit in (0..document.len() * 8).step_by(7) {
        let mut changed = document.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        changes.push((format!("bit {bit}"), changed));
    }
    for length in (0..document.len()).step_by(97) {
        changes.push((format!("first {length}"), document[..length].to_vec()));
    }
    // A document begins 84 44 a1013822 a0.
    let with = |name: &str, head: &[u8], tail: &[u8]| (name.to_owned(), [head, &document[7..], tail].concat());
    let head = [0x84, 0x44, 0xA1, 0x01, 0x38, 0x22];
    changes.push(with("a byte after it", &[&head[..], &[0xA0]].concat(), &[0]));
    changes.push(with("tag 18", &[&[0xD2], &head[..], &[0xA0]].concat(), &[]));
    changes.push(with("tag 98", &[&[0xD8, 98], &head[..], &[0xA0]].concat(), &[]));
    changes.push(with("an indefinite array", &[&[0x9F], &head[1..], &[0xA0]].concat(), &[0xFF]));
    changes.push(with("an unprotected header", &[&head[..], &[0xA1, 0x04, 0x41, 0]].concat(), &[]));
    changes.push(with("an indefinite unprotected header", &[&head[..], &[0xBF, 0xFF]].concat(), &[]));
    changes.push(with("a null unprotected header", &[&head[..], &[0xF6]].concat(), &[]));
    changes
}

fn measure(file: &str) -> Result<ExitCode, Box<dyn Error>> {
    let (document, now) = (std::fs::read(file)?, now_ms()?);
    ours(&document, now)?;
    // One for each below the root, and one for the document; `cabundle` begins with the root.
    let signatures = certificates(&document) + 1;
    let mut chains = RememberedChains::new(16);
    let (key, signature) = (p384_key()?, P384::MESSAGE);
    let mut works = [
        Work::new(|document| ours(document, now).is_ok()),
        Work::new(|document| {
            let received = Received::parse(document);
            received.is_ok_and(|received| received.verify(&Root::aws(), now, &mut chains).is_ok())
        }),
        Work::new(theirs),
        Work::new(move |_| key.verify(signature)),
    ];
    for _ in 0..TURNS {
        for work in &mut works {
            work.turn(&document)?;
        }
    }
    let [plain, remembered, peer, p384] = works.map(|work| work.rate());
    println!(
        "{}",
        json!({
            "ours": plain, "remembered": remembered, "theirs": peer, "p384": p384, "signatures": signatures,
        })
    );
    Ok(ExitCode::SUCCESS)
}

type Accepts<'a> = Box<dyn FnMut(&[u8]) -> bool + 'a>;

/// Something that is measured in turn with others.
struct Work<'a> {
    accepts: Accepts<'a>,
    done: u32,
    took: Duration,
}

impl<'a> Work<'a> {
    fn new(accepts: impl FnMut(&[u8]) -> bool + 'a) -> Self {
        Self { accepts: Box::new(accepts), done: 0, took: Duration::ZERO }
    }

    fn turn(&mut self, document: &[u8]) -> Result<(), Box<dyn Error>> {
        let began = Instant::now();
        while began.elapsed() < TURN {
            if !(self.accepts)(document) {
                return Err("what is measured was refused".into());
            }
            self.done += 1;
        }
        self.took += began.elapsed();
        Ok(())
    }

    /// Times a second.
    fn rate(&self) -> f64 {
        f64::from(self.done) / self.took.as_secs_f64()
    }
}

/// Certificates of a document below the root: DER sequences of certificates' size in its payload, less the root.
fn certificates(document: &[u8]) -> u32 {
    let begins = document.windows(9).filter(|window| {
        // A byte string of two length bytes that holds a sequence of two length bytes that holds another one.
        matches!(window, [0x59, _, _, 0x30, 0x82, _, _, 0x30, 0x82])
    });
    u32::try_from(begins.count()).unwrap_or(0).saturating_sub(1)
}

/// A key and a signature that it verifies.
struct P384 {
    key: UnparsedPublicKey<Vec<u8>>,
    signature: Vec<u8>,
}

impl P384 {
    /// As long as a certificate.
    const MESSAGE: &'static [u8] = &[7; 600];

    fn verify(&self, message: &[u8]) -> bool {
        self.key.verify(message, &self.signature).is_ok()
    }
}

fn p384_key() -> Result<P384, Box<dyn Error>> {
    let random = aws_lc_rs::rand::SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random)?;
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, pkcs8.as_ref())?;
    let signature = key.sign(&random, P384::MESSAGE)?.as_ref().to_vec();
    Ok(P384 { key: UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, key.public_key().as_ref().to_vec()), signature })
}
