# A file of the user's is imported in a process of its own, and its checks run in such that are forked from there: one after
# another in the same, as long as each leaves it as it was. This follows `processes.py`, and uses what stands there.


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
    module.assertion, module.Namespace, module.Resource = assertion, Namespace, Resource
    module.Verdict, module.Result = dict, object  # for type hints alone
    sys.modules["clockwork"] = module


def descriptors():
    try:
        return set(os.listdir("/proc/self/fd" if sys.platform == "linux" else "/dev/fd"))
    except OSError:
        return None


def load(own, message):
    """Imports a file, says what is in it, and forks processes for its checks."""
    channel = Channel(own[0])
    before = descriptors()
    module = None
    limit_memory()

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
    kept = Kept() if shares and module is not None else None
    told["again"] = kept is not None and kept.simple
    channel.send(told)
    if module is None:
        os._exit(0)
    gc.freeze()
    serve(channel, lambda own, message: run_checks(own, module, kept if told["again"] else None))


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
        waitpid(-1, os.WNOHANG)
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


def run_checks(own, module, kept):
    """Runs one check, and others that come, as long as `kept` says that the process is as it was."""
    channel = Channel(own[0])
    request = channel.receive()
    if request is None:
        return
    channel.send({"token": request["token"]})
    if kept is not None and not kept.watch():
        kept = None
    while request is not None and check(channel, request, module, kept):
        looked.clear()
        request = channel.receive()
    os._exit(0)


def check(channel, request, module, kept):
    """Runs one function, and tells what it returned or raised; says whether another may follow."""
    global observe
    token = request.pop("token")
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
    message = encode(told)
    if len(message) > 1 << 18:
        message = encode({"is": "large", "size": len(message)})
    again = kept is not None and kept.is_as_it_was()
    answer = (encode(token), encode(what_was_looked_at()), "true" if again else "false", message)
    try:
        channel.socket.sendall(('{"token": %s, "looked": %s, "again": %s, "told": %s}\n' % answer).encode())
    except OSError:
        import time

        time.sleep(60)  # it closed what it should not, and is ended for that: no code of its own is to be told
    return again


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
    args = named(request["args"], dict)
    try:
        returned = function(*first_argument(function, request["resource"], args), **args)
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
    wanted = ("RAISE_VARARGS", "FOR_ITER", "IMPORT_NAME", "SETUP_WITH", "BEFORE_WITH", "LOAD_SPECIAL", "GET_AWAITABLE")
    for number in set(code.co_code[::2]):
        name = opcode.opname[number]
        if name in wanted or (name.startswith("CALL") and not name.startswith("CALL_INTRINSIC")):
            return True
    return False


def text(value, limit=4000):
    """As JSON can hold it, and not too long."""
    value = value[: limit + 1].encode("utf-8", "backslashreplace").decode()
    return value if len(value) <= limit else value[:limit] + "…"


def first_argument(function, resource, args):
    """The resource, where the function takes one: as its first parameter, unless `args` has that."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code = getattr(function, "__code__", None)
    if code is None:
        return () if resource is None else (named(resource, Resource),)
    if code.co_argcount == 0:
        return (named(resource, Resource),) if resource is not None and code.co_flags & 0x04 else ()
    if code.co_varnames[0] in args:
        return ()
    if resource is not None:
        return (named(resource, Resource),)
    # At the top level there is none.
    return (None,) if code.co_argcount > len(function.__defaults__ or ()) else ()


def plain_return(function, returned):
    if returned is True or returned is False:
        return {"is": "returned", "as": "bool", "value": returned}
    if returned is None:
        return {"is": "returned", "as": "none", "can_fail": can_fail(function)}
    if type(returned) is tuple and len(returned) == 2 and type(returned[0]) is bool and type(returned[1]) is str:
        return {"is": "returned", "as": "pair", "value": returned[0], "message": text(returned[1])}
    return help_with("returned", returned)
