"""The attacks, as programs that run in the container. Each prints `ESCAPED` and what it got, or nothing of the kind.

They are plain text for a shell or for Python; `CANARY` is what the test hid where the attack must not reach.
"""

PRELUDE = """
import ctypes, errno, glob, os, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def escaped(what): print('ESCAPED', what, flush=True)
def tried(what): print('tried', what, flush=True)
def syscall(name, *args):
    tried(name)
    if libc.syscall(*args) >= 0: escaped(name)
def reads(path, needle=b''):
    tried(path)
    try:
        with open(path, 'rb') as file: found = file.read(1 << 20)
    except OSError: return
    if found and needle in found: escaped(path)
def writes(path, text=b'x'):
    tried(path)
    try:
        with open(path, 'wb', buffering=0) as file: file.write(text)
    except OSError: return
    escaped(path)
def connects(host, port):
    tried(f'{host}:{port}')
    try: socket.create_connection((host, port), timeout=2).close()
    except OSError: return
    escaped(f'{host}:{port}')
"""

HOST_FILES = """
processes = ['/'.join(('', 'proc', *one.split())) for one in ('1 root', 'self root ..', 'self cwd .. .. ..')]
for base in ['', *processes, *('/' + one for one in ('host', 'mnt', 'rootfs'))]:
    reads(base + '{path}', b'{canary}')
for folder, folders, files in os.walk('/'):
    folders[:] = [f for f in folders if folder != '/' or f not in ('proc', 'sys')]
    if '{name}' in files: escaped(folder)
"""

PROCESSES = """
tried('processes')
for path in glob.glob('/proc/[0-9]*/cmdline'):
    try: line = open(path, 'rb').read()
    except OSError: continue
    if b'{canary}' in line and str(os.getpid()) not in path: escaped(line)
for pid in range(2, 40000):
    if pid in (os.getpid(), os.getppid()): continue
    try: os.kill(pid, 0); escaped(pid)
    except OSError: pass
"""

ENGINE_SOCKET = """
for path in ('/var/run/docker.sock', '/run/docker.sock', '/run/containerd/containerd.sock', '{socket}'):
    tried(path)
    try:
        s = socket.socket(socket.AF_UNIX); s.connect(path); s.sendall(b'GET /_ping HTTP/1.0\\r\\n\\r\\n')
        if s.recv(10): escaped(path)
    except OSError: pass
for line in open('/proc/net/unix').readlines()[1:]:
    if line.split()[-1].startswith(('/', '@')): escaped(line)
"""

NETWORK = """
for host in {hosts}:
    for port in {ports}: connects(host, port)
for family, kind in ((socket.AF_INET, socket.SOCK_RAW), (socket.AF_PACKET, socket.SOCK_RAW)):
    tried('raw socket')
    try: socket.socket(family, kind, 1); escaped('raw socket')
    except OSError: pass
tried('routes')
if len(open('/proc/net/route').readlines()) > 1: escaped('a route')
tried('udp')
try: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('{gateway}', 53)); escaped('udp')
except OSError: pass
tried('dns')
try: escaped(socket.gethostbyname('example.com'))
except OSError: pass
"""

KERNEL = """
MS_BIND, CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWNET = 4096, 0x10000000, 0x20000, 0x40000000
for what, fs, flags in ((b'tmpfs', b'tmpfs', 0), (b'proc', b'proc', 0), (b'/', b'', MS_BIND),
                        (b'cgroup', b'cgroup', 0), (b'cgroup2', b'cgroup2', 0),
                        (b'/dev/vda', b'ext4', 0), (b'overlay', b'overlay', 0)):
    syscall(f'mount {what} {fs}', 165, what, b'/workspace', fs, flags, None)
syscall('umount', 166, b'/sys', 2)
syscall('remount', 165, b'none', b'/', None, 32, None)
for flags in (CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWUSER | CLONE_NEWNS):
    syscall(f'unshare {flags:x}', 272, flags)
syscall('clone3 newuser', 435, (ctypes.c_uint64 * 8)(CLONE_NEWUSER, 0, 0, 0, 17, 0, 0, 0), 64)
syscall('chroot', 161, b'/workspace')
syscall('pivot_root', 155, b'/workspace', b'/workspace')
syscall('init_module', 175, b'x', 1, b'')
syscall('finit_module', 313, 0, b'', 0)
syscall('delete_module', 176, b'x', 0)
syscall('bpf', 321, 0, (ctypes.c_uint8 * 72)(1), 72)
syscall('perf_event_open', 298, (ctypes.c_uint8 * 128)(1), 0, -1, -1, 0)
syscall('add_key', 248, b'user', b'k', b'v', 1, -2)
syscall('keyctl', 250, 0, -3, 0)
syscall('userfaultfd', 323, 0)
syscall('open_by_handle_at', 304, -100, (ctypes.c_uint8 * 128)(8, 0, 0, 0, 1), 0)
syscall('kexec_load', 246, 0, 0, None, 0)
syscall('reboot', 169, 0xfee1dead, 672274793, 0, None)
syscall('swapon', 167, b'/workspace/x', 0)
syscall('settimeofday', 164, (ctypes.c_int64 * 2)(0, 0), None)
syscall('sethostname', 170, b'x', 1)
syscall('syslog', 103, 3, ctypes.create_string_buffer(4096), 4096)
syscall('iopl', 172, 3)
syscall('ioperm', 173, 0x378, 1, 1)
syscall('mknod block', 133, b'/workspace/b', 0o60600, os.makedev(254, 0))
syscall('mknod char', 133, b'/workspace/c', 0o20600, os.makedev(1, 1))
for path in glob.glob('/proc/1/ns/*') + ['/proc/self/ns/user']:
    tried(path)
    try: fd = os.open(path, os.O_RDONLY)
    except OSError: continue
    syscall(f'setns {path}', 308, fd, 0)
"""

CALLS = """
import mmap, platform
for family, name in ((40, 'vsock'), (38, 'alg'), (17, 'packet'), (29, 'can'), (31, 'bluetooth'), (44, 'xdp')):
    for kind in (1, 2, 3, 5):
        tried(name)
        try: opened = socket.socket(family, kind)
        except PermissionError: continue
        except OSError as error: escaped(f'the kernel was asked for {name}: {error}'); continue
        escaped(name)
        try:
            if family == 40: opened.bind((0xffffffff, 50511)); escaped('a port of the host')
        except OSError: pass
params = ctypes.create_string_buffer(120)
syscall('io_uring_setup', 425, 1, params)
for protocol in (4, 6, 9, 12, 15, 16):  # sockets of others, audit, connector, netfilter, events, generic
    tried('netlink')
    try: socket.socket(16, 3, protocol); escaped(f'netlink {protocol}')
    except OSError: pass
for protocol in (132, 33, 262, 136):
    tried('protocol')
    try: socket.socket(2, 1, protocol); escaped(f'protocol {protocol}')
    except PermissionError: pass
    except OSError as error: escaped(f'the kernel was asked for {protocol}: {error}')
if platform.machine() == 'x86_64':
    syscall('vsock with a bit that the kernel drops', 41, ctypes.c_long(1 << 32 | 40), 1, 0)
    for flags in (0x10000000, 0x20000, 0x40000000, 0x02000000, 0x08000000, 0x04000000, 0x20000000):
        tried(f'clone {flags:x}')
        child = libc.syscall(56, ctypes.c_long(1 << 33 | flags | 17), 0, 0, 0, 0)
        if child == 0: os._exit(0)
        if child > 0: escaped(f'clone {flags:x}')
    # mov eax, 359 (socket); mov ebx, 40; mov ecx, 1; xor edx, edx; int 0x80; ret
    code = bytes.fromhex('53b867010000bb28000000b90100000031d2cd805bc3')
    page = mmap.mmap(-1, 4096, prot=7)
    page.write(code)
    run = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    def x32():
        answer = libc.syscall(0x40000000 | 41, 40, 1, 0)
        return answer if answer >= 0 else -ctypes.get_errno()
    for name, call in (('the calls of 32 bit', run), ('the calls of x32', x32)):
        tried(name)
        child = os.fork()
        if child == 0: os._exit(1 if call() in (-errno.EPERM, -errno.ENOSYS) else 0)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0: escaped(name)
"""

PRIVILEGES = """
tried('setuid')
for change in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0]), lambda: os.setresuid(0, 0, 0)):
    try: change(); escaped('another id')
    except OSError: pass
header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(*[0xffffffff] * 6)
syscall('capset', 126, header, data)
if libc.prctl(47, 2, 21, 0, 0) == 0: escaped('ambient capability')
if libc.prctl(38, 0, 0, 0, 0) == 0: escaped('new privileges again')
status = dict(line.split(':', 1) for line in open('/proc/self/status'))
for name in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'):
    tried(name)
    if int(status[name], 16): escaped(name + status[name])
if status['Seccomp'].strip() != '2': escaped('no filter')
import subprocess, shutil
found = subprocess.run(['find', '/', '-xdev', '-perm', '/6000', '-type', 'f'], capture_output=True).stdout
if found: escaped(found)
tried('set-uid copy'); shutil.copy('/usr/bin/id', 'id'); os.chmod('id', 0o4755)
if b'euid' in subprocess.run(['./id'], capture_output=True).stdout: escaped('set-uid')
import resource
for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE, resource.RLIMIT_MEMLOCK):
    tried('rlimit')
    try: resource.setrlimit(limit, (1 << 30, 1 << 30)); escaped('rlimit')
    except (OSError, ValueError): pass
tried('priority')
try: os.setpriority(os.PRIO_PROCESS, 0, -20); escaped('priority')
except OSError: pass
"""

FIRST_PROCESS = """
for fd in os.listdir('/proc/self/fd'):
    link = f'/proc/self/fd/{fd}'
    if int(fd) > 2 and os.path.islink(link): escaped('inherited ' + os.readlink(link))
for path in ('mem', 'environ', 'maps', 'fd/0', 'fd/1', 'root/etc/passwd', 'cwd/x', 'exe', 'stack', 'io', 'syscall'):
    reads('/proc/1/' + path)
for path in ('mem', 'fd/1', 'fd/0', 'exe', 'oom_score_adj', 'attr/exec', 'clear_refs'): writes('/proc/1/' + path)
for request in (16, 0x4206): syscall(f'ptrace {request}', 101, request, 1, None, None)
buf = ctypes.create_string_buffer(64)
iov, remote = (ctypes.c_uint64 * 2)(ctypes.addressof(buf), 64), (ctypes.c_uint64 * 2)(0x400000, 64)
syscall('process_vm_readv', 310, 1, iov, 1, remote, 1, 0)
syscall('process_vm_writev', 311, 1, iov, 1, remote, 1, 0)
fd = libc.syscall(434, 1, 0)
if fd >= 0: syscall('pidfd_getfd', 438, fd, 1, 0)
syscall('kcmp', 312, 1, os.getpid(), 0, 0, 0)
for number in range(1, 32): os.kill(1, number)
for number in range(1, 32): os.kill(1, number)
tried('kill'); print('alive', os.path.exists('/proc/1'))
"""

KERNEL_FILES = """
for path in ('core_pattern', 'modprobe', 'hotplug', 'panic', 'sysrq', 'ns_last_pid', 'yama/ptrace_scope', 'hostname'):
    writes('/proc/sys/kernel/' + path)
for path in ('/proc/sys/vm/drop_caches', '/proc/sys/net/ipv4/ip_forward', '/proc/sys/fs/binfmt_misc/register',
             '/proc/sys/fs/file-max', '/proc/sysrq-trigger', '/sys/kernel/uevent_helper', '/sys/power/state',
             '/dev/mem', '/dev/kmsg', '/dev/vda', '/dev/sda', '/dev/loop0', '/dev/fuse', '/dev/kvm', '/dev/net/tun'):
    writes(path)
for path in ('/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/sched_debug', '/dev/mem', '/dev/kmsg', '/dev/vda',
             '/sys/firmware/acpi/tables/DSDT', '/sys/kernel/debug', '/proc/acpi', '/proc/scsi/scsi'): reads(path)
for path in glob.glob('/sys/fs/cgroup/**', recursive=True):
    if os.path.isfile(path) and os.access(path, os.W_OK): writes(path, b'0')
for controller in os.listdir('/sys/fs/cgroup'):
    for name in ('release_agent', 'notify_on_release', 'cgroup.procs', 'memory.limit_in_bytes', 'memory.max'):
        writes(f'/sys/fs/cgroup/{controller}/{name}', b'1')
    tried('cgroup')
    try: os.mkdir(f'/sys/fs/cgroup/{controller}/mine'); escaped(controller)
    except OSError: pass
for path in glob.glob('/sys/module/*/parameters/*')[:300] + glob.glob('/sys/kernel/mm/**', recursive=True)[:100]:
    if os.access(path, os.W_OK): escaped(path)
"""

ROOT_FOLDER = """
ours = ('/workspace', '/tmp', '/run/secrets', '/run/banksman', '/dev', '/proc', '/sys')
for folder, folders, files in os.walk('/'):
    folders[:] = [f for f in folders if os.path.join(folder, f) not in ours]
    if folder in ours: continue
    tried(folder)
    try: open(os.path.join(folder, '.mine'), 'w').close(); escaped(folder)
    except OSError: pass
    for name in files[:20]:
        try: os.close(os.open(os.path.join(folder, name), os.O_WRONLY)); escaped(name)
        except OSError: pass
for folder in os.listdir('/dev'):
    path = '/dev/' + folder
    if os.path.isdir(path) and os.access(path, os.W_OK) and folder not in ('shm', 'mqueue', 'fd'): escaped(path)
"""

SECRETS = """
needle = b'{canary}'
reads('/proc/self/environ', needle)
for path in glob.glob('/proc/[0-9]*/cmdline') + glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/mem'):
    if f'/{{os.getpid()}}/' not in path: reads(path, needle)
for folder, folders, files in os.walk('/'):
    folders[:] = [f for f in folders if os.path.join(folder, f) not in ('/proc', '/sys', '/run/secrets')]
    for name in files:
        path = os.path.join(folder, name)
        if os.path.isfile(path) and os.path.basename(path) != 'attack.py': reads(path, needle)
"""
