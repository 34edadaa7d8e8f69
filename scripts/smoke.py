#!/usr/bin/env python3
"""Whether a `clockwork` program runs at all on the system that it is for: what is right passes, what is wrong fails, and
what only another system could tell is never a pass.

    scripts/smoke.py PROGRAM...     # words before it may start it: `wine64 clockwork.exe`, `qemu-aarch64-static clockwork`

Its server is one of its own, on a free port of this machine.
"""

import http.server
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading

# The systems that look at sockets, permissions and sandboxes as Linux does. Wine's word for itself is Windows.
LINUX, UNIX = sys.platform == "linux" and "wine" not in sys.argv[1], os.name == "posix" and "wine" not in sys.argv[1]

SERVED = b'{"status": "up"}'


class Service(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        found = self.path == "/health"
        self.send_response(200 if found else 404)
        body = SERVED if found else b""
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def indented(assertions):
    return "".join(f"  - {assertion}\n" for assertion in assertions)


def main(program):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_port
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = free.getsockname()[1]
    directory = pathlib.Path(tempfile.mkdtemp(prefix="clockwork-smoke-"))
    (directory / "settings.toml").write_bytes(b"workers = 4\n")
    says = json.dumps([sys.executable, "-c", "print(42)"] if UNIX else ["cmd", "/c", "echo 42"])

    def run(name, assertions, exit_code, verdicts):
        manifest = directory / f"{name}.yaml"
        manifest.write_text("project: smoke\nassertions:\n" + indented(assertions), encoding="utf-8")
        words = [*program, "assert", "--manifest", manifest.name, "--format", "json"]
        done = subprocess.run(words, cwd=directory, capture_output=True, timeout=300, check=False)
        report = json.loads(done.stdout) if done.stdout.strip() else {"results": []}
        told = [result["verdict"] for result in report["results"]]
        for result in report["results"]:
            print(f"  {result['verdict']:8} {result['assertion']}: {result['message']}")
        if done.returncode != exit_code or told != verdicts:
            print(done.stderr.decode(errors="replace"), file=sys.stderr)
            sys.exit(f"smoke: {name}: exit code {done.returncode} and {told}, not {exit_code} and {verdicts}")
        print(f"smoke: {name}: exit code {done.returncode}, {len(told)} verdicts as meant")
        return report

    right = [
        f"HealthcheckAssert: {{ url: 'http://127.0.0.1:{port}/health' }}",
        f"HttpStatusAssert: {{ url: 'http://localhost:{port}/nowhere', expected_status: 404 }}",
        f"PortAccessibleAssert: {{ host: 127.0.0.1, port: {port} }}",
        "FileExistsAssert: { path: settings.toml }",
        "FileContentMatchesAssert: { path: settings.toml, toml: { workers: 4 } }",
        "DiskUsageAssert: { path: ., max_percent: 100 }",
        "MemoryUsageAssert: { max_percent: 100 }",
        f"CommandAssert: {{ command: {says}, stdout: {{ contains: '42' }} }}",
    ]
    report = run("right", right, 0, ["passed"] * len(right))
    assert report["schema"] == "clockwork.report/v1" and report["verdict"] == "passed", report

    wrong = [
        f"HealthcheckAssert: {{ url: 'http://127.0.0.1:{port}/nowhere' }}",
        f"PortAccessibleAssert: {{ host: 127.0.0.1, port: {closed} }}",
        "PortAccessibleAssert: { host: no-such-name.invalid, port: 80 }",
        "FileExistsAssert: { path: nowhere/settings.toml }",
        "FileContentMatchesAssert: { path: settings.toml, contains: 'workers = 5' }",
        "ProcessRunningAssert: { name: clockwork-smoke-nobody }",
    ]
    run("wrong", wrong, 1, ["failed"] * len(wrong))

    if not LINUX:
        elsewhere = ["NoOpenPortsAssert: { except_ports: [1] }", "CommandAssert: { command: [echo], sandbox: required }"]
        if not UNIX:
            elsewhere.append("FilePermissionsAssert: { path: settings.toml, mode: '0644' }")
        run("elsewhere", elsewhere, 1, ["errored"] * len(elsewhere))

    run("mistaken", ["FileExistAssert: { path: settings.toml }"], 2, [])
    server.shutdown()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main([os.path.abspath(word) if os.path.exists(word) else word for word in sys.argv[1:]])
