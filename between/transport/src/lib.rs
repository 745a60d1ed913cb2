//! The one doorway between host and enclave: vsock or Unix sockets, carrying frames.
