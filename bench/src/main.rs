//! The load generator behind `cargo xtask bench`.

fn main() {}
