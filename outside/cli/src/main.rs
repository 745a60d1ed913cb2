//! The `adyton` command.

fn main() {}
