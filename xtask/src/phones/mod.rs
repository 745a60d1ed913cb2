//! `cargo xtask phones`: writes the table of numbering plans that the vault knows numbers by.
//!
//! Why a table: what is inside the enclave is trusted code, and the library that has this knowledge brings a regular
//! expression engine and a database with it. A table is data that a reviewer can read as a diff.
//!
//! 1. Take the metadata of libphonenumber, as the crate `phonenumber` carries it.
//! 2. For each calling code of a country: the region that answers for it, and how long national numbers are that begin
//!    with each digit.
//! 3. What is dialled before a national number only inside the country (trunk prefixes, codes that choose a carrier), as
//!    far as no national number begins so.
//! 4. Where several regions share a code, the beginnings of numbers that tell the others apart ([`prefixes()`]).
//! 5. The beginnings behind which every number is premium-rate or shared-cost.
//!
//! Limits: beginnings are as good as the metadata's patterns are for the numbers that they match. A number that no
//! pattern matches gets the region whose beginning it has, or the one that answers for the code.

mod prefixes;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use phonenumber::metadata::{DATABASE, Database, Descriptor};
use phonenumber::{Metadata as Region, Type};
use regex_automata::dfa::dense::DFA;

use crate::metadata::Metadata;
use crate::{Error, root};
use prefixes::{anchored, lengths, prefixes};

/// Longest beginning that is looked at.
const REGION_DIGITS: usize = 7;
const PREMIUM_DIGITS: usize = 5;
const DIALLED_DIGITS: usize = 3;
/// The id of plans that belong to no country.
const WORLD: &str = "001";
/// Width of a line, as in `rustfmt.toml`.
const WIDTH: usize = 120;
/// Longest list that stands in the line of what it belongs to.
const ONE_LINE: usize = 40;

const PREMIUM: [Type; 2] = [Type::PremiumRate, Type::SharedCost];
/// The kinds by which the library tells that a number belongs to a region.
const OTHERS: [Type; 8] = [
    Type::FixedLine,
    Type::Mobile,
    Type::TollFree,
    Type::PersonalNumber,
    Type::Voip,
    Type::Pager,
    Type::Uan,
    Type::Voicemail,
];

const OF_PEOPLE: [Type; 5] = [Type::FixedLine, Type::Mobile, Type::PersonalNumber, Type::Voip, Type::Pager];

/// What is known of one calling code.
struct Plan {
    calling_code: u16,
    region: String,
    /// Bit n of the entry of a digit: a national number that begins with it may have n digits.
    lengths: [u32; 10],
    dialled_inside: Vec<String>,
    others: BTreeMap<String, Vec<String>>,
    premium: Vec<String>,
}

/// Writes the table, or with `check` compares it with the committed one.
pub(crate) fn run(check: bool) -> Result<(), Error> {
    let (path, made) = (path(), table(&plans(&DATABASE)?, &version()?));
    if !check {
        fs::write(&path, made)?;
        println!("phones: {} is written", path.display());
    } else if fs::read_to_string(&path)? == made {
        println!("phones: the table is what the metadata gives");
    } else {
        return Err(format!("{} is not what the metadata gives: run `cargo xtask phones`", path.display()).into());
    }
    Ok(())
}

fn path() -> PathBuf {
    root().join("inside/destination/src/phone/table.rs")
}

/// The crate's version; after the `+`, that of the metadata.
fn version() -> Result<String, Error> {
    let metadata = Metadata::load()?;
    let package = metadata.packages.into_iter().find(|package| package.name == "phonenumber");
    Ok(package.ok_or("no package phonenumber")?.version)
}

fn plans(database: &Database) -> Result<Vec<Plan>, Error> {
    let codes = (1..=999).filter_map(|code| Some((code, database.region(&code)?)));
    let countries = codes.filter(|(_, ids)| ids.iter().all(|id| *id != WORLD));
    countries.map(|(code, ids)| plan(code, &regions(database, &ids)?)).collect()
}

/// In the order in which the library asks them.
fn regions<'a>(database: &'a Database, ids: &[&str]) -> Result<Vec<&'a Region>, Error> {
    ids.iter().map(|id| database.by_id(*id).ok_or_else(|| format!("no region {id}").into())).collect()
}

fn plan(calling_code: u16, regions: &[&Region]) -> Result<Plan, Error> {
    let main = match regions {
        [only] => only,
        _ => regions.iter().find(|region| region.is_main_country_for_code()).ok_or("no region answers for a code")?,
    };
    // The library asks the region that answers for the code, and there the kinds of numbers: the general description has
    // no lengths of its own.
    let every_kind = all();
    let possible = kinds(main, &every_kind).flat_map(|kind| kind.possible_length());
    let possible = possible.fold(0u32, |bits, length| bits | 1 << length);
    let lengths = lengths(&numbers(regions, &every_kind)?)?.map(|bits| bits & possible);
    let mut others: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if regions.len() > 1 {
        let automata = regions.iter().map(|region| belongs(region)).collect::<Result<Vec<_>, Error>>()?;
        for (prefix, at) in prefixes(&automata, REGION_DIGITS, |alive| alive.first().copied())? {
            let region = regions[at].id();
            if region != main.id() {
                others.entry(region.to_owned()).or_default().push(prefix);
            }
        }
    }
    let (dialled_inside, premium) = (dialled_inside(regions)?, premium(regions)?);
    Ok(Plan { calling_code, region: main.id().to_owned(), lengths, dialled_inside, others, premium })
}

/// Matches the numbers of some kinds.
fn numbers(regions: &[&Region], kinds: &[Type]) -> Result<DFA<Vec<u32>>, Error> {
    anchored(&regions.iter().flat_map(|region| patterns(region, kinds)).collect::<Vec<_>>())
}

/// Beginnings that a number has only when it is written as it is dialled inside the country.
fn dialled_inside(regions: &[&Region]) -> Result<Vec<String>, Error> {
    // People put zeros where their country has no prefix, too.
    let dialled = regions.iter().map(|region| {
        let pattern = region.national_prefix_for_parsing().map(|prefix| prefix.as_str()).or(region.national_prefix());
        format!("(?:{}|0+)(?:{})", pattern.unwrap_or("0"), patterns(region, &all()).join("|"))
    });
    let dialled = anchored(&dialled.collect::<Vec<_>>())?;
    let mut found = only_first(&[dialled, numbers(regions, &all())?], DIALLED_DIGITS)?;
    // Some freephone numbers begin with zeros, in plans where those of people do not.
    if lengths(&numbers(regions, &OF_PEOPLE)?)?[0] == 0 {
        found.retain(|prefix| !prefix.starts_with('0'));
        found.insert(0, "0".to_owned());
    }
    Ok(found)
}

/// Matches the numbers that the library gives to a region.
fn belongs(region: &Region) -> Result<DFA<Vec<u32>>, Error> {
    match region.leading_digits() {
        Some(digits) => anchored(&[format!("(?:{})[0-9]*", digits.as_str())]),
        None => anchored(&patterns(region, &all())),
    }
}

/// Beginnings behind which there is no number of another kind.
fn premium(regions: &[&Region]) -> Result<Vec<String>, Error> {
    only_first(&[numbers(regions, &PREMIUM)?, numbers(regions, &OTHERS)?], PREMIUM_DIGITS)
}

/// Beginnings that numbers of the first set have, and of the second none.
fn only_first(sets: &[DFA<Vec<u32>>; 2], digits: usize) -> Result<Vec<String>, Error> {
    let only = |alive: &[usize]| (alive == [0]).then_some(0);
    let found = prefixes(sets, digits, only)?;
    Ok(found.into_iter().filter(|(_, at)| *at == 0).map(|(prefix, _)| prefix).collect())
}

fn patterns(region: &Region, kinds: &[Type]) -> Vec<String> {
    self::kinds(region, kinds).map(|kind| kind.national_number().as_str().to_owned()).collect()
}

fn kinds<'a>(region: &'a Region, kinds: &[Type]) -> impl Iterator<Item = &'a Descriptor> {
    kinds.iter().filter_map(|kind| region.descriptors().get(*kind))
}

fn all() -> Vec<Type> {
    [&PREMIUM[..], &OTHERS[..]].concat()
}

/// The source of the table.
fn table(plans: &[Plan], version: &str) -> String {
    let mut text = format!(
        "//! Numbering plans, by calling code. Written by `cargo xtask phones` from the metadata of libphonenumber\n\
         //! (Apache-2.0, The Libphonenumber Authors) that the crate phonenumber {version} carries. Do not edit.\n\
         //! One file though it is long: it is data, an entry for each calling code.\n\
         //!\n\
         //! Calling codes that name no country (satellites, international freephone, premium services: 800, 808, 870, 878,\n\
         //! 881, 882, 883, 888, 979) are left out: nobody gets a verification code there, and fraud does.\n\n\
         use super::Plan;\n\n\
         /// In the order of their calling codes.\n\
         #[rustfmt::skip]\n\
         pub(super) static PLANS: [Plan; {}] = [\n",
        plans.len()
    );
    for Plan { calling_code, region, lengths, dialled_inside, others, premium } in plans {
        let lengths: Vec<String> =
            lengths.iter().map(|bits| if *bits == 0 { "0".to_owned() } else { format!("{bits:#x}") }).collect();
        let _ = writeln!(text, "    Plan {{ calling_code: {calling_code}, region: \"{region}\",");
        let _ = writeln!(text, "        lengths: [{}],", lengths.join(", "));
        let _ = write!(text, "        dialled_inside: &[{}], others: &[", list(dialled_inside, 12));
        for (region, prefixes) in others {
            let _ = write!(text, "\n            (\"{region}\", &[{}]),", list(prefixes, 16));
        }
        let end = if others.is_empty() { "" } else { "\n        " };
        let _ = writeln!(text, "{end}], premium: &[{}] }},", list(premium, 12));
    }
    text + "];\n"
}

/// Texts, over several lines of an indent if they are many.
fn list(texts: &[String], indent: usize) -> String {
    let mut lines = vec![String::new()];
    for text in texts {
        let full = lines.last().is_some_and(|line| indent + line.len() + text.len() + 4 > WIDTH);
        if full {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            let gap = if line.is_empty() { "" } else { " " };
            let _ = write!(line, "{gap}\"{text}\",");
        }
    }
    match &lines[..] {
        [only] if only.len() < ONE_LINE => only.trim_end_matches(',').to_owned(),
        lines => {
            let gap = format!("\n{:indent$}", "");
            format!("{gap}{}\n{:2$}", lines.join(&gap), "", indent - 4)
        }
    }
}
