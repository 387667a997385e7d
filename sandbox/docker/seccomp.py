"""Which calls of the kernel a container may make: a list of ours, whatever the engine's own profile allows.

An engine's profile is as old as the engine is: one of 2020 lets a container make rings of `io_uring` and bind ports of
the machine's with `AF_VSOCK`, past every network of its own. What is not named here is refused. New calls are added
to the group that they belong to; `sandbox/probe.py` tries from inside what must be refused and what must work.

Only the machine's own architecture is named: calls of another one (32 bit) end the process that makes them.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final

_ERRNO_NO_SUCH_CALL: Final = 38
_NAMESPACES: Final = 0x7E020000
"""Each flag of `clone` that makes a namespace."""

_MEMORY: Final = """
brk mmap munmap mremap mprotect madvise msync mincore mlock mlock2 mlockall munlock munlockall remap_file_pages
membarrier memfd_create mseal map_shadow_stack pkey_alloc pkey_free pkey_mprotect process_mrelease
"""
_FILES: Final = """
access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 fallocate
fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync flock fstat fstatfs fsync ftruncate futimesat getcwd
getdents getdents64 ioctl lchown link linkat lseek lstat mkdir mkdirat mknod mknodat newfstatat open openat openat2
pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv rename renameat
renameat2 rmdir sendfile splice stat statfs statx symlink symlinkat sync sync_file_range syncfs tee truncate umask
unlink unlinkat utime utimensat utimes vmsplice write writev cachestat
getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat listxattr llistxattr flistxattr
listxattrat removexattr lremovexattr fremovexattr removexattrat
inotify_add_watch inotify_init inotify_init1 inotify_rm_watch
"""
_WAITING: Final = """
epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2
poll ppoll pselect6 select signalfd signalfd4 timerfd_create timerfd_gettime timerfd_settime
io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit
"""
_PROCESSES: Final = """
arch_prctl capget capset execve execveat exit exit_group fork vfork wait4 waitid kill tgkill tkill
getegid geteuid getgid getgroups getpgid getpgrp getpid getppid getresgid getresuid getsid gettid getuid
setfsgid setfsuid setgid setgroups setpgid setregid setresgid setresuid setreuid setsid setuid
getcpu getpriority getrlimit getrusage ioprio_get ioprio_set prlimit64 setpriority setrlimit
landlock_add_rule landlock_create_ruleset landlock_restrict_self prctl seccomp
pidfd_open pidfd_send_signal restart_syscall rseq set_robust_list get_robust_list set_tid_address
sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield
futex futex_requeue futex_wait futex_waitv futex_wake
"""
_SIGNALS_AND_TIME: Final = """
pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
rt_tgsigqueueinfo sigaltstack
alarm clock_getres clock_gettime clock_nanosleep getitimer gettimeofday nanosleep setitimer time timer_create
timer_delete timer_getoverrun timer_gettime timer_settime times
getrandom sysinfo uname
"""
_TALKING: Final = """
accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg sendmmsg sendmsg
sendto setsockopt shutdown
mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd
semctl semget semop semtimedop shmat shmctl shmdt shmget
"""
ALLOWED: Final = tuple(f"{_MEMORY}{_FILES}{_WAITING}{_PROCESSES}{_SIGNALS_AND_TIME}{_TALKING}".split())
"""Calls that are allowed whatever they are given."""

_UNIX, _INET, _INET6, _NETLINK = 1, 2, 10, 16
SOCKETS: Final = (
    (_UNIX, 0),
    *((family, protocol) for family in (_INET, _INET6) for protocol in (0, 6, 17)),  # the kernel's choice, TCP, UDP
    (_NETLINK, 0),  # what interfaces and routes there are, as name look-ups ask; nothing else that netlink leads to
)
"""Families and protocols of the sockets that there may be: none that leads to the host, to keys, or past a network."""

_PERSONALITIES: Final = (0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
"""Linux, without and with its older ways of telling versions and sizes; and the question which one it is."""

_ARCHITECTURES: Final = ("SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64")
_NO_OTHERS: Final[tuple[str, ...]] = ()


def _only(index: int, value: int) -> Mapping[str, object]:
    return {"index": index, "value": value, "op": "SCMP_CMP_EQ"}


def _rule(names: Sequence[str], *arguments: Mapping[str, object]) -> Mapping[str, object]:
    return {"names": list(names), "action": "SCMP_ACT_ALLOW", "args": list(arguments)}


PROFILE: Final[Mapping[str, object]] = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "archMap": [{"architecture": name, "subArchitectures": _NO_OTHERS} for name in _ARCHITECTURES],
    "syscalls": [
        _rule(ALLOWED),
        *(_rule(("socket",), _only(0, family), _only(2, protocol)) for family, protocol in SOCKETS),
        _rule(("socketpair",), _only(0, _UNIX)),
        *(_rule(("personality",), _only(0, value)) for value in _PERSONALITIES),
        _rule(("clone",), {"index": 0, "value": _NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}),
        # Its flags lie in memory, where no filter sees them; who hears that there is no such call takes `clone`.
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ERRNO_NO_SUCH_CALL},
    ],
}
"""In the format that engines of Docker's kind read."""

SECURITY_OPTION: Final = f"seccomp={json.dumps(PROFILE, separators=(',', ':'))}"
"""As an engine is told it."""
