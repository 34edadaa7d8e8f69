# Whether a check left its process as it found it, so that the next one may run there, too: what one did must not make another
# pass. Where that cannot be told for sure, each check has a process of its own. This follows `checks.py`.

from _operator import is_

stat, getcwd, listdir = os.stat, os.getcwd, os.listdir
libraries = (os.path.dirname(os.__file__) + os.sep, "<")

# By how much the memory of a process may have grown, in bytes: what one check keeps, another would lack.
GROWS = 8 << 20

# How many values of a user's own are compared after each check.
MOST = 1000

# Names of what changes more than can be compared, or reaches what the user's own names do not.
REACHES = frozenset(
    """__builtins__ __class__ __closure__ __code__ __defaults__ __dict__ __globals__ __kwdefaults__ __setattr__ __subclasses__
    addHandler addaudithook alarm atexit basicConfig builtins cffi chroot closerange ctypes delattr disable dup2 eval exec
    filterwarnings fork forkpty gc getcontext getLogger globals import_module importlib install_opener meta_path mock modules
    monkeypatch nice patch path_hooks path_importer_cache prctl register reload removeHandler seed set_event_loop
    set_event_loop_policy set_start_method setattr setcontext setdefaulttimeout setitimer setLevel setlocale setpgid setpgrp
    setpriority setprofile setrecursionlimit setrlimit setsid settrace signal simplefilter supports_dir_fd
    supports_effective_ids supports_fd supports_follow_symlinks tracemalloc tzset umask unregister vars warnoptions""".split()
)

# What is said when something is started, listened at, or changed for the whole process.
STARTS = frozenset(
    """_thread.start_new_thread ctypes.dlopen os.chdir os.exec os.fork os.forkpty os.posix_spawn os.putenv os.spawn os.system
    os.unsetenv pty.spawn resource.prlimit resource.setrlimit socket.bind subprocess.Popen sys.addaudithook sys.setprofile
    sys.settrace syslog.openlog""".split()
)

# What changes a collection. Where a function knows a module that is not the user's, that may be one in there, which is not
# compared.
CHANGES = frozenset(
    """__delitem__ __setitem__ add append appendleft clear discard extend insert pop popitem popleft remove reverse setdefault
    sort update""".split()
)

# Values that cannot change.
PLAIN = frozenset(
    [type(None), bool, int, float, complex, str, bytes, range, type(...), type(NotImplemented), type(sys)]
    + [type(int.__add__), type(int.real), type(str.join)]
)
PLAIN_NAMES = frozenset(
    """datetime.date datetime.datetime datetime.time datetime.timedelta datetime.timezone decimal.Decimal fractions.Fraction
    ipaddress.IPv4Address ipaddress.IPv4Network ipaddress.IPv6Address ipaddress.IPv6Network pathlib.PosixPath pathlib.PurePosixPath
    pathlib._local.PosixPath pathlib._local.PurePosixPath re.Pattern uuid.UUID __future__._Feature
    collections._tuplegetter _collections._tuplegetter""".split()
)
# What Python keeps in modules and classes for itself.
ITS_OWN = frozenset("__builtins__ __loader__ __spec__ __cached__ _abc_impl __dataclass_fields__ __dataclass_params__".split())


def is_users(module):
    path = getattr(module, "__file__", None)
    return isinstance(path, str) and not path.startswith(libraries) and "-packages" + os.sep not in path


def is_foreign(value):
    """Whether a value is a module, or something in one, that is not the user's. What changes in these two is compared."""
    module = value if type(value) is type(sys) else sys.modules.get(getattr(value, "__module__", None) or "")
    return module not in (None, os, sys) and not is_users(module)


def files():
    """How many descriptors are open."""
    if sys.platform != "linux":
        return len(listdir("/dev/fd"))
    return stat("/proc/self/fd").st_size or len(listdir("/proc/self/fd"))  # since Linux 6.2


class Kept:
    """What the user's own modules hold; `simple` says whether it can be told that it is as it was."""

    def __init__(self):
        self.parts = []
        self.others = []
        self.functions = []
        self.seen = {}
        self.assigns = {opcode.opmap["STORE_ATTR"], opcode.opmap["DELETE_ATTR"]}
        items = ("STORE_SUBSCR", "DELETE_SUBSCR", "STORE_SLICE")
        self.items = {opcode.opmap[name] for name in items if name in opcode.opmap}
        self.own = {name: module for name, module in list(sys.modules.items()) if is_users(module)}
        self.enums = getattr(sys.modules.get("enum"), "EnumMeta", ())
        try:
            self.simple = all(self.module(module) for module in self.own.values())
        except Exception:
            self.simple = False

    def module(self, module):
        entries = vars(module)
        self.parts.append((entries, list(entries), list(entries.values())))
        for value in entries.values():
            if type(value) is type(sys) and not is_users(value):
                self.others.append(vars(value))
        return self.all(value for name, value in entries.items() if name not in ITS_OWN)

    def all(self, values):
        return all(self.one(value) for value in values)

    def one(self, value):
        kind = type(value)
        if kind in PLAIN or id(value) in self.seen:
            return True
        if len(self.seen) > MOST:
            return False
        self.seen[id(value)] = value
        if kind is dict:
            self.parts.append((value, list(value), list(value.values())))
            return self.all(value) and self.all(value.values())
        if kind is list:
            self.parts.append((value, list(value), None))
            return self.all(value)
        if kind is tuple or kind is frozenset:
            return self.all(value)
        if kind is set:
            self.parts.append((value, set(value), None))
            return self.all(value)
        if kind is type(is_users):
            if value.__module__ not in self.own:
                return True
            holds = self.held(value)
            self.functions.append((value, holds))
            return self.code(value.__code__, value.__globals__) and self.all(holds[1:])
        if kind is type(len):
            return self.one(value.__self__)
        if kind is staticmethod or kind is classmethod:
            return self.one(value.__func__)
        if kind is property:
            return self.all([value.fget, value.fset, value.fdel])
        if isinstance(value, type):
            if value.__module__ not in self.own:
                return True
            entries = vars(value)
            self.parts.append((entries, list(entries), list(entries.values())))
            return isinstance(value, self.enums) or self.all(entry for name, entry in entries.items() if name not in ITS_OWN)
        if isinstance(kind, self.enums):
            return True
        if kind.__module__ in self.own and hasattr(value, "__dict__") and kind.__mro__[-2] is kind:
            return "__slots__" not in vars(kind) and self.one(value.__dict__)
        return kind.__module__ + "." + kind.__qualname__ in PLAIN_NAMES or kind.__module__ == "typing"

    def held(self, function):
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
        return [function.__code__, function.__defaults__, function.__kwdefaults__, function.__dict__, *cells]

    def code(self, code, names):
        """Whether a function keeps to what is compared: it assigns to no attributes but its own object's, and changes no
        collection where it may have one of a module that is not the user's."""
        if not REACHES.isdisjoint(code.co_names):
            return False
        steps = set(code.co_code[::2])
        if not self.assigns.isdisjoint(steps) and code.co_varnames[:1] != ("self",):
            return False
        changes = not self.items.isdisjoint(steps) or not CHANGES.isdisjoint(code.co_names)
        if changes and (opcode.opmap["IMPORT_NAME"] in steps or any(map(is_foreign, map(names.get, code.co_names)))):
            return False
        return all(self.code(inner, names) for inner in code.co_consts if type(inner) is type(code))

    def watch(self):
        """From now on, in this process; says whether that can be done."""
        self.started = started = []
        # Who assigns to what is in a module of others.
        self.imported = [(entries, tuple(entries.values())) for entries in self.others]
        self.modules = len(sys.modules)
        self.path = list(sys.path)
        try:
            self.environ = dict(os.environ._data)
            self.around = self.surroundings()
            self.statm = os.open("/proc/self/statm", os.O_RDONLY) if memory else None
            self.data = data_of(os.pread(self.statm, 200, 0)) if memory else 0
            self.open = files()
        except Exception:
            return False

        def hook(event, args):
            if event in STARTS:
                started.append(event)

        sys.addaudithook(hook)
        return True

    def surroundings(self):
        threads = stat("/proc/self/task").st_nlink if sys.platform == "linux" else len(sys._current_frames())
        return threads, getcwd(), sys.stdin, sys.stdout, sys.stderr, sys.argv, sys.stdout.closed, sys.getrecursionlimit()

    def is_as_it_was(self):
        try:
            if self.started or self.surroundings() != self.around:
                return False
            if sys.path != self.path or os.environ._data != self.environ:
                return False
            for entries, keys, values in self.parts:
                if len(entries) != len(keys):
                    return False
                if values is None:
                    if type(entries) is set:
                        if entries != keys:
                            return False
                    elif not all(map(is_, entries, keys)):
                        return False
                elif not (all(map(is_, entries.values(), values)) and all(map(is_, entries, keys))):
                    return False
            for entries, values in self.imported:
                if tuple(entries.values()) != values:
                    return False
            for function, holds in self.functions:
                if not all(map(is_, self.held(function), holds)):
                    return False
            if self.statm is not None and data_of(os.pread(self.statm, 200, 0)) > self.data + GROWS:
                return False
            if len(sys.modules) != self.modules:
                if any(is_users(module) and name not in self.own for name, module in list(sys.modules.items())):
                    return False
                self.modules = len(sys.modules)
            if files() != self.open:
                return False
            try:
                waitpid(-1, os.WNOHANG)
                return False
            except ChildProcessError:
                return True
        except Exception:
            return False
