# What a check looks at, so that nothing is concluded from what its sandbox does not show it: a file that it does not find
# there may well be here. This follows `checks.py`, and uses what stands there.

looked = {}


def note(kind, what):
    if len(looked) < 500:
        looked[kind, what] = None


def look(kind, what):
    """Notes it where the user's own file asked, if need be by a module of Python's own; packages probe for much."""
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if "site-packages" in name or "dist-packages" in name:
            return
        if not name.startswith(libraries):
            break
        frame = frame.f_back
    if frame is None:
        return
    try:
        what = os.fsdecode(what)
        if kind == "path":
            what = os.path.join(os.getcwd(), what)
    except (TypeError, ValueError, OSError):
        return
    note(kind, text(what))


class Watched:
    """A function of `os` that looks at a path. No function itself, because those become methods where they are members."""

    def __init__(self, function):
        self.function = function
        self.__name__, self.__doc__ = function.__name__, function.__doc__

    def __call__(self, path, *more, **named):
        if not isinstance(path, int):
            look("path", path)
        return self.function(path, *more, **named)


def watch():
    for name in ("stat", "lstat", "access", "readlink"):
        function = getattr(os, name)
        watched = Watched(function)
        for supported in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks, os.supports_effective_ids):
            if function in supported:
                supported.add(watched)
        setattr(os, name, watched)

    def hook(event, args):
        if event == "open" or event == "os.listdir" or event == "os.scandir":
            if not isinstance(args[0], int):
                look("path", "." if args[0] is None else args[0])
        elif event[:7] == "socket.":
            if event == "socket.connect" or event == "socket.sendto":
                address = args[1]
                if isinstance(address, tuple) and address:
                    note("network", text(str(address[0]), 300))
                elif isinstance(address, (str, bytes)) and address[:1] not in ("\0", b"\0"):
                    look("path", address)
            elif event == "socket.getaddrinfo" or event == "socket.gethostbyname":
                if args[0]:
                    host = args[0] if isinstance(args[0], str) else args[0].decode("ascii", "replace")
                    note("network", text(host, 300))
            elif event == "socket.__new__" and args[1] in (_socket.AF_INET, _socket.AF_INET6):
                look("network", "")
        elif event == "subprocess.Popen":
            words = args[1] if isinstance(args[1], (list, tuple)) else [args[1]]
            try:
                note("command", tuple(text(os.fsdecode(word), 1000) for word in words[:50]))
            except TypeError:
                pass

    sys.addaudithook(hook)


def what_was_looked_at():
    return [{"0": kind, "1": what if isinstance(what, str) else list(what)} for kind, what in looked]


# ---- The interpreter's own process: it waits for requests, and forks.

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
if memory:
    watch()
gc.freeze()
serve(channel, load)
os._exit(0)
