#!/usr/bin/env bash
# Everything from nothing to a browser in a LiveKit room, and all of it gone again on Ctrl-C.
#
#   deploy/run.sh [--binary PATH] [URL]     one session in the room "demo", on URL or on the built-in demo page
#
#   --binary PATH        run this program and build none; a word that the PATH finds will do
#
# Environment, all optional:
#   LIVEKIT_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET   use this LiveKit server (all three or none)
#   GHOSTCAST_LISTEN     where the dashboard and the API listen (127.0.0.1:8765)
#   GHOSTCAST_BIN        as --binary
#   LIVEKIT_SERVER_BIN   run this LiveKit server and build none
#   GHOSTCAST_*__*       any setting of Ghostcast itself is passed on

# shellcheck disable=SC2317 # functions reached through traps and by name
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() { sed -n '2,/^$/{/^$/d;s/^# \{0,1\}//;p}' "$root/deploy/run.sh"; }
if [ "${1:-}" = --binary ]; then
  [ "$#" -gt 1 ] || die '--binary wants a path (deploy/run.sh --help)'
  GHOSTCAST_BIN="$2"
  shift 2
fi
case "${1:-}" in
  -h | --help)
    usage
    exit
    ;;
  -*) die "unknown option $1 (deploy/run.sh --help)" ;;
esac
[ "$#" -le 1 ] || die 'one URL at most (deploy/run.sh --help)'
url="${1:-}"
room=demo

# Half a set of LiveKit settings is a mistake, and one that would only show much later.
given=() lacking=()
for name in LIVEKIT_URL LIVEKIT_API_KEY LIVEKIT_API_SECRET; do
  if [ -n "${!name:-}" ]; then given+=("$name"); else lacking+=("$name"); fi
done
if [ "${#given[@]}" -gt 0 ] && [ "${#lacking[@]}" -gt 0 ]; then
  die "${given[*]} set, but not ${lacking[*]}: set all three to use that LiveKit server, or none to start one here"
fi

listen="${GHOSTCAST_LISTEN:-127.0.0.1:8765}"
host="${listen%:*}" wanted="${listen##*:}"
[[ "$listen" == *:* && "$wanted" =~ ^[0-9]+$ && "$wanted" -ge 1 && "$wanted" -le 65535 ]] ||
  die "GHOSTCAST_LISTEN=$listen is not an address and a port, such as 127.0.0.1:8765"

# ---- ending all of it -------------------------------------------------------------------------

tmp=''
build_pid='' livekit_pid='' ghostcast_pid=''
hurry=''

# Children get a process group each (set -m), so that Ctrl-C reaches this script alone and the order
# of the ending is ours: first Ghostcast, which leaves its rooms and closes its browsers, then LiveKit.
running() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }

# gone PID SECONDS: wait that long for it to end; a second Ctrl-C cuts the waiting short.
gone() {
  local i
  for ((i = 0; i < $2 * 10; i++)); do
    running "$1" || return 0
    [ -z "$hurry" ] || return 1
    sleep 0.1 || true
  done
  ! running "$1"
}

# end PID SECONDS...: TERM, and again after each number of seconds; then KILL the group.
end() {
  local pid="$1" seconds
  shift
  for seconds in "$@"; do
    running "$pid" || break
    kill -TERM "$pid" 2>/dev/null || true
    if gone "$pid" "$seconds"; then break; fi
  done
  if running "$pid"; then kill -KILL -- "-$pid" 2>/dev/null || true; fi
  wait "$pid" 2>/dev/null || true
}

# Ends whatever still has its TMPDIR in DIR: only what this script (or one before it) started has.
reap_users_of() {
  local environ pid
  # Some of these end while they are being read, and others' are not readable: neither matters.
  # Chromium has a directory of its own, below ours.
  { grep -lzE "^TMPDIR=$1(/|\$)" /proc/[0-9]*/environ 2>/dev/null || true; } | while read -r environ; do
    pid="${environ#/proc/}"
    kill -KILL "${pid%/environ}" 2>/dev/null || true
  done
}

cleanup() {
  local code=$?
  trap - EXIT
  trap 'hurry=yes' INT TERM HUP
  if running "$build_pid"; then
    kill -TERM -- "-$build_pid" 2>/dev/null || true
    end "$build_pid" 5
  fi
  if running "$ghostcast_pid" || running "$livekit_pid"; then say '' && step 'stopping'; fi
  [ -z "$ghostcast_pid" ] || end "$ghostcast_pid" 10
  # LiveKit's first TERM waits for the participants to leave; the second does not.
  [ -z "$livekit_pid" ] || end "$livekit_pid" 2 5
  if [ -n "$tmp" ]; then
    reap_users_of "$tmp"
    # A process that was just killed may still be writing.
    rm -rf "$tmp" 2>/dev/null || { sleep 0.5 && rm -rf "$tmp"; } || warn "could not remove $tmp"
  fi
  exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# Runs a long step so that a signal is answered at once: bash would hold it back until a command in
# the foreground has ended by itself.
long_step() {
  local code=0
  set -m
  "$@" </dev/null &
  build_pid=$!
  set +m
  wait "$build_pid" || code=$?
  build_pid=''
  return "$code"
}

# cd, since rustup picks the toolchain by the directory.
build_ghostcast() { cd "$root" && cargo build --release --locked --bin ghostcast; }

# A process by its id and its start time, since ids are used again.
identity() { echo "$1 $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20)"; }

# A run that was killed (kill -9, a closed laptop) could not tidy up. Its directory says whose it was.
sweep_dead_runs() {
  local dir owner
  for dir in "${TMPDIR:-/tmp}"/ghostcast-run.*; do
    { [ -O "$dir" ] && [ -r "$dir/owner" ]; } || continue
    owner="$(cat "$dir/owner")"
    [ "$owner" != "$(identity "${owner%% *}")" ] || continue
    say "    tidying up after a run that was killed: $dir"
    reap_users_of "$dir"
    rm -rf "$dir" || true
  done
}

# ---- building ---------------------------------------------------------------------------------

need_browser
[ -n "${GHOSTCAST_BIN:-}" ] || need_compilers
install_missing

if [ -n "${GHOSTCAST_BIN:-}" ]; then
  ghostcast="$GHOSTCAST_BIN"
  have "$ghostcast" || die "$ghostcast is not a program that can be run"
  ghostcast="$(type -P "$ghostcast")"
  said="$(env -u GHOSTCAST_BIN -u GHOSTCAST_LISTEN "$ghostcast" --version)" || die "$ghostcast is not a Ghostcast for this machine"
  step "skipped: the build; $ghostcast ($said) is there"
else
  need_rust
  ghostcast="$target_dir/release/ghostcast"
  step 'building ghostcast (the first time takes several minutes)'
  long_step build_ghostcast || die 'the build failed; cargo says why above'
fi

own_livekit=''
if [ "${#given[@]}" -eq 0 ]; then
  obstacle="$(livekit_obstacle)"
  if [ -n "$obstacle" ]; then
    step "no LiveKit: $obstacle. Without it the dashboard plays the same video over WHEP"
  elif long_step build_livekit; then
    own_livekit=yes
  else
    step 'no LiveKit: its server did not build (see above). Without it the dashboard plays the same video over WHEP'
  fi
fi

# ---- LiveKit ----------------------------------------------------------------------------------

sweep_dead_runs
tmp="$(mktemp -d "${TMPDIR:-/tmp}/ghostcast-run.XXXXXX")"
identity "$$" >"$tmp/owner"

# This script's own words: to Ghostcast they would be settings that it does not know, and refuses.
not_settings=(-u GHOSTCAST_BIN -u GHOSTCAST_LISTEN -u LIVEKIT_SERVER_BIN)

# start PROGRAM ARGUMENT...: in the background, in a group of its own, its output in $log. Sets started.
# Temporary files of whatever is started go where the end of this script removes them.
start() {
  set -m
  env "${not_settings[@]}" TMPDIR="$tmp" "$@" </dev/null >"$log" 2>&1 &
  started=$!
  set +m
}

# await PID SECONDS HOST PORT PATH: until it answers; fails when it ends or takes too long.
await() {
  local deadline=$((SECONDS + $2))
  until http_ok "$3" "$4" "$5"; do
    running "$1" && [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.1
  done
}

# Lines are cut: livekit-server writes kilobytes into one.
last_words() {
  say "the last lines of $1:" >&2
  tail -n 10 "$2" | cut -c -300 >&2 || true
}

# Why the first page could not be opened, if it could not; a slow page is not waited for.
page_problem() {
  local i record
  for ((i = 0; i < 30; i++)); do
    record="$(http_body "$1" "$2" "/sessions/$room")" || return 0
    case "$record" in
      *'"is_opening":true'*) sleep 0.1 ;;
      *'"page_error":"'*) sed -n 's/.*"page_error":"\(\([^"\\]\|\\.\)*\)".*/\1/p' <<<"$record" && return ;;
      *) return 0 ;;
    esac
  done
}

if [ -n "$own_livekit" ]; then
  # Signalling, ICE over TCP, media over UDP. Someone else's server on these ports is left alone: it
  # may be another version, with other keys and other rooms.
  port=7880
  until port_free tcp "$port" && port_free tcp $((port + 1)) && port_free udp $((port + 2)); do
    port=$((port + 10))
    [ "$port" -lt 8680 ] || die 'no three free ports in a row for LiveKit between 7880 and 8680'
  done
  [ "$port" -eq 7880 ] || step "LiveKit's ports 7880 to 7882 are in use by another program: taking $port to $((port + 2))"
  # The loopback candidate makes it work with no network at all, and behind any firewall.
  cat >"$tmp/livekit.yaml" <<YAML
port: $port
rtc:
  tcp_port: $((port + 1))
  udp_port: $((port + 2))
  enable_loopback_candidate: true
YAML
  step "starting livekit-server on 127.0.0.1:$port"
  log="$tmp/livekit.log"
  start "$livekit_bin" --dev --bind 127.0.0.1 --config "$tmp/livekit.yaml"
  livekit_pid="$started"
  if ! await "$livekit_pid" 30 127.0.0.1 "$port" /; then
    last_words livekit-server "$log"
    die 'livekit-server did not come up'
  fi
  # The key that --dev has built in. It listens on loopback only.
  export LIVEKIT_URL="ws://127.0.0.1:$port" LIVEKIT_API_KEY=devkey LIVEKIT_API_SECRET=secret
elif [ "${#given[@]}" -eq 0 ]; then
  unset LIVEKIT_URL LIVEKIT_API_KEY LIVEKIT_API_SECRET
fi

# ---- Ghostcast --------------------------------------------------------------------------------

port="$wanted"
until port_free tcp "$port"; do
  port=$((port + 1))
  [ "$port" -le 65535 ] || die "no free port from $wanted on"
done
[ "$port" -eq "$wanted" ] || step "port $wanted is in use by another program: taking $port"
# Where this machine reaches it: "any address" is not one to open.
case "$host" in
  0.0.0.0) near=127.0.0.1 ;;
  '[::]') near='[::1]' ;;
  *) near="$host" ;;
esac

step "starting ghostcast on $host:$port"
log="$tmp/ghostcast.log"
start "$ghostcast" serve --listen "$host:$port" --demo ${url:+"$url"}
ghostcast_pid="$started"
bare="${near#[}"
if ! await "$ghostcast_pid" 60 "${bare%]}" "$port" /health; then
  code=1
  last_words ghostcast "$log"
  if ! running "$ghostcast_pid"; then
    wait "$ghostcast_pid" && code=$? || code=$?
    ghostcast_pid=''
    say "error: ghostcast ended with exit code $code before it answered" >&2
    exit "$((code == 0 ? 1 : code))"
  fi
  die 'ghostcast did not answer at /health within a minute'
fi

problem=''
[ -z "$url" ] || problem="$(page_problem "${bare%]}" "$port")"
say ''
say "Ghostcast is up. One browser is live in the room \"$room\", on ${url:-the built-in demo page}."
[ -z "$problem" ] || warn "the page could not be opened: $problem"
say ''
say "  watch            http://$near:$port/?room=$room"
say "  events           ws://$near:$port/mcp/events/$room"
if [ -n "${LIVEKIT_URL:-}" ]; then
  say ''
  say '  or join with any LiveKit client:'
  say "    server         $LIVEKIT_URL"
  say "    room           $room"
  if token="$(env "${not_settings[@]}" "$ghostcast" token --room "$room" --identity viewer 2>"$tmp/token.log")"; then
    say "    viewer token   $token"
    say '    One such client: https://meet.livekit.io, tab "Custom", with this server and token.'
    if [ -n "$own_livekit" ]; then
      say '    (From this machine only, and let the browser reach it when it asks.)'
      say "    More tokens, for any room:"
      say "      LIVEKIT_URL=$LIVEKIT_URL LIVEKIT_API_KEY=$LIVEKIT_API_KEY LIVEKIT_API_SECRET=$LIVEKIT_API_SECRET \\"
      say "        $ghostcast token --room ROOM"
    fi
  else
    warn "no viewer token: $(tail -n 1 "$tmp/token.log")"
  fi
fi
say ''
say "  logs             $tmp/*.log (gone at the end)"
say ''
say 'Ctrl-C to stop.'

# Ghostcast is what this is about: when it ends, all ends, with its exit code. When LiveKit ends, the
# dashboard goes on over WHEP, and Ghostcast itself says so.
while running "$ghostcast_pid"; do
  if [ -n "$livekit_pid" ]; then
    wait -n "$ghostcast_pid" "$livekit_pid" 2>/dev/null || true
    if running "$ghostcast_pid" && ! running "$livekit_pid"; then
      last_words livekit-server "$tmp/livekit.log"
      warn 'livekit-server ended; the dashboard goes on over WHEP. Start this again to have LiveKit again'
      livekit_pid=''
    fi
  else
    wait "$ghostcast_pid" 2>/dev/null || true
  fi
done
code=0
wait "$ghostcast_pid" 2>/dev/null || code=$?
ghostcast_pid=''
last_words ghostcast "$tmp/ghostcast.log"
say "ghostcast ended by itself with exit code $code" >&2
exit "$code"
