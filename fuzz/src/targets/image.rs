//! Enclave images: `adyton-image`.

use std::io::Write;
use std::sync::LazyLock;

use adyton_image::ramdisk::{RamdiskError, pack, unpack};
use adyton_image::{CpioError, Eif, EifError, Measurements, checksum};
use data_encoding::HEXLOWER;
use flate2::{Compression, GzBuilder};
use serde_json::Value;

use crate::accepted;

pub(crate) const DICTIONARY: &[&[u8]] = &[
    b".eif",
    &[0, 4],
    &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    &[0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    &[0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    &[0, 0, 0, 0, 0, 0, 0, 1],
    &[0, 0, 0, 0, 0, 0, 2, 0x24],
    &[0xFF; 8],
];
pub(crate) const ARCHIVES: &[&[u8]] = &[
    b"070701",
    b"TRAILER!!!\0",
    b"00000000",
    b"00000001",
    b"FFFFFFFF",
    b"000041ED",
    b"000081A4",
    b"../",
    b"a/",
    &[0; 4],
];
pub(crate) const CBOR: &[&[u8]] = &[
    &[0x81],
    &[0xA2],
    &[0x84],
    &[0x18, 0x20],
    &[0x59, 0x01, 0x00],
    &[0x9F],
    &[0x5F],
    &[0xFF],
    &[0xD2],
    &[0x9B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
    &[0x81; 200],
    b"\x69signature",
];

/// What is read is written back to the same bytes and is no image with a byte more. The sum is put right, so that what stands
/// behind it is reached.
pub(crate) fn eif(input: &[u8]) {
    let summed = |file: &[u8]| {
        let mut file = file.to_vec();
        if let Some(sum) = checksum(&file) {
            file[544..548].copy_from_slice(&sum.to_be_bytes());
        }
        file
    };
    let file = summed(input);
    let Ok(image) = Eif::parse(&file) else { return };
    accepted();
    assert_eq!(image.write().as_ref(), Ok(&file));
    assert_eq!(Eif::parse(&summed(&[&file[..], &[0]].concat())), Err(EifError::TrailingBytes { got: 1 }));
    let mut damaged = file;
    if let Some(last) = damaged.last_mut() {
        *last ^= 1;
    }
    assert!(matches!(Eif::parse(&damaged), Err(EifError::Sum { .. })));
}

/// The input is an archive, packed here. What is read is written back to the same archive, and nothing follows it.
pub(crate) fn ramdisk(input: &[u8]) {
    let packed = |archive: &[u8]| {
        let mut encoder = GzBuilder::new().operating_system(255).write(Vec::new(), Compression::best());
        encoder.write_all(archive).and_then(|()| encoder.finish()).expect("memory takes what is written")
    };
    let Ok(entries) = unpack(&packed(input)) else { return };
    accepted();
    assert_eq!(pack(&entries), Ok(packed(input)));
    let longer = packed(&[input, &[0]].concat());
    assert_eq!(unpack(&longer), Err(RamdiskError::Cpio(CpioError::TrailingBytes { got: 1 })));
}

/// A signature section of the image of the vectors: another one that holds is by the same key, unless somebody had it. The
/// certificate may be another, as nothing vouches for it; then so is register 8.
pub(crate) fn image_signature(input: &[u8]) {
    static SIGNED: LazyLock<Eif> = LazyLock::new(|| {
        let vectors: Vec<Value> =
            serde_json::from_str(include_str!("../../../vectors/images.json")).expect("vectors are a list");
        let signed = vectors.iter().find(|vector| vector["name"] == "signed").expect("there is a signed one");
        let file = signed["hex"].as_str().unwrap_or_default();
        Eif::parse(&HEXLOWER.decode(file.as_bytes()).unwrap_or_default()).expect("it is an image")
    });
    let of = |section: &[u8]| Measurements::of(&Eif { signature: Some(section.to_vec()), ..SIGNED.clone() });
    let Ok(measured) = of(input) else { return };
    accepted();
    let certificate =
        |measured: Measurements| measured.signed.map(|(_, by)| by.certificate().to_vec()).unwrap_or_default();
    let first = of(SIGNED.signature.as_deref().unwrap_or_default()).expect("its own signature holds");
    let (first, other) = (certificate(first), certificate(measured));
    // A P-384 key in a certificate: a bit string of 98 bytes, none of them unused in part.
    let at = first.windows(4).position(|bytes| bytes == [0x03, 0x62, 0, 4]).expect("the key is there");
    let key = &first[at..at + 100];
    assert!(other.windows(key.len()).any(|bytes| bytes == key));
    assert!(of(&[input, &[0]].concat()).is_err());
}
