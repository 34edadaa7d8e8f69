#!/usr/bin/env bash
# A container engine and the images that the tests need, on a bare Debian or Ubuntu machine, as root.
#
#   scripts/engine.sh         installs what is missing, starts an engine if none answers, builds the images if missing
#   scripts/engine.sh stop    ends the engine that this script started, and no other
#
# Every step is skipped where its result is there already, so that it may be called before each test run. No registry
# is asked: the images are made of files of this machine's own packages.
set -euo pipefail

state=${CLOCKWORK_ENGINE_DIR:-/var/tmp/clockwork-engine}
log=$state/dockerd.log
pid_file=$state/dockerd.pid
busybox_image=clockwork/busybox:test
nginx_image=clockwork/nginx:test

say() { printf 'engine: %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

# The engine that the tests will find: DOCKER_HOST, or the default socket.
answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

install_missing() {
  local missing=()
  command -v dockerd >/dev/null || missing+=(docker.io)
  command -v iptables >/dev/null || missing+=(iptables)
  is_static "$(busybox_path)" || missing+=(busybox-static)
  ((${#missing[@]})) || return 0
  [[ $(id -u) == 0 ]] || die "${missing[*]} must be installed; run this as root"
  say "installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Where busybox-static puts it. The package `busybox` has one there too, which needs libraries that an image lacks.
busybox_path() { command -v busybox || echo /bin/busybox; }
is_static() { [[ -x $1 ]] && ! ldd "$1" >/dev/null 2>&1; }

started_by_us() {
  local pid
  [[ -r $pid_file ]] && pid=$(<"$pid_file") && [[ $(cat "/proc/$pid/comm" 2>/dev/null) == dockerd ]]
}

wait_for_engine() {
  local _
  for _ in $(seq 150); do
    answers && return 0
    started_by_us || return 1
    sleep 0.2
  done
  return 1
}

start_dockerd() {
  rm -f /var/run/docker.pid # of a dockerd that was killed; we know that none answers
  say "starting dockerd $* (log: $log)"
  setsid dockerd "$@" >>"$log" 2>&1 </dev/null &
  echo $! >"$pid_file"
  wait_for_engine
}

start() {
  answers && return 0
  if [[ -n ${DOCKER_HOST:-} ]]; then
    die "DOCKER_HOST is $DOCKER_HOST, and no engine answers there; unset it to have one started here"
  fi
  [[ $(id -u) == 0 ]] || die "no container engine answers; start Docker, join the group docker, or run this as root"
  mkdir -p "$state"
  if started_by_us; then
    wait_for_engine || die "dockerd $(<"$pid_file") runs and does not answer; see $log"
    return 0
  fi
  : >"$log"
  # The default storage driver needs a file system that overlays can lie on, and the default network needs iptables.
  # Where this machine has neither, slower ones do.
  start_dockerd && return 0
  stop
  start_dockerd --storage-driver=vfs && return 0
  stop
  start_dockerd --storage-driver=vfs --iptables=false --ip6tables=false --bridge=none && return 0
  tail -n 20 "$log" >&2
  stop
  die "dockerd did not start; the end of its log is above"
}

stop() {
  started_by_us || {
    rm -f "$pid_file"
    return 0
  }
  local pid _
  pid=$(<"$pid_file")
  kill "$pid"
  for _ in $(seq 100); do
    [[ -d /proc/$pid ]] || break
    sleep 0.1
  done
  rm -f "$pid_file"
}

has_image() { docker image inspect "$1" >/dev/null 2>&1; }

make_busybox_image() {
  has_image "$busybox_image" && return 0
  say "building $busybox_image"
  local root
  root=$(mktemp -d)
  mkdir -p "$root"/{bin,etc,proc,root,sys,tmp,var}
  cp "$(busybox_path)" "$root/bin/busybox"
  local applet
  for applet in $("$root/bin/busybox" --list); do
    [[ $applet == busybox ]] || ln -s busybox "$root/bin/$applet"
  done
  echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
  echo 'root:x:0:' >"$root/etc/group"
  tar -C "$root" -c . | docker import --change 'CMD ["sh"]' --change 'ENV PATH=/bin' - "$busybox_image" >/dev/null
  rm -rf "$root"
}

# nginx, with the libraries that it needs, in their places under the folder $1. Where it is not installed, its packages
# are unpacked beside that folder: this machine is to get no web server that starts by itself.
copy_nginx() {
  local root=$1 unpacked=$1.packages nginx file
  nginx=$(command -v nginx || echo /usr/sbin/nginx)
  if [[ ! -x $nginx ]]; then
    local package wanted
    mkdir -p "$unpacked"
    [[ $(id -u) != 0 ]] || apt-get update -qq
    wanted=$(apt-cache depends nginx nginx-light | sed -n 's/^ *Depends: \(lib[a-z0-9.+-]*\|zlib1g\)$/\1/p')
    # Which of the two has the program in it changed between releases.
    for package in nginx nginx-light $wanted; do
      (cd "$unpacked" && apt-get download -qq "$package" 2>/dev/null) || say "no package $package"
    done
    for package in "$unpacked"/*.deb; do dpkg-deb -x "$package" "$unpacked"; done
    nginx=$unpacked/usr/sbin/nginx
    [[ -x $nginx ]] || die "no nginx in the packages nginx and nginx-light"
  fi
  install -D "$nginx" "$root/usr/sbin/nginx"
  local triplet
  triplet=$(basename "$(dirname "$(ldconfig -p | sed -n 's/.*=> \(.*\/libc\.so\.6\)$/\1/p' | head -n 1)")")
  LD_LIBRARY_PATH=$unpacked/usr/lib/$triplet:$unpacked/lib/$triplet ldd "$nginx" | grep -o '/[^ ]*' |
    while read -r file; do install -D "$file" "$root${file#"$unpacked"}"; done
  rm -rf "$unpacked"
}

make_nginx_image() {
  has_image "$nginx_image" && return 0
  say "building $nginx_image"
  local root
  root=$(mktemp -d)
  mkdir -p "$root"/{bin,dev,etc/nginx,proc,run,sys,tmp,usr/sbin,var/lib/nginx,var/log/nginx,var/www}
  copy_nginx "$root"
  cp "$(busybox_path)" "$root/bin/busybox"
  ln -s busybox "$root/bin/sh"
  ln -s busybox "$root/bin/wget"
  echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
  echo 'root:x:0:' >"$root/etc/group"
  echo '<!doctype html><title>clockwork</title><h1>It works</h1>' >"$root/var/www/index.html"
  cat >"$root/etc/nginx/nginx.conf" <<'CONF'
user root root;
daemon off;
error_log stderr notice;
pid /run/nginx.pid;
events {}
http {
  access_log off;
  default_type text/html;
  server {
    listen 80;
    listen 443; # without TLS: the tests ask whether it is accessible
    root /var/www;
    location = /health { default_type text/plain; return 200 "ok\n"; }
  }
}
CONF
  tar -C "$root" -c . | docker import --change 'CMD ["/usr/sbin/nginx", "-c", "/etc/nginx/nginx.conf"]' \
    --change 'EXPOSE 80' --change 'ENV PATH=/usr/sbin:/bin' - "$nginx_image" >/dev/null
  rm -rf "$root"
}

case ${1:-start} in
  start)
    install_missing
    start
    make_busybox_image
    make_nginx_image
    ;;
  stop) stop ;;
  *) die "usage: scripts/engine.sh [start|stop]" ;;
esac
