#!/usr/bin/env python3
"""What the released command is made of, as a CycloneDX 1.5 bill of materials on standard output.

It is what cargo resolves for the command alone, without what only tests and builds need; with checksums from Cargo.lock.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
COMMAND = "clockwork-action"


def main() -> None:
    metadata = json.loads(
        subprocess.run(
            ["cargo", "metadata", "--format-version=1", "--locked", "--filter-platform=x86_64-unknown-linux-musl"],
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
        ).stdout
    )
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    with open(ROOT / "Cargo.lock", "rb") as lock:
        sums = {(it["name"], it["version"]): it.get("checksum") for it in tomllib.load(lock)["package"]}

    root = next(id for id, package in packages.items() if package["name"] == COMMAND)
    needs: dict[str, list[str]] = {}
    waiting = [root]
    while waiting:
        id = waiting.pop()
        if id in needs:
            continue
        # A dependency of kind null is one of the program itself.
        needs[id] = sorted(
            it["pkg"] for it in nodes[id]["deps"] if any(kind["kind"] is None for kind in it["dep_kinds"])
        )
        waiting.extend(needs[id])

    def component(id: str, kind: str) -> dict:
        package = packages[id]
        name, version = package["name"], package["version"]
        it = {
            "type": kind,
            "bom-ref": purl(id),
            "name": name,
            "version": version,
            "purl": purl(id),
        }
        if package["license"]:
            it["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
        if sums.get((name, version)):
            it["hashes"] = [{"alg": "SHA-256", "content": sums[name, version]}]
        return it

    def purl(id: str) -> str:
        package = packages[id]
        return f"pkg:cargo/{quote(package['name'])}@{quote(package['version'])}"

    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": component(root, "application")},
        "components": [component(id, "library") for id in sorted(needs) if id != root],
        "dependencies": [
            {"ref": purl(id), "dependsOn": sorted(purl(other) for other in needs[id])} for id in sorted(needs)
        ],
    }
    json.dump(bill, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
