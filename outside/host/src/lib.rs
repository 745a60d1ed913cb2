//! The untrusted half: pipes, dialer and log store.
