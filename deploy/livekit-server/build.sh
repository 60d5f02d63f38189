#!/usr/bin/env bash
# Builds the pinned LiveKit server with the plain Go toolchain.
#
#   build.sh DIR            DIR/livekit-server; does nothing when it is there in this version
#   build.sh --current DIR  exit 0 if it is there in this version
#   build.sh --version      print the pinned version
set -euo pipefail

# README.md beside this file says why it is this one. deploy/compose.yaml names the same version.
version=v1.13.5

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

current() {
  [ -x "$1/livekit-server" ] && "$1/livekit-server" --version 2>/dev/null | grep -qwF "${version#v}"
}

case "${1:-}" in
  --version)
    echo "$version"
    exit
    ;;
  --current)
    current "${2:?usage: build.sh --current DIR}"
    exit
    ;;
  '' | -*) die 'usage: build.sh DIR | --current DIR | --version' ;;
esac

dir="$1"
current "$dir" && exit
command -v go >/dev/null || die 'Go is missing: https://go.dev/dl'

mkdir -p "$dir"
dir="$(cd "$dir" && pwd)"
# Built beside its place and renamed into it: an interrupted build leaves no half a server.
work="$(mktemp -d "$dir/build.XXXXXX")"
trap 'rm -rf "$work"' EXIT
# A signal must take the compiler along: the build runs in a process group of its own (set -m), so
# that the one signal to this script is answered at once and ends the whole of it.
go_pid=''
stop() {
  trap - INT TERM HUP
  [ -n "$go_pid" ] && kill -TERM -- "-$go_pid" 2>/dev/null && wait "$go_pid" 2>/dev/null
  exit "$1"
}
trap 'stop 130' INT
trap 'stop 143' TERM
trap 'stop 129' HUP

printf '==> building livekit-server %s with %s (once; about two minutes on two cores)\n' "$version" "$(go env GOVERSION)"
# Go names each package as it is compiled (-v): some hundreds of lines, so every 50th is shown, and
# everything that is not the name of a package (a download, an error).
progress() {
  awk -v start="$(date +%s)" '
    /^[a-zA-Z0-9_.\/~-]+$/ { if (++n % 50 == 0) { "date +%s" | getline now; close("date +%s"); printf "      %d packages, %d s\n", n, now - start; fflush() } next }
    /^go: downloading/     { if (++d % 50 == 0) { printf "      %d modules fetched\n", d; fflush() } next }
                           { print "      " $0; fflush() }'
}
set -m
{ GOBIN="$work" go install -v "github.com/livekit/livekit-server/cmd/server@$version" 2>&1 | progress; } &
go_pid=$!
set +m
if ! wait "$go_pid"; then
  die "livekit-server $version did not build; Go's own message is above. It needs Go 1.26, or Go 1.21 and newer with leave to fetch it (GOTOOLCHAIN=auto)"
fi
go_pid=''
mv "$work/server" "$dir/livekit-server"
