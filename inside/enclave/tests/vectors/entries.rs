use adyton_engine::sealing::{Opener, Place, Records, Sealer};
use adyton_ledger::{Entry, Keep, Kind};
use adyton_vault::{Event, SidKind};

use crate::reader::{self, Vector};
use crate::{keys, log, sid, vault};

#[test]
fn bodies() {
    let vectors = reader::read(include_str!("../../../../vectors/entries.json"));
    for v in vectors.iter().filter(|v| v.what() == "body") {
        let entry = Entry::from_bytes(v.fixed("entry"));
        let header = entry.header().unwrap();
        let body = v.hex("body");
        let (keys, mut records) = (keys(v), Vec::new());
        let opened = Opener::new(&keys, vault(v), log(v)).open(&entry, &header, &body, |record| {
            records.push(record.to_vec());
            Ok(())
        });
        if v.settle(opened).is_none() {
            continue;
        }
        assert_eq!(records, v.hexes("records"), "{}", v.name());
        let mut sealer = Sealer::new(&keys, vault(v), log(v), v.fixed("boot_id"), v.number("release")).unwrap();
        let sealed = sealer.seal(&place(v), &encoded(v)).unwrap();
        assert_eq!(sealed.entry, entry, "{}", v.name());
        assert_eq!(sealed.body, body, "{}", v.name());
    }
}

fn place(v: &Vector) -> Place {
    Place {
        kind: match v.text("kind") {
            "ops" => Kind::Ops,
            "boot" => Kind::Boot,
            "snapshot" => Kind::Snapshot,
            other => panic!("{other}"),
        },
        keep: [Keep::UntilSnapshot, Keep::Retention, Keep::Forever][v.small::<usize>("keep")],
        index: v.number("index"),
        time_bucket: v.number("time_bucket"),
        tenant: v.has("account").then(|| sid(v, SidKind::Account, "account").text(SidKind::Account)),
    }
}

fn encoded(v: &Vector) -> Records {
    let mut records = Records::default();
    for record in v.hexes("records") {
        match v.text("kind") {
            "snapshot" => records.push_bytes(&record),
            _ => records.push(&Event::decode(&record).unwrap()),
        }
    }
    records
}
