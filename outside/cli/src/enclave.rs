//! The inside as it runs here: a process, or an image on an emulated machine.

use std::path::Path;

use adyton_transport::Address;
use rustix::process::Signal;

use crate::machine::Machine;
use crate::processes::{Memory, Process};
use crate::vault::{EnclaveIs, Wiring, text, workers};

type Error = Box<dyn std::error::Error>;

/// What runs the inside.
pub(crate) enum Enclave {
    /// A process on this machine.
    Process(Process),
    /// An image on an emulated one.
    Machine(Machine),
}

impl Enclave {
    /// Starts it over a vault's folder.
    pub(crate) fn start(wiring: &Wiring, data: &Path) -> Result<Self, Error> {
        Ok(match &wiring.enclave_is {
            // Whoever starts it has built it of what stands in the folder now.
            EnclaveIs::Machine(plan) => {
                Self::Machine(Machine::start(plan, &plan.parts.image(data)?.0, &wiring.enclave)?)
            }
            EnclaveIs::Process { ingress, service, nsm } => {
                let arguments = [
                    ["--ingress".into(), Address::Unix(ingress.clone()).to_string()],
                    ["--service".into(), Address::Unix(service.clone()).to_string()],
                    ["--nsm".into(), nsm.clone()],
                    ["--policy".into(), text(&data.join("adyton.toml"))],
                    ["--workers".into(), workers()],
                ];
                Self::Process(Process::start("adyton-enclave", arguments.as_flattened(), &wiring.enclave)?)
            }
        })
    }

    /// The process that it is, or that emulates its machine.
    pub(crate) fn process(&mut self) -> &mut Process {
        match self {
            Self::Process(process) => process,
            Self::Machine(machine) => &mut machine.qemu,
        }
    }

    /// That process's id.
    pub(crate) fn id(&self) -> u32 {
        match self {
            Self::Process(process) => process.id(),
            Self::Machine(machine) => machine.qemu.id(),
        }
    }

    /// Its memory, if that was asked for.
    pub(crate) fn memory(&self) -> Option<&std::io::Result<Memory>> {
        match self {
            Self::Process(process) => process.memory(),
            Self::Machine(machine) => machine.qemu.memory(),
        }
    }

    /// Whether it has ended.
    pub(crate) fn ended(&mut self) -> bool {
        self.process().ended()
    }

    /// Its exit code, if it has ended by itself and not by a signal; that of a machine says nothing of what it ran.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.process().exit_code()
    }

    /// Whether it is a machine that hangs before its image runs.
    pub(crate) fn hangs(&self) -> bool {
        matches!(self, Self::Machine(machine) if machine.hangs())
    }

    /// Milliseconds from a machine's start to its heartbeat.
    pub(crate) fn heartbeat_ms(&self) -> Option<u64> {
        match self {
            Self::Process(_) => None,
            Self::Machine(machine) => machine.heartbeat_ms(),
        }
    }

    /// Sends it a signal and waits for its end. Says whether it came.
    pub(crate) fn end(&mut self, signal: Signal) -> bool {
        self.process().end(signal)
    }

    /// Ends what it leaves when it has ended: a machine's bridge, which holds on to the host's connections.
    pub(crate) fn clear(&mut self) {
        if let Self::Machine(machine) = self {
            machine.clear();
        }
    }

    /// Asks it to stop, and makes it after a while.
    pub(crate) fn stop(self) {
        match self {
            Self::Process(process) => process.stop(),
            Self::Machine(machine) => machine.stop(),
        }
    }
}
