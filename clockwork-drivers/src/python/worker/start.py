# The first words of a worker, given with `-c`: any Python can read them, so that one that is too old can say so.
import os, sys
if sys.version_info < (3, 8):
    os.write(0, ('{"old": "%d.%d.%d"}\n' % sys.version_info[:3]).encode())
    os._exit(0)
if sys.path and sys.path[0] in ("", os.getcwd()):
    del sys.path[0]  # `-c` puts it there: a file of the working directory would stand for a module of Python's own
def read(size):
    data = b""
    while len(data) < size:
        more = os.read(0, size - len(data))
        if not more:
            os._exit(0)
        data += more
    return data
source, aid, memory = (read(int(read(8), 16)) for _ in "abc")
given = {"__name__": "clockwork", "aid": aid, "memory": int(memory), "sys": sys, "os": os}
exec(compile(source, "<clockwork>", "exec"), given)
