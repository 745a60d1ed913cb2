//! Plays what a laptop lacks: NSM with a test root, KMS, carrier and phone.

fn main() {}
