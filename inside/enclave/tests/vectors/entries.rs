use adyton_engine::sealing::{BodyError, Opened, Opener, Operation, Operations, Parts, Place, Sealer, records};
use adyton_ledger::{Body, Entry, Kind, Record};

use crate::reader::{self, Vector};
use crate::{keys, log, vault};

#[test]
fn bodies() {
    let vectors = reader::read(include_str!("../../../../vectors/entries.json"));
    for v in vectors.iter().filter(|v| v.what() == "body") {
        let body = |name| v.has(name).then(|| v.hex(name));
        let record = Record { entry: Entry::from_bytes(v.fixed("entry")), hot: body("hot"), kept: body("kept") };
        let (keys, header) = (keys(v), record.entry.header().unwrap());
        let opened = Opener::new(&keys, vault(v), log(v)).open(&record, &header).and_then(|opened| of_body(&opened));
        let Some([hot, kept]) = v.settle(opened) else { continue };
        let operations = v.list("operations");
        for (found, name) in [(hot, "hot"), (kept, "kept")] {
            let listed: Vec<_> = operations.iter().map(|operation| operation.hexes(name)).collect();
            assert_eq!(found.unwrap_or(vec![Vec::new(); listed.len()]), listed, "{}", v.name());
        }
        let sealer = Sealer::new(&keys, vault(v), log(v), v.fixed("boot_id"), v.number("release")).unwrap();
        assert_eq!(sealer.seal(&place(v), &sealed(&operations)).unwrap(), record, "{}", v.name());
    }
}

/// The records of each operation's part of a body.
type Listed = Vec<Vec<Vec<u8>>>;

fn of_body(opened: &Opened) -> Result<[Option<Listed>; 2], BodyError> {
    let part = |part: &[u8]| {
        let mut all = Vec::new();
        records(part, |record| {
            all.push(record.to_vec());
            Ok(())
        })?;
        Ok::<_, BodyError>(all)
    };
    let parts = |parts: &Option<Parts>| parts.as_ref().map(|parts| parts.iter().map(part).collect()).transpose();
    Ok([parts(&opened.hot)?, parts(&opened.kept)?])
}

fn place(v: &Vector) -> Place {
    let kind = match v.text("kind") {
        "ops" => Kind::Ops,
        "boot" => Kind::Boot,
        "snapshot" => Kind::Snapshot,
        other => panic!("{other}"),
    };
    Place { kind, index: v.number("index"), time_bucket: v.number("time_bucket") }
}

fn sealed(operations: &[Vector]) -> Operations {
    let mut all = Operations::default();
    for one in operations {
        let mut operation = Operation::default();
        one.hexes("hot").iter().for_each(|record| operation.push_bytes(Body::Hot, record));
        one.hexes("kept").iter().for_each(|record| operation.push_bytes(Body::Kept, record));
        assert!(all.add(&operation));
    }
    all
}
