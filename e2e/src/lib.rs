//! End-to-end and property tests over the whole house.
