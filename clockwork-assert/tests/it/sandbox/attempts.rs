//! The attempts: programs that end with 0 if they got out.

/// What an attempt is written in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Language {
    Shell,
    Python,
}

/// Who could do it without a sandbox.
#[derive(Debug, Clone, Copy)]
pub(super) enum Whose {
    Anybodys,
    Roots,
    /// Nobody, or it is not to be tried without a sandbox.
    Nobodys,
}

pub(super) struct Attempt {
    pub(super) name: &'static str,
    pub(super) language: Language,
    pub(super) whose: Whose,
    pub(super) script: &'static str,
}

const fn sh(name: &'static str, whose: Whose, script: &'static str) -> Attempt {
    Attempt { name, language: Language::Shell, whose, script }
}

const fn py(name: &'static str, whose: Whose, script: &'static str) -> Attempt {
    Attempt { name, language: Language::Python, whose, script }
}

use Whose::{Anybodys, Nobodys, Roots};

pub(super) const ATTEMPTS: &[Attempt] = &[
    // To read what was not granted.
    sh("read a secret file", Anybodys, "grep -q canary $SECRET"),
    sh("read it through a link in its own directory", Anybodys, "grep -q canary link"),
    sh("read it through a linked directory", Anybodys, "grep -q canary up/secret"),
    sh("read a file above its own directory", Anybodys, "grep -q canary ../beside"),
    sh(
        "read it through a link of its own making",
        Anybodys,
        "ln -s $SECRET $WRITE/l; grep -q canary $WRITE/l",
    ),
    sh("read it through its own root", Anybodys, "grep -q canary /proc/self/root$SECRET"),
    sh("read it through the root of the first process", Nobodys, "grep -q canary /proc/1/root$SECRET"),
    sh("read it through the root of its parent", Anybodys, "grep -q canary /proc/$PARENT/root$SECRET"),
    sh("read it through a directory of another process", Anybodys, "ls /proc/$TARGET/cwd/ | grep -q ."),
    sh("link it into what it may write to", Anybodys, "ln $SECRET $WRITE/hard && grep -q canary $WRITE/hard"),
    sh("see that it is there", Anybodys, "test -e $SECRET"),
    sh("list the directory that it is in", Anybodys, "ls $CLOSED | grep -q secret"),
    sh("list the temporary files of others", Anybodys, "test $(ls -d $OUTSIDE/* | wc -l) -gt 3"),
    sh("read the passwords", Roots, "grep -q root: /etc/shadow"),
    sh(
        "change the mode of the passwords, to read them",
        Nobodys,
        "chmod 644 /etc/shadow && grep -q root: /etc/shadow",
    ),
    py(
        "read it while a link is changed between two files",
        Anybodys,
        r#"
import os, threading, sys
d, secret = os.environ["WRITE"], os.environ["SECRET"]
def swap():
    for _ in range(3000):
        for target in ("/etc/hostname", secret):
            os.symlink(target, d + "/new"); os.rename(d + "/new", d + "/race")
if not os.path.islink(d + "/race"): os.symlink(secret, d + "/race")
t = threading.Thread(target=swap); t.start()
while t.is_alive():
    try:
        if "canary" in open(d + "/race").read(): os._exit(0)
    except OSError: pass
sys.exit(1)
"#,
    ),
    py(
        "open it by its handle",
        Roots,
        r#"
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
class Handle(ctypes.Structure): _fields_ = [("size", ctypes.c_uint), ("type", ctypes.c_int), ("data", ctypes.c_ubyte * 128)]
h, m = Handle(), ctypes.c_int(); h.size = 128
path = os.environ["READ"] + "/file"
assert libc.name_to_handle_at(-100, path.encode(), ctypes.byref(h), ctypes.byref(m), 0) == 0
root = os.open("/", os.O_RDONLY)
assert libc.open_by_handle_at(root, ctypes.byref(h), 0) >= 0
"#,
    ),
    sh(
        "read the disk",
        Nobodys,
        "disk=$(awk '$5 == \"/\" {print $3}' /proc/self/mountinfo); mknod $WRITE/disk b ${disk%:*} ${disk#*:} && head -c 1 $WRITE/disk >/dev/null",
    ),
    sh("read the log of the kernel", Nobodys, "dmesg | grep -q ."),
    py("read the memory of the machine", Nobodys, "open('/dev/mem', 'rb').read(1)"),
    sh(
        "see a file in somebody's home",
        Nobodys,
        "ls -dA $HOME/.bashrc $HOME/.profile $HOME/.ssh 2>/dev/null | grep -q .",
    ),
    // To change what was not granted.
    sh(
        "write beside its own directory",
        Anybodys,
        "echo x > $OUTSIDE/closed/new; test -e $OUTSIDE/closed/new && rm $OUTSIDE/closed/new",
    ),
    sh("write where it runs", Anybodys, "echo x > new && rm new"),
    sh("append to what it may read", Nobodys, "echo x >> $READ/file"),
    py("cut what it may read", Nobodys, "import os; os.truncate(os.environ['READ'] + '/file', 0)"),
    sh("remove what it may read", Nobodys, "rm -f $READ/file && test ! -e $READ/file"),
    sh("rename what it may read", Nobodys, "mv $READ/file $READ/other"),
    sh("move it to where it may write", Nobodys, "mv $READ/file $WRITE/file && test ! -e $READ/file"),
    sh("change the mode of what it may read", Anybodys, "chmod 600 $READ/file && chmod 644 $READ/file"),
    sh("change the time of what it may read", Anybodys, "touch -d 2001-01-01 $READ/file"),
    sh("change the owner of what it may read", Roots, "chown 1:1 $READ/file && chown 0:0 $READ/file"),
    py(
        "give what it may read an attribute",
        Anybodys,
        "import os; p = os.environ['READ'] + '/file'; os.setxattr(p, 'user.x', b'y'); os.removexattr(p, 'user.x')",
    ),
    sh("write to a program of the system", Nobodys, "echo x >> /usr/bin/env"),
    sh(
        "write to the configuration of the system",
        Roots,
        "echo x > /etc/clockwork-escape && rm /etc/clockwork-escape",
    ),
    sh(
        "leave a program that runs as its owner",
        Anybodys,
        "cp /bin/true $WRITE/run && chmod 4755 $WRITE/run && test -u $WRITE/run",
    ),
    py(
        "make one with that mode from the start",
        Anybodys,
        "import os, stat; os.umask(0); p = os.environ['WRITE'] + '/run'; os.close(os.open(p, os.O_CREAT | os.O_WRONLY, 0o4755)); assert os.stat(p).st_mode & stat.S_ISUID",
    ),
    sh(
        "change a setting of the kernel",
        Roots,
        "v=$(cat /proc/sys/kernel/domainname) && printf %s \"$v\" > /proc/sys/kernel/domainname",
    ),
    py("reach for the key that reboots", Nobodys, "import os; os.open('/proc/sysrq-trigger', os.O_WRONLY)"),
    sh(
        "leave its control group",
        Roots,
        "for f in /sys/fs/cgroup/pids/cgroup.procs /sys/fs/cgroup/cgroup.procs; do test -e $f && echo $$ > $f && exit 0; done; exit 1",
    ),
    // To get other rights, or another view.
    sh("have a user namespace of its own", Anybodys, "unshare --user --map-root-user true"),
    sh("have a mount namespace of its own", Roots, "unshare --mount true"),
    py(
        "have namespaces by the newest call",
        Anybodys,
        r#"
import ctypes, os, struct
libc = ctypes.CDLL(None, use_errno=True)
args = ctypes.create_string_buffer(struct.pack("QQQQQQQQ", 0x10000000, 0, 0, 0, 17, 0, 0, 0))
pid = libc.syscall(435, args, 64)
if pid == 0: os._exit(0)
assert pid > 0
os.waitpid(pid, 0)
"#,
    ),
    sh("make what it sees writable", Nobodys, "mount -o remount,rw,bind /usr"),
    sh("take away what hides the rest", Nobodys, "umount -l /tmp || umount -l /etc/shadow"),
    py(
        "go to another root",
        Roots,
        "import os; os.mkdir('/tmp/r') if not os.path.isdir('/tmp/r') else None; os.chroot('/tmp/r'); os.rmdir('/tmp/r') if os.path.isdir('/tmp/r') else None",
    ),
    py(
        "enter the namespaces of another process",
        Roots,
        "import ctypes, os; f = os.open('/proc/%s/ns/mnt' % os.environ['TARGET'], os.O_RDONLY); l = ctypes.CDLL(None, use_errno=True); l.unshare(0x200); assert l.setns(f, 0) == 0",
    ),
    py("become another user", Roots, "import os; os.setuid(1)"),
    py(
        "have a capability",
        Roots,
        "assert int([l for l in open('/proc/self/status') if l.startswith('CapEff')][0].split()[1], 16) != 0",
    ),
    py(
        "get one by what it runs",
        Roots,
        "import subprocess; s = subprocess.run(['cat', '/proc/self/status'], capture_output=True, text=True).stdout; assert int([l for l in s.splitlines() if l.startswith('CapPrm')][0].split()[1], 16) != 0",
    ),
    sh(
        "run a program that runs as its owner",
        Nobodys,
        "su -c true root </dev/null; test \"$(stat -c %u /proc/self)\" != \"$(id -u)\"",
    ),
    py("name the machine", Roots, "import socket; socket.sethostname(socket.gethostname())"),
    py(
        "load a module into the kernel",
        Roots,
        "import ctypes; l = ctypes.CDLL(None, use_errno=True); l.syscall(313, -1, b'', 0); assert ctypes.get_errno() != 1",
    ),
    py(
        "load a program into the kernel",
        Roots,
        "import ctypes; l = ctypes.CDLL(None, use_errno=True); l.syscall(321, 99, 0, 0); assert ctypes.get_errno() != 1",
    ),
    py(
        "use rings of requests, which no filter sees",
        Nobodys,
        "import ctypes; l = ctypes.CDLL(None, use_errno=True); b = ctypes.create_string_buffer(120); assert l.syscall(425, 4, b) >= 0",
    ),
    py(
        "read the keys of the user",
        Anybodys,
        "import ctypes; l = ctypes.CDLL(None, use_errno=True); assert l.syscall(250, 0, -3, 1) >= 0",
    ),
    py(
        "measure the whole machine",
        Roots,
        "import ctypes, struct; l = ctypes.CDLL(None, use_errno=True); a = ctypes.create_string_buffer(struct.pack('IIQQQQQ', 1, 128, 0, 0, 0, 0, 0) + b'\\0' * 80, 128); r = l.syscall(298, a, -1, 0, -1, 0); assert r >= 0 or ctypes.get_errno() != 1",
    ),
    // To reach other processes.
    sh("read the environment of its parent", Anybodys, "grep -q PATH /proc/$PARENT/environ"),
    sh("read the environment of any process", Anybodys, "cat /proc/*/environ 2>/dev/null | grep -q CANARY="),
    sh("read the command line of another process", Anybodys, "grep -q sleep /proc/$TARGET/cmdline"),
    sh(
        "read the environment of the first process that it sees",
        Nobodys,
        "test -s /proc/1/environ && head -c 1 /proc/1/environ > /dev/null && tr '\\0' '\\n' < /proc/1/environ | grep -q .",
    ),
    py("read the memory of the first process that it sees", Nobodys, "open('/proc/1/mem', 'rb')"),
    py(
        "read the memory of its parent",
        Anybodys,
        "import os; open('/proc/%s/mem' % os.environ['PARENT'], 'rb')",
    ),
    py(
        "trace another process",
        Anybodys,
        r#"
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
assert libc.ptrace(0x4206, int(os.environ["TARGET"]), 0, 0) == 0
"#,
    ),
    py(
        "trace the process that waits for it",
        Roots,
        r#"
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
assert libc.ptrace(0x4206, int(os.environ["TARGET"]) if os.path.exists("/proc/" + os.environ["TARGET"]) else 1, 0, 0) == 0
"#,
    ),
    py(
        "copy from the memory of another process",
        Anybodys,
        r#"
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
pid = int(os.environ["TARGET"])
try: at = int(open("/proc/%d/maps" % pid).readline().split("-")[0], 16)
except OSError: at = 0x400000
class Vec(ctypes.Structure): _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
b = ctypes.create_string_buffer(8)
here, there = Vec(ctypes.addressof(b), 8), Vec(at, 8)
assert libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) == 8
"#,
    ),
    sh("signal its parent", Anybodys, "kill -0 $PARENT"),
    sh("end another process", Anybodys, "kill -CONT $TARGET"),
    py(
        "signal through a descriptor",
        Anybodys,
        r#"
import os, signal
fd = os.pidfd_open(int(os.environ["TARGET"]))
signal.pidfd_send_signal(fd, signal.SIGCONT)
"#,
    ),
    py(
        "take a descriptor of another process",
        Anybodys,
        r#"
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
fd = libc.syscall(434, int(os.environ["TARGET"]), 0)
assert fd >= 0 and libc.syscall(438, fd, 0, 0) >= 0
"#,
    ),
    py(
        "change the priority of another process",
        Anybodys,
        "import os; os.setpriority(os.PRIO_PROCESS, int(os.environ['TARGET']), 10)",
    ),
    py(
        "have a descriptor that it was not given",
        Nobodys,
        r#"
import os
mine = [int(fd) for fd in os.listdir("/proc/self/fd")]
assert [fd for fd in mine if fd > 2 and os.path.exists("/proc/self/fd/%d" % fd) and "/proc/" not in os.readlink("/proc/self/fd/%d" % fd)]
"#,
    ),
    py("reach a terminal", Nobodys, "open('/dev/tty')"),
    py("attach shared memory of others", Nobodys, "assert len(open('/proc/sysvipc/shm').readlines()) > 1"),
    // To reach the network.
    py(
        "connect to this machine",
        Anybodys,
        "import os, socket; socket.create_connection(('127.0.0.1', int(os.environ['PORT'])), 5)",
    ),
    py(
        "send a datagram to this machine",
        Anybodys,
        "import os, socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', int(os.environ['UDP'])))",
    ),
    py("listen", Anybodys, "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()"),
    py(
        "connect to a socket in a directory",
        Anybodys,
        "import os, socket; socket.socket(socket.AF_UNIX).connect(os.environ['SOCKET'])",
    ),
    py(
        "connect to a socket without a file",
        Anybodys,
        "import os, socket; socket.socket(socket.AF_UNIX).connect('\\0' + os.environ['ABSTRACT'])",
    ),
    py(
        "speak to the container engine",
        Nobodys,
        "import socket; socket.socket(socket.AF_UNIX).connect('/run/docker.sock')",
    ),
    py("make packets", Roots, "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)"),
    py(
        "speak to the kernel about the network",
        Anybodys,
        "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    ),
    py(
        "make a socket of a seldom used family",
        Nobodys,
        "import socket; socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)",
    ),
    sh("ask for a name", Nobodys, "getent ahosts example.org"),
];
