#!/usr/bin/env bash
# The whole test suite in one command: brings what the tests need on Debian or Ubuntu (only what is missing), runs every
# test and every example in the docs, and ends the servers that it started.
#
#   scripts/test.sh              # everything
#   scripts/test.sh graph::      # arguments go to the test runner; with any, the docs' examples are left out
#
# With CI=true nothing may be left out: a missing container engine or tool is a failure. Without it, what cannot be
# tested here is said loudly and the rest runs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

strict=${CI:-false}
left_out=()

note() { printf '== %s\n' "$*" >&2; }

# Something that tests need is not there.
missing() {
    left_out+=("$1")
    printf '\n!! %s\n\n' "$1" >&2
}

as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

# A package of a server starts it. The tests start their own, and this machine is to get none that it did not have.
install_without_starting() {
    local policy=/usr/sbin/policy-rc.d status=0 ours=false
    if [[ ! -e $policy ]]; then
        ours=true
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null && as_root chmod 755 "$policy"
    fi
    as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" || status=$?
    [[ $ours == false ]] || as_root rm -f "$policy"
    return "$status"
}

# What the tests run as an independent witness or as a server (command=package), and the linker that cargo needs.
witnesses=(
    amqp-consume=amqp-tools
    cc=gcc
    chromium=chromium
    curl=curl
    dig=bind9-dnsutils
    dbus-daemon=dbus-daemon
    haproxy=haproxy
    mosquitto=mosquitto
    nats-server=nats-server
    nginx=nginx-light
    node=nodejs
    npm=npm
    initdb=postgresql
    mariadb=mariadb-client
    mariadbd=mariadb-server
    openssl=openssl
    podman=podman
    ps=procps
    psql=postgresql-client
    python3=python3
    rabbitmqctl=rabbitmq-server
    redis-server=redis-server
    setpriv=util-linux
    sqlite3=sqlite3
    ss=iproute2
    unbound=unbound
    systemctl=systemd
)

bring_packages() {
    local need wanted=() path=$PATH:/usr/sbin:/sbin directory
    # Debian keeps the servers of PostgreSQL, of which there may be several, off the path.
    for directory in /usr/lib/postgresql/*/bin; do
        path+=:$directory
    done
    for need in "${witnesses[@]}"; do
        PATH=$path command -v "${need%%=*}" >/dev/null || wanted+=("${need#*=}")
    done
    command -v cc >/dev/null || wanted+=(libc6-dev)
    [[ ${#wanted[@]} -gt 0 ]] || return 0
    note "installing ${wanted[*]}"
    if ! command -v apt-get >/dev/null; then
        missing "no apt-get here: install ${wanted[*]} by hand; the tests that need them fail without"
    elif ! install_without_starting "${wanted[@]}" </dev/null >/dev/null; then
        missing "could not install ${wanted[*]} (not root?); the tests that need them fail without"
    fi
}

engine_answers() { command -v docker >/dev/null && timeout 20 docker info >/dev/null 2>&1; }

# A container engine and the images that the tests run.
bring_engine() {
    if engine_answers; then
        engine_was_there=true
    fi
    if [[ -f scripts/engine.sh ]] && ! bash scripts/engine.sh </dev/null >&2; then
        missing "scripts/engine.sh failed: everything about containers stays untested"
    elif ! engine_answers; then
        missing "no container engine answers (is this user allowed to use it?): everything about containers stays untested"
    fi
}

# What reads our reports and annotations as CI servers do.
bring_readers() {
    bash scripts/lint-action.sh bring </dev/null >&2 ||
        missing "scripts/lint-action.sh failed: what others read of our reports stays untested"
}

# An engine that was there before is not ours to end; engine.sh ends only what engine.sh started.
# shellcheck disable=SC2317,SC2329 # called by the trap
end_engine() {
    [[ $engine_was_there == false && -f scripts/engine.sh ]] || return 0
    bash scripts/engine.sh stop </dev/null >&2 || note "could not end the container engine"
}

# Runs all of it even when some fails, so that one run tells everything.
run_tests() {
    local status=0
    if cargo nextest --version >/dev/null 2>&1; then
        cargo nextest run --workspace "$@" || status=$?
    else
        note "no cargo-nextest: using cargo test"
        cargo test --workspace --lib --bins --tests --examples --no-fail-fast "$@" || status=$?
    fi
    if [[ $# -gt 0 ]]; then
        note "arguments were given: leaving out the docs' examples"
    else
        cargo test --workspace --doc || status=$?
    fi
    return "$status"
}

command -v cargo >/dev/null || {
    echo "no cargo here: install Rust first (https://rustup.rs)" >&2
    exit 1
}
engine_was_there=false
trap end_engine EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
bring_packages
bring_engine
bring_readers
if [[ $strict == true && ${#left_out[@]} -gt 0 ]]; then
    printf 'CI=true: nothing may be left out\n' >&2
    exit 1
fi

CLOCKWORK_SKIPPED=$(mktemp)
export CLOCKWORK_SKIPPED
status=0
run_tests "$@" || status=$?
for line in "${left_out[@]}"; do
    printf '!! %s\n' "$line" >&2
done
# The runner calls these passed, as they found out themselves that they could not run.
if [[ -s $CLOCKWORK_SKIPPED ]]; then
    printf '!! skipped, not passed: %s tests\n' "$(wc -l <"$CLOCKWORK_SKIPPED")" >&2
    sort "$CLOCKWORK_SKIPPED" | sed 's/^/!!   /' >&2
fi
rm -f "$CLOCKWORK_SKIPPED"
exit "$status"
