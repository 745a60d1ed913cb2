//! The deciders and their state: pure, no_std.
