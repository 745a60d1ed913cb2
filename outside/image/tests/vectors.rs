//! `vectors/images.json`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets an impossible value should stop")]

#[path = "../../../vectors/reader.rs"]
mod reader;

use adyton_image::ramdisk::{pack, unpack};
use adyton_image::{Content, Eif, Entry, Layout, Measurements, Register, Section, policy_register};
use reader::Vector;

#[test]
fn images() {
    for v in reader::read(include_str!("../../../vectors/images.json")) {
        match v.what() {
            "ramdisk" => ramdisk(&v),
            "eif" => eif(&v),
            "signed" => signed(&v),
            "layout" => layout(&v),
            what => panic!("{what}"),
        }
    }
}

fn ramdisk(v: &Vector) {
    let Some(entries) = v.settle(unpack(&v.hex("hex"))) else { return };
    let entry = |entry: Vector| Entry {
        name: entry.text("name").into(),
        permissions: entry.small("permissions"),
        content: if entry.has("content") { Content::File(entry.hex("content")) } else { Content::Folder },
    };
    assert_eq!(entries, v.list("entries").into_iter().map(entry).collect::<Vec<_>>(), "{}", v.name());
    // Another compressor packed it; what it packed is the same.
    let packed = pack(&entries).unwrap();
    let mut archive = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed[..]), &mut archive).unwrap();
    assert_eq!(archive, v.hex("archive"), "{}", v.name());
    assert_eq!(unpack(&packed).unwrap(), entries, "{}", v.name());
}

fn eif(v: &Vector) {
    let file = v.hex("hex");
    let Some(image) = v.settle(Eif::parse(&file)) else { return };
    assert_eq!(image.write().unwrap(), file, "{}", v.name());
    assert_eq!((image.memory, image.processors), (v.number("memory"), v.number("processors")));
    let number = |section| match section {
        Section::Kernel => 1,
        Section::CommandLine => 2,
        Section::Ramdisk => 3,
        Section::Signature => 4,
        Section::Metadata => 5,
    };
    let sections: Vec<(u64, Vec<u8>)> =
        image.sections().into_iter().map(|(section, content)| (number(section), content.to_vec())).collect();
    let expected: Vec<_> = v.list("sections").iter().map(|s| (s.number("kind"), s.hex("content"))).collect();
    assert_eq!(sections, expected, "{}", v.name());
    registers(v, &image);
}

fn registers(v: &Vector, image: &Eif) -> Measurements {
    let measured = Measurements::of(image).unwrap();
    let expected = ["pcr0", "pcr1", "pcr2"].map(|name| Register(v.fixed(name)));
    assert_eq!([measured.image, measured.kernel, measured.application], expected, "{}", v.name());
    measured
}

fn signed(v: &Vector) {
    let image = Eif::parse(&v.hex("hex")).unwrap();
    if v.settle(Measurements::of(&image)).is_none() {
        return;
    }
    let (register, by) = registers(v, &image).signed.unwrap();
    assert_eq!(register, Register(v.fixed("pcr8")), "{}", v.name());
    assert_eq!(by.certificate(), v.hex("certificate"), "{}", v.name());
    assert_eq!(Eif::parse(&image.write().unwrap()).unwrap(), image, "{}", v.name());
}

fn layout(v: &Vector) {
    let image = Eif::parse(&v.hex("hex")).unwrap();
    let Some(layout) = v.settle(Layout::of(&image)) else { return };
    registers(v, &image);
    assert_eq!(layout.init, v.hex("init"));
    assert_eq!(layout.policy, v.hex("policy"));
    assert_eq!(policy_register(&layout.policy), Register(v.fixed("pcr16")));
    // Ours differs from the vector's in its compressor and its metadata alone.
    let ours = adyton_image::assemble(&image.kernel, &layout.init, &layout.policy).unwrap();
    assert_eq!(Layout::of(&ours).unwrap(), layout);
    assert_eq!(adyton_image::compare(&image, &ours).not_measured, ["metadata"]);
}
