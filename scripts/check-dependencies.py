#!/usr/bin/env python3
"""Holds the dependency graph to deny.toml, and clockwork-core to the number of crates that an embedder must compile.

Reads `cargo metadata`, so it builds nothing. Exit codes: 0 all holds, 1 something does not, 2 it could not look.
"""

import json
import pathlib
import re
import subprocess
import sys

try:
    import tomllib
except ModuleNotFoundError:
    sys.exit("check-dependencies: needs Python 3.11 or newer (tomllib)")

ROOT = pathlib.Path(__file__).resolve().parent.parent
# What `cargo add clockwork-core` may cost, itself included.
CORE_CRATES_BELOW = 70


def metadata(*arguments):
    command = ["cargo", "metadata", "--format-version=1", "--locked", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        print("check-dependencies: `cargo metadata` failed", file=sys.stderr)
        sys.exit(2)
    return json.loads(done.stdout)


def host():
    version = subprocess.run(["rustc", "-vV"], stdout=subprocess.PIPE, check=True, text=True).stdout
    return re.search(r"^host: (.*)$", version, re.MULTILINE).group(1)


def licence_allowed(expression, allowed):
    """Whether an SPDX expression can be met with these licences. AND binds closer than OR; `/` is an old OR."""
    tokens = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))
    position = 0

    def peek():
        return tokens[position] if position < len(tokens) else None

    def take():
        nonlocal position
        position += 1
        return tokens[position - 1]

    def either():
        met = both()
        while peek() == "OR":
            take()
            met = both() or met
        return met

    def both():
        met = one()
        while peek() == "AND":
            take()
            met = one() and met
        return met

    def one():
        if peek() == "(":
            take()
            met = either()
            if peek() != ")":
                raise ValueError(expression)
            take()
            return met
        if peek() in (None, ")", "AND", "OR", "WITH"):
            raise ValueError(expression)
        name = take()
        if peek() == "WITH":
            take()
            name = f"{name} WITH {take()}"
        return name in allowed

    met = either()
    if position != len(tokens):
        raise ValueError(expression)
    return met


def problems_of_packages(packages, policy):
    allowed = set(policy["licenses"]["allow"])
    registries = {f"registry+{address}" for address in policy["sources"]["allow-registry"]}
    for package in packages:
        name = f"{package['name']} {package['version']}"
        if package["source"] is not None and package["source"] not in registries:
            yield f"{name} comes from {package['source']}, which [sources] of deny.toml does not allow"
        try:
            if not licence_allowed(package["license"] or "", allowed):
                yield f"{name} is under `{package['license']}`, which [licenses] of deny.toml does not allow"
        except (ValueError, IndexError):
            yield f"{name} has no licence that can be read as an SPDX expression: {package['license']!r}"


def problems_of_bans(packages, policy):
    versions = {}
    for package in packages:
        versions.setdefault(package["name"], []).append(package["version"])
    for ban in policy["bans"]["deny"]:
        found = versions.get(ban["crate"], [])
        if ban.get("deny-multiple-versions"):
            if len(found) > 1:
                yield f"{ban['crate']} is there {len(found)} times: {', '.join(sorted(found))}"
        elif found:
            yield f"{ban['crate']} is banned by deny.toml; see `cargo tree -i {ban['crate']}`"


def closure(graph, root):
    """The packages that building `root` compiles: its normal and build dependencies, and theirs."""
    nodes = {node["id"]: node for node in graph["resolve"]["nodes"]}
    seen, todo = set(), [root]
    while todo:
        package = todo.pop()
        if package in seen:
            continue
        seen.add(package)
        for dependency in nodes[package]["deps"]:
            if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"]):
                todo.append(dependency["pkg"])
    return seen


def main():
    policy = tomllib.loads((ROOT / "deny.toml").read_text(encoding="utf-8"))
    graph = metadata("--all-features", "--filter-platform", host())
    packages = graph["packages"]
    problems = [*problems_of_packages(packages, policy), *problems_of_bans(packages, policy)]

    core = next(package["id"] for package in packages if package["name"] == "clockwork-core")
    size = len(closure(graph, core))
    if size >= CORE_CRATES_BELOW:
        problems.append(f"clockwork-core compiles {size} crates; it must stay below {CORE_CRATES_BELOW}")

    for problem in problems:
        print(f"check-dependencies: {problem}", file=sys.stderr)
    if problems:
        return 1
    print(f"{len(packages)} crates, licences and bans as in deny.toml; clockwork-core compiles {size}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
