//! The KMSs of a laptop: the one of profile `dev`, and one that plays AWS's for profile `kms`.

pub mod aws;
pub mod dev;
