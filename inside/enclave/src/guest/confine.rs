//! What an image's threads may ask of the kernel (seccomp): a closed list, and everything else is refused with `EPERM`.
//!
//! - No program is started, no file is opened, nothing is mounted, no other process is looked at: none of that is listed.
//! - Memory that is executable is neither made nor asked for.
//! - A socket is made, bound and connected by the gate's thread alone, and it is a vsock stream.
//! - `ioctl` is for the NSM and for making a descriptor non-blocking.
//!
//! Limits: the list is of x86-64. A thread's filter is its own; memory is not, so code that runs here with an attacker's
//! will could still have the gate connect. What it would reach is the host, who sees every connection.

use std::collections::BTreeMap;
use std::io;

use libc::c_long;
use seccompiler::SeccompCmpArgLen::{Dword, Qword};
use seccompiler::SeccompCmpOp::{Eq, MaskedEq};
use seccompiler::{BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter};
use seccompiler::{SeccompRule, TargetArch};

/// `NSM_IOCTL_RAW` (`adyton-nsm`).
const NSM_RAW: u64 = 0xC020_0A00;
/// `FIONBIO`.
const NON_BLOCKING: u64 = 0x5421;
/// `PROT_EXEC`.
const EXECUTABLE: u64 = 4;
/// `AF_VSOCK`.
const VSOCK: u64 = 40;
/// `CLONE_VM | CLONE_THREAD`.
const A_THREAD: u64 = 0x0001_0100;
/// `PR_SET_NAME`.
const SET_NAME: u64 = 15;
/// The threads of one process look at themselves only.
const THIS_PROCESS: u64 = 0;

/// Whose filter it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thread {
    /// The one that opens sockets.
    Gate,
    /// Every other one.
    Any,
}

/// What needs no condition.
const PLAIN: &[c_long] = &[
    // Descriptors that are open already.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_fcntl,
    libc::SYS_poll,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    // Sockets that the gate opened, and those that come to a socket which it bound.
    libc::SYS_accept4,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_shutdown,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    // Memory.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // Threads.
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_tgkill,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_membarrier,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // Time and chance.
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_getrandom,
    libc::SYS_clone3,
    // The end.
    libc::SYS_reboot,
];

/// Confines this thread, and those that it starts. It cannot be undone.
///
/// # Errors
/// The system's.
pub(super) fn apply(thread: Thread) -> io::Result<()> {
    // `clone3` has its arguments in memory, where no filter sees them. Its first filter says that there is no such call,
    // and the library falls back to `clone`; the second one, which lists it, has no say then.
    let absent = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let filters = [
        SeccompFilter::new(absent, SeccompAction::Allow, errno(libc::ENOSYS), TargetArch::x86_64),
        SeccompFilter::new(rules(thread)?, errno(libc::EPERM), SeccompAction::Allow, TargetArch::x86_64),
    ];
    for filter in filters {
        let program = filter.and_then(BpfProgram::try_from).map_err(io::Error::other)?;
        seccompiler::apply_filter(&program).map_err(io::Error::other)?;
    }
    Ok(())
}

fn errno(number: i32) -> SeccompAction {
    SeccompAction::Errno(number.unsigned_abs())
}

fn rules(thread: Thread) -> io::Result<BTreeMap<i64, Vec<SeccompRule>>> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = PLAIN.iter().map(|call| (*call, Vec::new())).collect();
    let mut when = |call: c_long, conditions: &[(u8, SeccompCmpArgLen, SeccompCmpOp, u64)]| {
        let conditions = conditions
            .iter()
            .map(|(place, length, is, value)| SeccompCondition::new(*place, length.clone(), is.clone(), *value));
        let rule = conditions.collect::<Result<_, _>>().and_then(SeccompRule::new).map_err(io::Error::other)?;
        rules.entry(call).or_default().push(rule);
        io::Result::Ok(())
    };
    when(libc::SYS_mmap, &[(2, Qword, MaskedEq(EXECUTABLE), 0)])?;
    when(libc::SYS_mprotect, &[(2, Qword, MaskedEq(EXECUTABLE), 0)])?;
    when(libc::SYS_clone, &[(0, Qword, MaskedEq(A_THREAD), A_THREAD)])?;
    when(libc::SYS_ioctl, &[(1, Dword, Eq, NSM_RAW)])?;
    when(libc::SYS_ioctl, &[(1, Dword, Eq, NON_BLOCKING)])?;
    when(libc::SYS_prctl, &[(0, Dword, Eq, SET_NAME)])?;
    when(libc::SYS_prlimit64, &[(0, Dword, Eq, THIS_PROCESS), (2, Qword, Eq, 0)])?;
    if thread == Thread::Gate {
        when(libc::SYS_socket, &[(0, Dword, Eq, VSOCK)])?;
        for call in [libc::SYS_connect, libc::SYS_bind, libc::SYS_listen] {
            rules.insert(call, Vec::new());
        }
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;

    /// What a thread gets that is confined; a filter is its own and goes with it.
    fn confined<T: Send + 'static>(thread: Thread, attempt: fn() -> T) -> T {
        let confined = std::thread::spawn(move || {
            apply(thread).unwrap();
            attempt()
        });
        confined.join().unwrap()
    }

    fn vsock() -> Option<i32> {
        vsock::VsockStream::connect_with_cid_port(2, 1).err().and_then(|error| error.raw_os_error())
    }

    #[test]
    fn nothing_but_the_gate_opens_a_socket_and_the_gate_only_vsock() {
        assert_eq!(confined(Thread::Any, vsock), Some(libc::EPERM));
        // Whatever this machine says of vsock, it is not that it may not be asked.
        assert_ne!(confined(Thread::Gate, vsock), Some(libc::EPERM));
        for thread in [Thread::Any, Thread::Gate] {
            let tcp = || std::net::TcpListener::bind("127.0.0.1:0").err().and_then(|error| error.raw_os_error());
            assert_eq!(confined(thread, tcp), Some(libc::EPERM));
            let unix = || std::os::unix::net::UnixStream::pair().err().and_then(|error| error.raw_os_error());
            assert_eq!(confined(thread, unix), Some(libc::EPERM));
        }
    }

    #[test]
    fn no_program_is_started_and_no_file_opened() {
        let program = || Command::new("/bin/true").status().err().and_then(|error| error.raw_os_error());
        assert_eq!(confined(Thread::Any, program), Some(libc::EPERM));
        // In place of this one; were it allowed, it would not be found.
        let in_place = || Command::new("/no/such/program").exec().raw_os_error();
        assert_eq!(confined(Thread::Any, in_place), Some(libc::EPERM));
        let file = || std::fs::read("/proc/self/maps").err().and_then(|error| error.raw_os_error());
        assert_eq!(confined(Thread::Any, file), Some(libc::EPERM));
    }

    #[test]
    fn what_an_engine_does_is_listed() {
        let sum = confined(Thread::Any, || {
            // Without IO: with the host's features, which this test has, that would come with a pair of Unix sockets.
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
            runtime.block_on(async {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                let ones = vec![1_u8; 1 << 22];
                let blocking = tokio::task::spawn_blocking(move || ones.into_iter().map(u64::from).sum::<u64>());
                blocking.await.unwrap()
            })
        });
        assert_eq!(sum, 1 << 22);
    }
}
