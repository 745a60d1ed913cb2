//! `adyton image diff`.

use std::process::ExitCode;

use adyton_image::{Difference, Eif, Facts, compare};
use adyton_policy::{Change, Direction, quoted};
use serde_json::{Value, json};

use super::Error;

/// Prints what differs.
pub(super) fn run(a: &Eif, b: &Eif, as_json: bool) -> Result<ExitCode, Error> {
    let found = compare(a, b);
    let same = found.measured.is_empty();
    if as_json {
        let measured: Vec<Value> = found.measured.iter().map(object).collect();
        println!("{}", json!({ "same": same, "measured": measured, "not_measured": found.not_measured }));
    } else {
        if same {
            println!("the same is measured of both: PCR0, PCR1 and PCR2 are equal");
        }
        found.measured.iter().for_each(print);
        for name in &found.not_measured {
            let register_8 = if *name == "signature" { " (PCR8 is its certificate's)" } else { "" };
            println!("{name}: differs; not measured by PCR0, PCR1 and PCR2{register_8}");
        }
    }
    Ok(if same { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn print(difference: &Difference) {
    let sides = |head: &str, a: &Option<Facts>, b: &Option<Facts>| {
        println!("{head}");
        for (sign, facts) in [('-', a), ('+', b)] {
            match facts {
                Some(facts) => println!("  {sign} {}", words(facts)),
                None => println!("  {sign} not there"),
            }
        }
    };
    match difference {
        Difference::Kernel { a, b } => sides("kernel", &Some(a.clone()), &Some(b.clone())),
        Difference::CommandLine { a, b } => println!("command line\n  - {}\n  + {}", quoted(a), quoted(b)),
        Difference::Ramdisk { number, a, b, why } => sides(&format!("ramdisk {number}: {}", quoted(why)), a, b),
        Difference::File { ramdisk, name, a, b } => {
            sides(&format!("ramdisk {ramdisk}: {}", quoted(&format!("/{name}"))), a, b)
        }
        Difference::Order { ramdisk } => println!("ramdisk {ramdisk}: the same files in another order"),
        Difference::Borders => {
            println!("PCR0, PCR1 and PCR2 are equal all the same: the same bytes are cut into parts elsewhere");
        }
        Difference::Policy { changes: Err(why) } => println!("  {}", quoted(why)),
        Difference::Policy { changes: Ok(changes) } if changes.is_empty() => {
            println!("  nothing changes that a vault would notice");
        }
        Difference::Policy { changes: Ok(changes) } => {
            changes.iter().for_each(|change| println!("  {:9} {}", direction(change), change.words));
        }
    }
}

fn words(facts: &Facts) -> String {
    let note = facts.note.as_ref().map(|note| format!(", {note}")).unwrap_or_default();
    format!("{} bytes{note}, SHA-384 {}", facts.size, facts.sha384)
}

fn object(difference: &Difference) -> Value {
    let side = |facts: &Facts| json!({ "size": facts.size, "sha384": facts.sha384.to_string(), "note": facts.note });
    let maybe = |facts: &Option<Facts>| facts.as_ref().map(side);
    match difference {
        Difference::Kernel { a, b } => json!({ "part": "kernel", "a": side(a), "b": side(b) }),
        Difference::CommandLine { a, b } => json!({ "part": "command_line", "a": a, "b": b }),
        Difference::Ramdisk { number, a, b, why } => {
            json!({ "part": "ramdisk", "ramdisk": number, "a": maybe(a), "b": maybe(b), "why": why })
        }
        Difference::File { ramdisk, name, a, b } => {
            json!({ "part": "file", "ramdisk": ramdisk, "name": name, "a": maybe(a), "b": maybe(b) })
        }
        Difference::Order { ramdisk } => json!({ "part": "order", "ramdisk": ramdisk }),
        Difference::Borders => json!({ "part": "borders" }),
        Difference::Policy { changes: Err(why) } => json!({ "part": "policy", "why": why }),
        Difference::Policy { changes: Ok(changes) } => {
            let changes: Vec<_> = changes.iter().map(|change| (direction(change), &change.words)).collect();
            json!({ "part": "policy", "changes": changes })
        }
    }
}

fn direction(change: &Change) -> &'static str {
    match change.direction {
        Direction::Loosens => "loosens",
        Direction::Tightens => "tightens",
        Direction::Changes => "changes",
    }
}
