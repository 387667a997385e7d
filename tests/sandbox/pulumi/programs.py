"""Programs of attackers; each prints ESCAPED when it got something, and that it tried."""

DATABASE = """
import pulumi

class Database(pulumi.CustomResource):
    def __init__(self, name, database, **options):
        super().__init__("banksman:postgres:Database", name, {"name": database}, pulumi.ResourceOptions(**options))

"""

LOOK_AROUND = """
import os, pathlib, socket
import pulumi

canaries = [text[::-1] for text in CANARIES]
seen = 0

def look(where, data):
    global seen
    seen += 1
    for canary in canaries:
        if canary.encode() in data:
            print("ESCAPED: a secret in", where)

look("environment", repr(dict(os.environ)).encode())
for process in pathlib.Path("/proc").glob("[0-9]*"):
    for name in ("environ", "cmdline", "mounts", "mountinfo"):
        try: look(process / name, (process / name).read_bytes())
        except OSError: pass
    try:
        for link in (process / "fd").iterdir():
            try: look(link, os.readlink(link).encode())
            except OSError: pass
    except OSError: pass
for root in ("/run", "/workspace", "/tmp", "/dev/shm", "/var", "/etc", "/home", "/root", "/usr/lib/banksman"):
    for folder, _, files in os.walk(root):
        for name in files:
            path = os.path.join(folder, name)
            try:
                if os.path.isfile(path) and os.path.getsize(path) < 1_000_000:
                    look(path, open(path, "rb").read())
            except OSError: pass
if os.listdir("/run/secrets"):
    print("ESCAPED: something in /run/secrets")
interfaces = [line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]]
if any(name.startswith(("eth", "en", "wl")) for name in interfaces):
    print("ESCAPED: a network", interfaces)
for address in ("10.213.0.1", "172.17.0.1", "169.254.169.254", "1.1.1.1"):
    try:
        socket.create_connection((address, 443), timeout=0.3).close()
        print("ESCAPED: reached", address)
    except OSError: pass
for path in ("/usr/x", "/etc/x", "/x"):
    try:
        open(path, "w").close()
        print("ESCAPED: wrote", path)
    except OSError: pass
print("tried", seen > 20)
"""

CALL_PLUGINS = """
import os, socket, threading, time
import grpc
import pulumi
from pulumi.runtime.proto import provider_pb2, language_pb2, resource_pb2

def ports():
    found = set()
    for name in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in open(name).readlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                found.add(int(fields[1].rsplit(":", 1)[1], 16))
    return found

# What the engine offers to others than a program, its own plugins above all.
METHODS = [
    "/pulumirpc.ResourceProvider/GetPluginInfo", "/pulumirpc.ResourceProvider/Configure",
    "/pulumirpc.ResourceProvider/Create", "/pulumirpc.ResourceProvider/GetSchema",
    "/pulumirpc.ResourceMonitor/RegisterStackTransform", "/pulumirpc.ResourceMonitor/RegisterStackInvokeTransform",
    "/pulumirpc.ResourceMonitor/RegisterResourceHook", "/pulumirpc.ResourceMonitor/RegisterPackage",
    "/pulumirpc.Engine/StartDebugging", "/pulumirpc.LanguageRuntime/RunPlugin",
    "/pulumirpc.LanguageRuntime/InstallDependencies", "/codegen.Loader/GetSchema",
]
tried = 0
sockets = [f"unix:/run/relay/{name}" for name in os.listdir("/run/relay") if name != "language.sock"]
own = f"127.0.0.1:{min(ports(), default=0)}"
for target in sockets + [f"127.0.0.1:{port}" for port in ports()]:
    channel = grpc.insecure_channel(target)
    for method in METHODS:
        try:
            channel.unary_unary(method)(b"", timeout=3)
            if not target.startswith("127.0.0.1"):
                print("ESCAPED:", method, "at", target)
        except grpc.RpcError as error:
            tried += 1
            if not target.startswith("127.0.0.1") and error.code() not in (
                grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED
            ):
                print("ESCAPED:", method, "at", target, error.code())
print("tried", tried, "of", sorted(sockets))
"""

FILL = """
import os
import pulumi

written = 0
for folder in ("/workspace", "/tmp", "/dev/shm", "/run/relay", "/run/secrets", "/run/banksman", "/var/tmp", "/usr"):
    try:
        with open(os.path.join(folder, "filling"), "wb", buffering=0) as file:
            while written < 1_000_000_000:
                written += file.write(b"x" * 1_000_000)
    except OSError:
        pass
    try: os.unlink(os.path.join(folder, "filling"))
    except OSError: pass
print("ESCAPED: wrote 1 GB" if written >= 1_000_000_000 else "tried", written)
"""
