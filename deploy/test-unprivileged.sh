#!/usr/bin/env bash
# The live tests as a user without rights, with Chromium's own sandbox on: how the service is meant to run.
#
#   deploy/test-unprivileged.sh [ARG...]     arguments go to pytest (-k NAME, -x, a file of tests/live)
#
# Who is not root runs `deploy/test.sh live` as it is. Root runs it here as `nobody`, in a copy of the checkout
# that is nobody's, with the program that `deploy/test.sh` has built (or GHOSTCAST_BIN). Left out, and named at
# the end: what is marked `root`, since it makes networks, and what is marked `long`.

# shellcheck disable=SC2317 # functions reached through traps
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

[ "$(id -u)" -eq 0 ] || die 'you are a user without rights already: deploy/test.sh live -m "not root and not long"'
have setpriv || need util-linux 'gives the rights of root away'
install_missing
program="$(realpath "${GHOSTCAST_BIN:-$target_dir/debug/ghostcast}")"
[ -x "$program" ] || die "there is no $program: cargo build --locked --bin ghostcast"
build_livekit
# Nobody can read a Python of root's home.
python=/usr/bin/python3
"$python" -c 'import ensurepip, venv' || die "$python has no venv: apt-get install python3-venv"

# A short path: sockets lie in it, whose paths are bounded.
place="$(mktemp -d /tmp/gcu.XXXXXX)"
cleanup() {
  local code=$?
  trap - EXIT
  rm -rf "$place"
  exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

mkdir "$place/checkout" "$place/home" "$place/t"
git ls-files -z | tar --null --create --files-from - | tar --extract --directory "$place/checkout"
cp "$program" "$place/ghostcast"
cp "$livekit_bin" "$place/livekit-server"
# What npm has brought before; a Python environment is of the Python that made it.
mkdir -p "$place/checkout/target/test-env"
for fetched in npm mcp; do
  [ ! -d "$target_dir/test-env/$fetched" ] || cp -r "$target_dir/test-env/$fetched" "$place/checkout/target/test-env/"
done
chown -R nobody:nogroup "$place"

cd "$place/checkout"
# as_nobody ARG...: the live tests of these arguments.
as_nobody() {
  setpriv --reuid nobody --regid nogroup --clear-groups \
    env -u CARGO_TARGET_DIR HOME="$place/home" TMPDIR="$place/t" PATH=/usr/local/bin:/usr/bin:/bin \
    GHOSTCAST_BIN="$place/ghostcast" LIVEKIT_SERVER_BIN="$place/livekit-server" \
    deploy/test.sh live "$@"
}
if [ "$#" -gt 0 ]; then
  as_nobody -m 'not root and not long' "$@"
else
  step 'as nobody: the live tests side by side'
  as_nobody -m 'not alone and not root and not long' --numprocesses 3 --dist loadfile
  step 'as nobody: those that measure time, one after the other'
  as_nobody -m 'alone and not root and not long'
fi
step 'left out: what needs root'
grep -l 'pytest.mark.root' tests/live/test_*.py
