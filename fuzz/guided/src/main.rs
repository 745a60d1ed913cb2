//! `adyton-fuzz-guided`: one fuzz target under libFuzzer. `cargo xtask fuzz` builds it with the coverage flags and runs
//! it for each target.
//!
//! libFuzzer keeps an input that reaches code which no input before it reached, and mutates what it kept. It also sees
//! the operands of comparisons, so magic numbers and lengths are found without a dictionary. Half of the mutations are
//! ours ([`mutate`]), which know length fields and the target's dictionary; half of these begin at an input that the
//! parser accepted, whether it reached new code or not.
//!
//! The environment chooses:
//! - `ADYTON_FUZZ_TARGET`: the target's name;
//! - `ADYTON_FUZZ_BLIND`: if set, inputs are made as the smoke run makes them, and coverage is only counted. This is
//!   what a guided run is compared with.
//!
//! A panic aborts the process, and libFuzzer writes the input. So does a stack overflow: the stack is as large as that
//! of the enclave's threads, and the signal handler has a stack of its own.

#![no_main]

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use adyton_fuzz::mutate::{Rng, mutate};
use adyton_fuzz::run::fresh_seed;
use adyton_fuzz::{Target, accepts, corpus, target};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

/// Stack of a thread that Rust starts, and so of the enclave's threads.
const STACK: u64 = 2 * 1024 * 1024;
/// As `adyton_fuzz::run`: accepted inputs that join the seeds, and the longest of them.
const MAX_LEARNED: usize = 256;
const MAX_LEARNED_LEN: usize = 4096;

/// What this process does.
struct Job {
    target: Target,
    seeds: Vec<Vec<u8>>,
    blind: bool,
    pool: Mutex<Pool>,
}

/// The seeds, and inputs that the parser accepted.
struct Pool {
    inputs: Vec<Vec<u8>>,
    rng: Rng,
}

static JOB: LazyLock<Job> = LazyLock::new(|| {
    let name = std::env::var("ADYTON_FUZZ_TARGET").expect("ADYTON_FUZZ_TARGET names the target");
    let target = *target(&name).unwrap_or_else(|| panic!("there is no target {name}"));
    let seeds = corpus::load(&corpus::folder(), &target).expect("the target's corpus can be read");
    let seeds: Vec<Vec<u8>> = seeds.into_iter().map(|seed| seed.input).collect();
    let pool = Mutex::new(Pool { inputs: seeds.clone(), rng: Rng::new(fresh_seed()) });
    Job { target, seeds, blind: std::env::var_os("ADYTON_FUZZ_BLIND").is_some(), pool }
});

impl Job {
    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fuzz_target!(init: prepare(), |input: &[u8]| {
    if accepts(&JOB.target, input) && input.len() <= MAX_LEARNED_LEN {
        JOB.pool().learn(input);
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let way = Rng::new(seed.into()).below(4);
    if way > 1 && !JOB.blind {
        return fuzzer_mutate(data, size, max_size);
    }
    let base = (way == 1 && !JOB.blind).then(|| data[..size].to_vec());
    let made = JOB.pool().mutated(base);
    let length = made.len().min(max_size);
    data[..length].copy_from_slice(&made[..length]);
    length
});

impl Pool {
    /// A mutation of an input; of one of the pool if none is given.
    fn mutated(&mut self, base: Option<Vec<u8>>) -> Vec<u8> {
        let mut input = base.or_else(|| self.rng.choose(&self.inputs).cloned()).unwrap_or_default();
        let other = self.rng.choose(&self.inputs).map_or(&[][..], Vec::as_slice).to_vec();
        mutate(&mut self.rng, &mut input, &other, JOB.target.dictionary);
        input
    }

    fn learn(&mut self, input: &[u8]) {
        if self.inputs.iter().any(|known| known == input) {
            return;
        }
        let own = JOB.seeds.len();
        if self.inputs.len() < own + MAX_LEARNED {
            self.inputs.push(input.to_vec());
        } else {
            let at = own + self.rng.below(MAX_LEARNED);
            self.inputs[at] = input.to_vec();
        }
    }
}

/// Runs before libFuzzer reads its arguments and installs its signal handlers.
fn prepare() {
    LazyLock::force(&JOB);
    let size = libc::SIGSTKSZ.max(64 * 1024);
    let memory = Vec::leak(vec![0u8; size]);
    let stack = libc::stack_t { ss_sp: memory.as_mut_ptr().cast(), ss_flags: 0, ss_size: size };
    let limit = libc::rlimit { rlim_cur: STACK, rlim_max: STACK };
    // SAFETY: `stack` is `size` bytes of leaked memory that nothing else uses; `action` is a valid default action, and
    // `limit` a valid limit. No other thread runs yet. libFuzzer keeps SA_ONSTACK when it replaces the action.
    let done = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = libc::SIG_DFL;
        action.sa_flags = libc::SA_ONSTACK;
        libc::sigaltstack(&raw const stack, std::ptr::null_mut())
            | libc::sigaction(libc::SIGSEGV, &raw const action, std::ptr::null_mut())
            | libc::setrlimit(libc::RLIMIT_STACK, &raw const limit)
    };
    assert_eq!(done, 0, "the stack is prepared");
}
