//! Secrets, AEAD, HPKE and the key tree: the facade over the crypto library.
