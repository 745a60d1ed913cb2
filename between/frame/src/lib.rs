//! The frame protocol between host and enclave: routing and opaque bytes.
