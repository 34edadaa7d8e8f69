"""What a check needs only when it fails or returns something unusual: what was raised and where, as plain data."""

LIBRARIES = tuple(
    os.path.realpath(path) + os.sep
    for path in {os.path.dirname(os.__file__)} | {p for p in sys.path if p.endswith(("site-packages", "dist-packages"))}
)


def returned(value):
    """What is no `bool`, no `None` and no plain pair."""
    kind = full_name(type(value))
    if isinstance(value, dict):
        types = {key: full_name(type(entry)) for key, entry in value.items() if key in ("passed", "message", "details")}
        items = [[key if type(key) is str else shown(key), plain(entry)] for key, entry in list(value.items())[:1000]]
        return {"is": "returned", "as": "dict", "items": items, "types": types}
    if isinstance(value, tuple) and len(value) == 2:
        if type(value[0]) is bool and (isinstance(value[1], (str, BaseException)) or value[1] is None):
            return {"is": "returned", "as": "pair", "value": value[0], "message": "" if value[1] is None else text(str(value[1]))}
        return {"is": "returned", "as": "other", "type": "(%s)" % ", ".join(full_name(type(one)) for one in value), "shown": shown(value)}
    return {"is": "returned", "as": "other", "type": kind, "shown": shown(value)}


def full_name(kind):
    module = getattr(kind, "__module__", "builtins")
    return kind.__qualname__ if module in ("builtins", None) else "%s.%s" % (module, kind.__qualname__)


def shown(value, limit=200):
    """Its `repr`, if it has one."""
    try:
        value = repr(value)
    except Exception as error:
        value = "<%s whose repr raises %s>" % (type(value).__name__, type(error).__name__)
    return text(value, limit)


def plain(value, depth=0):
    """As JSON can hold it: what is of no such type is shown instead."""
    if value is None or type(value) is bool:
        return value
    if type(value) is int and abs(value) < 1 << 63:
        return value
    if type(value) is float and value == value and abs(value) != float("inf"):
        return value
    if isinstance(value, str):
        return text(str(value), 100_000)
    if depth < 30 and isinstance(value, dict):
        return {text(key if isinstance(key, str) else shown(key)): plain(one, depth + 1) for key, one in value.items()}
    if depth < 30 and isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one, depth + 1) for one in value]
    return shown(value)


# ---- What was raised


def raised(error, path, function):
    """An exception, with the lines of the user's that it came through."""
    frames = walk(error.__traceback__)
    if isinstance(error, TypeError) and not frames and error.__traceback__.tb_next is None:
        return {"is": "arguments", "message": message_of(error), "signature": signature(function)}
    if isinstance(error, SystemExit):
        return {"is": "exit", "code": shown(error.code), "frames": own_frames(frames, path)}
    told = {
        "is": "raised",
        "type": full_name(type(error)),
        "message": message_of(error),
        "frames": own_frames(frames, path),
        "assertion": isinstance(error, AssertionError),
        "module": error.name if isinstance(error, ImportError) else None,
        "errno": cause_in_system(error)[0],
        "path": cause_in_system(error)[1],
        "cause": cause(error),
    }
    if told["assertion"] and error.__traceback__ is not None:
        told["asserted"] = asserted(error, path)
    return told


def broken(error, path):
    """Why a file could not be imported."""
    if isinstance(error, OSError) and getattr(error, "filename", None) == path and not walk(error.__traceback__):
        return {"is": "unreadable", "errno": error.errno, "message": error.strerror}
    if isinstance(error, (SyntaxError, ValueError)) and not walk(error.__traceback__):
        line = getattr(error, "lineno", None)
        return {
            "is": "syntax",
            "message": text(str(getattr(error, "msg", error))),
            "file": text(str(getattr(error, "filename", None) or path)),
            "line": line,
            "column": getattr(error, "offset", None),
            "source": source_line(path, line),
        }
    told = raised(error, path, None)
    if isinstance(error, SyntaxError) and error.filename:
        told["message"] = text("%s (%s, line %s)" % (error.msg, error.filename, error.lineno))
    return told


def message_of(error):
    try:
        if isinstance(error, KeyError) and len(error.args) == 1:
            return shown(error.args[0])
        return text(str(error))
    except Exception as other:
        return "<its message raises %s>" % type(other).__name__


def cause(error):
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is None or cause is error:
        return None
    return text("%s: %s" % (full_name(type(cause)), message_of(cause)), 500)


def cause_in_system(error):
    """The number of the operating system's error behind it, and the path that it is about."""
    for _ in range(20):
        if isinstance(error, OSError) and error.errno:
            return error.errno, error.filename if isinstance(error.filename, str) else None
        error = error.__cause__ or error.__context__ or getattr(error, "reason", None)
        if not isinstance(error, BaseException):
            break
    return None, None


def walk(step):
    """The frames of a traceback without those of this program, outermost first."""
    frames = []
    while step is not None:
        code = step.tb_frame.f_code
        if not code.co_filename.startswith("<clockwork") and code.co_filename != "<frozen importlib._bootstrap>":
            frames.append((code.co_filename, step.tb_lineno, code.co_name, step.tb_frame))
        step = step.tb_next
    return frames


def is_own(name, path):
    """Whether a file is the user's: theirs, and not of Python or of an installed package."""
    real = os.path.realpath(name)
    if real == os.path.realpath(path):
        return True
    return not name.startswith("<") and not real.startswith(LIBRARIES) and os.sep + "site-packages" + os.sep not in real


def own_frames(frames, path):
    """Those in files of the user's, the innermost 20, outermost first."""
    own = [one for one in frames if is_own(one[0], path)] or frames[-1:]
    return [
        {"file": text(name), "line": line, "function": function, "source": source_line(name, line)}
        for name, line, function, _ in own[-20:]
    ]


def source_line(path, line):
    try:
        with open(path, "rb") as file:
            return text(file.read().splitlines()[line - 1].decode("utf-8", "replace").strip(), 300)
    except Exception:
        return ""


def signature(function):
    try:
        import inspect

        return str(inspect.signature(function))
    except Exception:
        return ""


# ---- What an `assert` compared


def asserted(error, path):
    """The condition of the `assert` that failed, and the two sides that it compared, where they can be had without calling
    anything again."""
    step = error.__traceback__
    last = None
    while step is not None:
        if is_own(step.tb_frame.f_code.co_filename, path):
            last = step
        step = step.tb_next
    if last is None:
        return None
    frame, line = last.tb_frame, last.tb_lineno
    try:
        import _ast

        with open(frame.f_code.co_filename, "rb") as file:
            source = file.read()
        tree = compile(source, frame.f_code.co_filename, "exec", _ast.PyCF_ONLY_AST, dont_inherit=True)
        found = None
        for node in nodes(tree):
            if isinstance(node, _ast.Assert) and node.lineno <= line <= node.end_lineno:
                found = node
        if found is None:
            return None
        test = found.test
        told = {"condition": text(segment(source, test), 300)}
        if isinstance(test, _ast.Compare) and len(test.ops) == 1:
            sides = [test.left, test.comparators[0]]
            texts = [text(segment(source, side), 100) for side in sides]
            values = [shown(value_of(side, frame, _ast)) if is_cheap(side, _ast) else None for side in sides]
            told.update(
                operator=OPERATORS.get(type(test.ops[0]).__name__, "?"),
                left=texts[0],
                right=texts[1],
                left_value=values[0],
                right_value=values[1],
            )
        elif is_cheap(test, _ast):
            told["value"] = shown(value_of(test, frame, _ast))
        return told
    except Exception:
        return None


OPERATORS = {
    "Eq": "==", "NotEq": "!=", "Lt": "<", "LtE": "<=", "Gt": ">", "GtE": ">=", "Is": "is", "IsNot": "is not", "In": "in",
    "NotIn": "not in",
}  # fmt: skip


def nodes(node):
    yield node
    for name in node._fields:
        value = getattr(node, name, None)
        for one in value if isinstance(value, list) else [value]:
            if hasattr(one, "_fields"):
                yield from nodes(one)


def segment(source, node):
    """The text of an expression, on one line."""
    lines = source.splitlines(True)[node.lineno - 1 : node.end_lineno]
    lines[-1] = lines[-1][: node.end_col_offset]
    lines[0] = lines[0][node.col_offset :]
    return " ".join(b"".join(lines).decode("utf-8", "replace").split())


def is_cheap(node, _ast):
    """Whether it names values that are there, or their length: nothing is called twice."""
    kinds = (
        _ast.Constant, _ast.Name, _ast.Attribute, _ast.Subscript, _ast.UnaryOp, _ast.Tuple, _ast.List, _ast.Set,
        _ast.unaryop, _ast.expr_context, getattr(_ast, "Index", _ast.Constant),
    )  # fmt: skip
    if isinstance(node, _ast.Call):
        length = isinstance(node.func, _ast.Name) and node.func.id == "len" and not node.keywords
        return length and len(node.args) == 1 and is_cheap(node.args[0], _ast)
    if not isinstance(node, kinds):
        return False
    fields = (getattr(node, name, None) for name in node._fields)
    parts = (one for field in fields for one in (field if isinstance(field, list) else [field]))
    return all(is_cheap(one, _ast) for one in parts if hasattr(one, "_fields"))


def value_of(node, frame, _ast):
    expression = _ast.Expression(body=node)
    return eval(compile(expression, "<clockwork>", "eval"), frame.f_globals, frame.f_locals)


# ---- Processes


def end_tree(root):
    """Ends all that a process has started, in whatever group, as far as it can be found."""
    ended = set()
    for _ in range(10):
        fresh = members(root) - ended
        if not fresh:
            return
        for pid in fresh:
            signal(pid, 9)
        ended |= fresh


def members(root):
    parents, sessions = {}, {}
    try:
        numbers = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return set()
    for pid in numbers:
        try:
            with open("/proc/%d/stat" % pid, "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            if fields[0] not in (b"Z", b"X"):
                parents[pid], sessions[pid] = int(fields[1]), int(fields[3])
        except (OSError, ValueError, IndexError):
            continue
    found = {pid for pid in parents if pid == root or sessions[pid] == root}
    while True:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        if not more:
            return found - {os.getpid()}
        found |= more


aid = None
