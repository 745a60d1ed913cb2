//! An emulated Nitro machine that runs an image (`adyton_pinned::emulator`).
//!
//! 1. the bridge: its folder has a socket for the guest's ports, and one for each port that the guest dials;
//! 2. the heartbeat's listener, as `nitro-cli` has one: it answers the guest's byte, and that is how we know that it runs;
//! 3. QEMU: what the image says on its console is the enclave's output;
//! 4. a machine without a heartbeat after [`PATIENCE`] hangs: whoever started it asks [`Machine::hangs`] and starts another.
//!
//! What it is not: a TEE. The emulator signs documents under a root that this machine's user holds.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use adyton_transport::{HEARTBEAT, HEARTBEAT_PORT, SERVICE_PORT};
use rustix::process::Signal;

use crate::emulated::Parts;
use crate::processes::{Collected, Process, Surroundings};
use crate::vault::text;

type Error = Box<dyn std::error::Error>;

/// The guest's context id, which is the bridge's affair alone.
const GUEST: u32 = 4;
/// Largest packet that a guest sends: the bridge takes a header and one descriptor, and a larger packet has more.
const LARGEST_PACKET: u32 = 28_672;
/// Longest wait for a heartbeat.
const PATIENCE: Duration = Duration::from_secs(30);
/// Mebibytes of memory.
const MEMORY: u32 = 256;
/// Processors: one, because the emulator's own threads want the other.
const PROCESSORS: u32 = 1;

/// How a machine is made.
#[derive(Clone)]
pub(crate) struct Plan {
    /// What it is made of, its image too.
    pub(crate) parts: Arc<Parts>,
    /// A folder of its own, with a short path: sockets are in it.
    pub(crate) folder: PathBuf,
    /// What it signs documents with; without it they are as QEMU alone makes them, unsigned.
    pub(crate) signer: Option<PathBuf>,
    /// Whether what was measured is zero in its documents, as in debug mode on hardware.
    pub(crate) debug_mode: bool,
}

/// A machine that runs.
pub(crate) struct Machine {
    bridge: Process,
    pub(crate) qemu: Process,
    /// Milliseconds from its start to its heartbeat; 0 until then.
    heartbeat_ms: Arc<AtomicU64>,
    began: Instant,
}

impl Plan {
    /// The bridge's own socket: the guest's ports.
    pub(crate) fn bridge(&self) -> PathBuf {
        self.folder.join("vm.vsock")
    }

    /// Where the guest's channels to its host arrive.
    pub(crate) fn service(&self) -> PathBuf {
        self.port(SERVICE_PORT)
    }

    fn port(&self, port: u32) -> PathBuf {
        self.folder.join(format!("vm.vsock_{port}"))
    }
}

impl Machine {
    /// Starts one with this image. What listens at [`Plan::service`] should do so already.
    pub(crate) fn start(plan: &Plan, image: &Path, surroundings: &Surroundings) -> Result<Self, Error> {
        // 1.
        let (bridge, guest) = (plan.bridge(), plan.folder.join("guest.sock"));
        for socket in [&bridge, &guest, &plan.port(HEARTBEAT_PORT)] {
            let _ = fs::remove_file(socket);
        }
        let machine = format!(
            "guest-cid={GUEST},socket={},uds-path={},tx-buffer-size={LARGEST_PACKET}",
            guest.display(),
            bridge.display()
        );
        let foreign = |program: &Path| Surroundings {
            program: Some(program.to_path_buf()),
            foreign: true,
            output: surroundings.output.clone().or_else(|| Some(Collected::default())),
            folder: Some(plan.folder.clone()),
            environment: surroundings.environment.clone(),
            ..Surroundings::default()
        };
        let ours = ["--vm".to_owned(), machine];
        let bridge_process = Process::start("vhost-device-vsock", &ours, &foreign(&plan.parts.emulator.bridge))?;
        wait_for(&guest)?;
        // 2.
        let (began, heartbeat_ms) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        answer_heartbeat(&plan.port(HEARTBEAT_PORT), began, Arc::clone(&heartbeat_ms))?;
        // 3.
        let mut qemu = foreign(&plan.parts.emulator.qemu);
        // It copies the image's parts to temporary files.
        qemu.environment.push(("TMPDIR".into(), text(&plan.folder)));
        qemu.environment.extend(plan.signer.iter().map(|signer| ("QEMU_NSM_SIGN_DIR".into(), text(signer))));
        qemu.environment.extend(plan.debug_mode.then(|| ("QEMU_NSM_DEBUG_MODE".into(), "1".into())));
        let (qemu, console) = Process::spawn("qemu-system-x86_64", &arguments(plan, image, &guest)?, &qemu)?;
        tell(console, surroundings.output.clone());
        Ok(Self { bridge: bridge_process, qemu, heartbeat_ms, began })
    }

    /// Whether it gave no sign of life for too long.
    pub(crate) fn hangs(&self) -> bool {
        self.heartbeat_ms().is_none() && self.began.elapsed() > PATIENCE
    }

    /// Milliseconds from its start to its heartbeat, if it came.
    pub(crate) fn heartbeat_ms(&self) -> Option<u64> {
        Some(self.heartbeat_ms.load(Ordering::Relaxed)).filter(|ms| *ms > 0)
    }

    /// Ends the bridge.
    pub(crate) fn clear(&mut self) {
        self.bridge.end(Signal::KILL);
    }

    /// Ends both processes.
    pub(crate) fn stop(self) {
        self.qemu.stop();
        self.bridge.stop();
    }
}

fn arguments(plan: &Plan, image: &Path, guest: &Path) -> Result<Vec<String>, Error> {
    let [first, second] = &plan.parts.emulator.firmware;
    let parent = "i-0123456789abcdef0";
    let machine = format!(
        "nitro-enclave,vsock=vsock,id={parent}-enc0123456789abcdef,parent-id={parent},\
         parent-role=arn:aws:iam::111122223333:role/emulated"
    );
    let words = [
        ("-L", text(first)),
        ("-L", text(second)),
        ("-accel", "tcg".into()),
        ("-cpu", "max".into()),
        ("-smp", PROCESSORS.to_string()),
        ("-m", format!("{MEMORY}M")),
        ("-M", machine),
        ("-chardev", format!("socket,id=vsock,path={}", guest.display())),
        ("-kernel", text(image)),
        // Not measured, and for the emulator's sake only: its guest cannot measure its own clock when the machine is busy.
        ("-append", format!("tsc_early_khz={}", tsc_khz()?)),
        ("-global", "virtio-mmio.ioeventfd=off".into()),
        ("-display", "none".into()),
        ("-monitor", "none".into()),
        ("-serial", "stdio".into()),
    ];
    let words = words.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
    Ok(words.chain(["-no-reboot".to_owned()]).collect())
}

/// The rate of this machine's time stamp counter, which an emulated one has too.
fn tsc_khz() -> Result<u64, Error> {
    let information = fs::read_to_string("/proc/cpuinfo")?;
    let line = information.lines().find(|line| line.starts_with("cpu MHz"));
    let megahertz: f64 = line.and_then(|line| line.split(": ").nth(1)).ok_or("/proc/cpuinfo has no rate")?.parse()?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the rate of a processor")]
    Ok((megahertz * 1000.0) as u64)
}

fn wait_for(socket: &Path) -> Result<(), Error> {
    let began = Instant::now();
    while !socket.exists() {
        if began.elapsed() > Duration::from_secs(10) {
            return Err("the emulated machine's vsock bridge did not start".into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Answers one heartbeat, on a thread that ends with it or when its socket's name is taken by the next machine.
fn answer_heartbeat(at: &Path, began: Instant, heartbeat_ms: Arc<AtomicU64>) -> Result<(), Error> {
    let listener = UnixListener::bind(at)?;
    std::thread::spawn(move || {
        let Ok((mut guest, _)) = listener.accept() else { return };
        let mut beat = [0];
        if guest.read_exact(&mut beat).is_ok() && beat == [HEARTBEAT] && guest.write_all(&beat).is_ok() {
            let elapsed = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            heartbeat_ms.store(elapsed.max(1), Ordering::Relaxed);
        }
    });
    Ok(())
}

/// What the image says is passed on; what its kernel says is only collected.
fn tell(console: BufReader<impl Read + Send + 'static>, output: Option<Collected>) {
    std::thread::spawn(move || {
        for line in console.split(b'\n') {
            let Ok(mut line) = line else { return };
            line.push(b'\n');
            match &output {
                Some(output) => output.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&line),
                None if is_worth_telling(&line) => drop(std::io::stderr().write_all(&line)),
                None => {}
            }
        }
    });
}

fn is_worth_telling(line: &[u8]) -> bool {
    let said = line.strip_prefix(b"adyton-enclave: ");
    said.is_some_and(|said| !said.starts_with(b"image ") && !said.starts_with(b"boot "))
}
