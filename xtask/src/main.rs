//! Project automation: ci, up, bench, layers, licences.

fn main() {}
