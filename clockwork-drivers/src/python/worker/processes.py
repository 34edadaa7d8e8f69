"""Runs the checks of a user, such that none sees what another did to its process.

One interpreter is started for all of them. It forks a process for each file that is asked for, which imports it; and that
one forks processes for its checks, which start with everything imported, and can spoil nothing but themselves. What a
process is told, and what it tells, goes over a socket of its own, as one line of JSON for each message; its outputs, and
where it stands when it hangs or crashes, over two pipes of its own.

Nothing is imported here that takes longer than to fork: `json`, `socket` and `signal` together would double the start.
"""

import _socket
import faulthandler
import gc
import opcode

# As they are before a file of the user's is imported, which may change them.
fork, waitpid = os.fork, os.waitpid

# The signal at which a process says where it stands.
WHERE = 62 if sys.platform == "linux" else 31


def codec():
    """JSON by the C functions behind `json`, without the regular expressions that it brings along."""
    try:
        from _json import encode_basestring_ascii, make_encoder, make_scanner

        class Settings:
            strict = True
            object_hook = object_pairs_hook = None
            parse_float, parse_int, parse_constant = float, int, float
            memo = {}

        scan = make_scanner(Settings)

        def refuse(value):
            raise TypeError(type(value).__name__)

        def encode(value):
            encoder = make_encoder({}, refuse, encode_basestring_ascii, None, ": ", ", ", False, False, False)
            return "".join(encoder(value, 0))

        if scan('{"a": [1, null]}', 0)[0] != {"a": [1, None]} or encode({"a": [1, None]}) != '{"a": [1, null]}':
            raise ValueError
        return (lambda text: scan(text, 0)[0]), encode
    except Exception:
        import json

        return json.loads, json.dumps


decode, encode = codec()


class Channel:
    """One end of a socket: lines of JSON, and the descriptors that come with them."""

    def __init__(self, descriptor):
        os.set_inheritable(descriptor, False)
        self.socket = _socket.socket(fileno=descriptor)
        self.bytes = b""
        self.descriptors = []

    def receive(self):
        """The next message, `None` behind the last."""
        while b"\n" not in self.bytes:
            data, control, _, _ = self.socket.recvmsg(1 << 16, 256)
            for level, kind, numbers in control:
                if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
                    for at in range(0, len(numbers) - 3, 4):
                        number = int.from_bytes(numbers[at : at + 4], sys.byteorder)
                        os.set_inheritable(number, False)
                        self.descriptors.append(number)
            if not data:
                return None
            self.bytes += data
        line, _, self.bytes = self.bytes.partition(b"\n")
        return decode(line.decode())

    def take(self, count):
        """Descriptors that came."""
        taken, self.descriptors = self.descriptors[:count], self.descriptors[count:]
        return taken

    def send(self, message):
        self.socket.sendall(encode(message).encode() + b"\n")


def limit_memory():
    """What a process may allocate, here and in all that it starts; so that it raises `MemoryError`, and says where."""
    if memory:
        import resource

        limit = memory + allocated()
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def allocated():
    """What the interpreter itself has, in bytes."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return data_of(file.read())
    except (OSError, ValueError, IndexError):
        return 16 << 20


def data_of(statm):
    return int(statm.split()[5]) * 4096


def serve(channel, child):
    """Forks `child` for each request, and ends it when that is asked for, until nobody asks any more."""
    children = {}
    while True:
        reap()
        message = channel.receive()
        if message is None:
            break
        number = message["id"]
        if message["do"] == "end":
            pid = children.pop(number, None)
            status = end(pid, message)
            for descriptor in channel.take(message["with"]):
                tell(descriptor, {"status": status})
            continue
        if message["do"] == "where":
            if number in children:
                signal(children[number], WHERE)
            continue
        own = channel.take(message["with"])
        if message.get("here"):
            channel.socket.close()
            return begin(own, lambda: child(own, message))
        try:
            pid = fork()
        except OSError as error:
            tell(own.pop(0), {"refused": "cannot fork: %s" % error.strerror})
        else:
            if pid == 0:
                channel.socket.close()
                dying.clear()
                os.setsid()
                begin(own, lambda: child(own, message))
            children[number] = pid
        for descriptor in own:
            os.close(descriptor)
    for pid in children.values():
        end(pid, {"tree": True})


where = None


def begin(own, work):
    """What a new process does, which never returns."""
    global where
    try:
        for number in (1, 2):
            os.dup2(own[1], number)
        os.close(own[1])
        faulthandler.enable(own[2])
        faulthandler.register(WHERE, own[2])
        faulthandler.register(24, own[2], chain=True)  # the end of its computing time
        if where is not None:
            os.close(where)
        where = own[2]
        work()
    except BaseException:
        sys.excepthook(*sys.exc_info())
        flush()
    finally:
        os._exit(70)


def tell(descriptor, message):
    """One message to who holds the other end, if anybody does."""
    try:
        Channel(descriptor).send(message)
    except OSError:
        pass


def signal(pid, number, kill=os.kill):
    try:
        kill(pid, number)
    except OSError:
        pass


def end(pid, message):
    """Ends a child with all of its process group, and says how it had ended: -1, where it had not."""
    if pid is None:
        return None
    ended, status = waitpid(pid, os.WNOHANG)
    if message.get("wait") and not ended:
        import time

        # Its descriptors are closed before it has ended for others.
        for _ in range(200):
            time.sleep(0.002)
            ended, status = waitpid(pid, os.WNOHANG)
            if ended:
                break
    if message.get("tree"):
        help_with("end_tree", pid)
    signal(pid, 9, os.killpg)
    if ended:
        return status
    # To wait for its end would keep others from their turn.
    signal(pid, 9)
    dying.append(pid)
    return -1


dying = []


def reap():
    """Lets go of those that have been ended."""
    dying[:] = [pid for pid in dying if waitpid(pid, os.WNOHANG)[0] == 0]


def help_with(name, *arguments):
    """What is needed only when something went wrong is read only then."""
    if isinstance(aid, bytes):
        exec(compile(aid, "<clockwork aid>", "exec"), globals())
    return globals()[name](*arguments)
