//! Evidence: the identity bundle that an attestation document binds.
