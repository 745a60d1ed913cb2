//! An image on an emulated machine, as `adyton up --enclave nitro-qemu` and the drill start one.
//!
//! 1. the emulator and the kernel, from pinned sources ([`adyton_pinned`]); the enclave, built for an image;
//! 2. an image with this vault's policy in it, and what it measures: that is what the KMS is told to release to;
//! 3. where host and machine find each other: behind the bridge, whose sockets are the guest's ports.
//!
//! What it needs: Adyton's source tree, and minutes the first time.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adyton_image::{Measurements, assemble, policy_register};
use adyton_pinned::emulator::{self, Emulator};
use adyton_pinned::{Console, find_source, kernel};
use adyton_transport::{Address, INGRESS_PORT};
use serde_json::Value;

use crate::consent;
use crate::machine::Plan;
use crate::vault::{EnclaveIs, Wiring};

type Error = Box<dyn std::error::Error>;

/// What the inside is.
#[derive(Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum EnclaveKind {
    /// A process on this machine
    #[default]
    Process,
    /// An image on an emulated Nitro machine, which isolates nothing from this machine
    NitroQemu,
}

/// What every machine is made of.
pub(crate) struct Parts {
    pub(crate) emulator: Emulator,
    kernel: Vec<u8>,
    init: Vec<u8>,
}

impl Parts {
    /// 1. `yes`: missing packages are installed without asking.
    pub(crate) fn prepare(source: Option<&Path>, yes: bool) -> Result<Self, Error> {
        let tree = find_source(source)?;
        let tell = |what: &str| eprintln!("adyton: {what}");
        let console = Console { tell: &tell, may_install: &|line| consent::to_run(line, yes) };
        let emulator = emulator::prepare(&tree, &console)?;
        let kernel = fs::read(kernel::prepare(&tree, &console)?.path)?;
        tell("the enclave is built for an image: some minutes if nothing is built yet");
        let target = std::env::var_os("CARGO_TARGET_DIR").map(std::path::absolute).transpose()?;
        let init = adyton_image::build::enclave(&tree, target.as_deref())?;
        Ok(Self { emulator, kernel, init })
    }

    /// 2. Writes the image of a vault's folder beside its policy.
    pub(crate) fn image(&self, data: &Path) -> Result<(PathBuf, Measurements), Error> {
        let image = assemble(&self.kernel, &self.init, &fs::read(data.join("adyton.toml"))?)?;
        let file = data.join("adyton.eif");
        fs::write(&file, image.write()?)?;
        Ok((file, Measurements::of(&image)?))
    }

    /// The same image but for one byte more of the enclave.
    pub(crate) fn changed_image(&self, data: &Path) -> Result<Vec<u8>, Error> {
        let init = [&self.init[..], &[0]].concat();
        Ok(assemble(&self.kernel, &init, &fs::read(data.join("adyton.toml"))?)?.write()?)
    }

    /// Registers 0 and 16 of the image of a vault's folder.
    pub(crate) fn measure(&self, data: &Path) -> Result<([u8; 48], [u8; 48]), Error> {
        let policy = policy_register(&fs::read(data.join("adyton.toml"))?);
        Ok((self.image(data)?.1.image.0, policy.0))
    }
}

/// A machine made of these parts. `folder` is for its sockets; its documents are signed as the platform's are.
pub(crate) fn plan(parts: &Arc<Parts>, folder: &Path, pretend: &Value) -> Result<Plan, Error> {
    let signer = pretend["nsm_signer"].as_str().ok_or("adyton-pretend says too little")?;
    Ok(Plan { parts: Arc::clone(parts), folder: folder.into(), signer: Some(signer.into()), debug_mode: false })
}

/// 3. Nothing stands between host and machine.
pub(crate) fn wire(wiring: &mut Wiring, plan: Plan) {
    wiring.host_ingress = Address::Bridge { path: plan.bridge(), port: INGRESS_PORT };
    wiring.host_service = plan.service();
    wiring.enclave_is = EnclaveIs::Machine(plan);
}
