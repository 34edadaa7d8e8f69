"""Runs the checks of a user, each in a process of its own.

One interpreter is started for all of them. It forks a process for each file that is asked for, which imports it; and that
one forks a process for each check, which starts with everything imported, and can spoil nothing but itself. What a
process is told, and what it tells, goes over a socket of its own, as one line of JSON for each message; its outputs, and
where it stands when it hangs or crashes, over two pipes of its own.

Nothing is imported here that takes longer than to fork: `json`, `socket` and `signal` together would double the start.
"""

import _socket
import faulthandler
import gc

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
            return int(file.read().split()[5]) * 4096
    except (OSError, ValueError, IndexError):
        return 16 << 20


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
            pid = os.fork()
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
    ended, status = os.waitpid(pid, os.WNOHANG)
    if message.get("wait") and not ended:
        import time

        # Its descriptors are closed before it has ended for others.
        for _ in range(200):
            time.sleep(0.002)
            ended, status = os.waitpid(pid, os.WNOHANG)
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
    dying[:] = [pid for pid in dying if os.waitpid(pid, os.WNOHANG)[0] == 0]


def help_with(name, *arguments):
    """What is needed only when something went wrong is read only then."""
    if isinstance(aid, bytes):
        exec(compile(aid, "<clockwork aid>", "exec"), globals())
    return globals()[name](*arguments)


# ---- A file of the user's


class Namespace(dict):
    """A map whose entries are attributes, too."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            pass
        raise AttributeError("there is no %r here: there are %s" % (name, ", ".join(map(str, self)) or "no fields"))


class Resource(Namespace):
    """What a check is about: its fields by name, as attributes and as entries."""

    def __missing__(self, name):
        if name != "observation":
            raise KeyError(name)
        self[name] = seen = observe()
        return seen


def named(value, kind=Namespace):
    if isinstance(value, dict):
        return kind((key, named(entry)) for key, entry in value.items())
    if isinstance(value, list):
        return [named(entry) for entry in value]
    return value


checks = []


def assertion(function=None, *, resource=None):
    """Marks a function as a check: of this resource, or of any."""
    if resource is not None and not isinstance(resource, str):
        resource = getattr(resource, "name", resource)
    if resource is not None and not isinstance(resource, str):
        raise TypeError("resource is the name of a resource, a string")

    def mark(function):
        if not callable(function) or isinstance(function, type):
            raise TypeError('@assertion marks a function: write @assertion, or @assertion(resource="name")')
        checks.append((function, resource))
        return function

    return mark if function is None else mark(function)


def provide():
    """The module `clockwork`, which user's files import without having it installed."""
    module = type(sys)("clockwork", "What a check can import from Clockwork.")
    module.assertion, module.Resource, module.Verdict, module.Result = assertion, Resource, dict, object
    sys.modules["clockwork"] = module


def descriptors():
    try:
        return set(os.listdir("/proc/self/fd" if sys.platform == "linux" else "/dev/fd"))
    except OSError:
        return None


def load(own, message):
    """Imports a file, says what is in it, and forks a process for each check."""
    channel = Channel(own[0])
    before = descriptors()
    module = None
    limit_memory()
    import opcode  # for all copies

    try:
        module = bring(message["file"], message["place"])
        told = {"checks": [[getattr(f, "__name__", "?"), r] for f, r in own_checks(module)]}
    except BaseException as error:
        told = {"broken": help_with("broken", error, message["file"])}
    flush()
    # What was opened or started would be shared by all copies of this process.
    shares = before is not None and descriptors() == before and alone()
    told["copies"] = shares
    told["token"] = message["token"]
    channel.send(told)
    if module is None:
        os._exit(0)
    gc.freeze()
    serve(channel, lambda own, message: check(own, module))


def bring(path, place):
    """The user's file as a module. It is compiled here, so that no option of the interpreter drops its assertions."""
    import warnings

    with open(path, "rb") as file:
        source = file.read()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        code = compile(source, path, "exec", dont_inherit=True, optimize=0)
    for warning in caught:
        if "assertion is always true" in str(warning.message):
            error = SyntaxError("this assertion is always true: it asserts a tuple; leave out its parentheses")
            error.filename, error.lineno = path, warning.lineno
            raise error
    sys.path.insert(0, os.path.dirname(path))
    sys.argv = [place]
    stem = os.path.basename(path).rpartition(".")[0] or os.path.basename(path)
    name = stem if stem.isidentifier() and stem not in sys.modules else "clockwork_" + stem
    module = type(sys)(name)
    module.__file__ = path
    sys.modules[name] = module
    exec(code, module.__dict__)
    # A coroutine needs it, and here it is imported once for all.
    if any(getattr(getattr(f, "__code__", None), "co_flags", 0) & 0x80 for f in vars(module).values()):
        import asyncio
    return module


def own_checks(module):
    return [(function, resource) for function, resource in checks if function.__module__ == module.__name__]


def alone():
    """Whether this process has no threads and no children."""
    try:
        os.waitpid(-1, os.WNOHANG)
        return False
    except ChildProcessError:
        pass
    if sys.platform == "linux":
        return len(os.listdir("/proc/self/task")) == 1
    return len(sys._current_frames()) == 1


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass


# ---- A check


def observe():
    raise RuntimeError("there is no check under way")


def check(own, module):
    """Runs one function, and tells what it returned or raised."""
    global observe
    channel = Channel(own[0])
    request = channel.receive()
    if request is None:
        return
    token = request.pop("token")
    channel.send({"token": token})
    process = os.getpid()

    def observe():
        channel.send({"token": token, "ask": "observation"})
        answer = channel.receive() or {"error": "nobody answers"}
        if "error" in answer:
            raise RuntimeError("cannot observe %s: %s" % (request["resource"]["name"], answer["error"]))
        return named(answer["observation"])

    told = run(request, module)
    if os.getpid() != process:
        os._exit(0)  # a fork of the user's that came back
    flush()
    text = encode(told)
    if len(text) > 1 << 18:
        text = encode({"is": "large", "size": len(text)})
    try:
        channel.socket.sendall(('{"token": %s, "told": %s}\n' % (encode(token), text)).encode())
    except OSError:
        import time

        time.sleep(60)  # it closed what it should not, and is ended for that: no code of its own is to be told
    os._exit(0)


def run(request, module):
    if request["check"] is not None:
        function = own_checks(module)[request["check"]][0]
    else:
        name = request["function"]
        if name not in vars(module):
            functions = [key for key, value in vars(module).items() if callable(value) and key[:1] != "_"]
            return {"is": "missing", "names": functions[:1000]}
        function = vars(module)[name]
        if not callable(function):
            return {"is": "not_callable", "type": type(function).__name__}
    resource = request["resource"]
    arguments = () if resource is None or takes_none(function) else (named(resource, Resource),)
    try:
        returned = function(*arguments, **named(request["args"], dict))
        if type(returned).__name__ == "coroutine":
            import asyncio

            returned = asyncio.run(returned)
        return plain_return(function, returned)
    except BaseException as error:
        return help_with("raised", error, module.__file__, function)


def can_fail(function):
    """Whether anything in it could have failed: an assertion, something raised, something called."""
    code = getattr(function, "__code__", None)
    if code is None:
        return True
    from opcode import opname

    wanted = ("RAISE_VARARGS", "FOR_ITER", "IMPORT_NAME", "SETUP_WITH", "BEFORE_WITH", "LOAD_SPECIAL", "GET_AWAITABLE")
    for number in set(code.co_code[::2]):
        name = opname[number]
        if name in wanted or (name.startswith("CALL") and not name.startswith("CALL_INTRINSIC")):
            return True
    return False


def text(value, limit=4000):
    """As JSON can hold it, and not too long."""
    value = value[: limit + 1].encode("utf-8", "backslashreplace").decode()
    return value if len(value) <= limit else value[:limit] + "…"


def takes_none(function):
    code = getattr(function, "__code__", None)
    return code is not None and code.co_argcount == 0 and not code.co_flags & 0x04


def plain_return(function, returned):
    if returned is True or returned is False:
        return {"is": "returned", "as": "bool", "value": returned}
    if returned is None:
        return {"is": "returned", "as": "none", "can_fail": can_fail(function)}
    if type(returned) is tuple and len(returned) == 2 and type(returned[0]) is bool and type(returned[1]) is str:
        return {"is": "returned", "as": "pair", "value": returned[0], "message": text(returned[1])}
    return help_with("returned", returned)


control = os.dup(0)
nothing = os.open(os.devnull, os.O_RDWR)
os.dup2(nothing, 0)
os.close(nothing)
for stream in (sys.stdout, sys.stderr):
    stream.reconfigure(line_buffering=True, errors="backslashreplace")
sys.dont_write_bytecode = True
channel = Channel(control)
channel.send({"python": "%d.%d.%d" % sys.version_info[:3], "executable": sys.executable or "python"})
provide()
gc.freeze()
serve(channel, load)
os._exit(0)
