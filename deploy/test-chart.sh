#!/usr/bin/env bash
# Renders the Helm chart as it is and with what can be turned on, and holds each to Kubernetes' own schemas.
#
#   deploy/test-chart.sh
#
# helm and kubeconform are built by Go once and kept in .run/tools (some minutes on a small machine, which is
# why this is not among what deploy/test.sh runs by itself); the schemas come with a Python package.

set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

helm=v3.19.0
kubeconform=v0.8.0
schemas=1.37.0
kubernetes=v1.37.0

have go || die 'Go is missing (https://go.dev/dl): it builds helm and kubeconform'
have python3 || need python3 'reads the schemas'
python3 -c 'import ensurepip, venv' 2>/dev/null || need python3-venv 'a place of its own for them'
install_missing

bin="$kept_dir/tools/bin"
# tool NAME PACKAGE VERSION
tool() {
  [ "$(cat "$bin/$1.version" 2>/dev/null)" = "$3" ] && return
  step "building $1 $3 (once)"
  GOBIN="$bin" go install "$2@$3"
  echo "$3" >"$bin/$1.version"
}
mkdir -p "$bin"
tool kubeconform github.com/yannh/kubeconform/cmd/kubeconform "$kubeconform"
tool helm helm.sh/helm/v3/cmd/helm "$helm"

folder="$target_dir/test-env/kubernetes-schemas"
if [ ! -e "$folder/$schemas" ]; then
  step "the schemas of Kubernetes $kubernetes"
  rm -rf "$folder"
  mkdir -p "$folder"
  python3 -m venv "$folder/venv"
  "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check "kubernetes-validate==$schemas"
  # Theirs point at each other by an address; here, by the name of the file.
  "$folder/venv/bin/python" - "$folder" "$kubernetes" <<'PYTHON'
import json, pathlib, sys
import kubernetes_validate

folder, version = pathlib.Path(sys.argv[1]), sys.argv[2]
source = pathlib.Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"{version}-local-strict"
for path in source.glob("*.json"):
    schema = json.loads(path.read_text().replace('"/api/_definitions.json#', '"_definitions.json#'))
    schema.pop("$id", None)
    (folder / path.name).write_text(json.dumps(schema))
PYTHON
  touch "$folder/$schemas"
fi

chart=deploy/helm/ghostcast
"$bin/helm" lint --quiet --strict "$chart"
# conforms NAME ARGUMENT...: what helm renders is what Kubernetes takes.
conforms() {
  step "$1"
  shift
  "$bin/helm" template test "$chart" --namespace test "$@" |
    "$bin/kubeconform" -strict -summary -schema-location "$folder/{{ .ResourceKind }}{{ .KindSuffix }}.json"
}
conforms 'as it is'
conforms 'with a room, WHEP, and no volume' --set livekit.url=wss://livekit.example.com --set whep.hostPorts=true \
  --set persistence.enabled=false
conforms 'with names of its own' --set persistence.existingClaim=mine --set seccomp.type=RuntimeDefault \
  --set-json 'env=[{"name":"GHOSTCAST_LOG","value":"debug"}]' --set-json 'nodeSelector={"kubernetes.io/arch":"amd64"}'

step 'what is wrong is found'
if "$bin/helm" template test "$chart" | sed 's/runAsNonRoot:/runAsNoRoot:/' |
  "$bin/kubeconform" -strict -schema-location "$folder/{{ .ResourceKind }}{{ .KindSuffix }}.json" >/dev/null; then
  die 'kubeconform takes a key that does not exist'
fi
! "$bin/helm" template test "$chart" --set secret.name= >/dev/null 2>&1 || die 'a release without a token is rendered'

step 'the settings in it are settings'
settings="$(mktemp)"
trap 'rm -f "$settings"' EXIT
"$bin/helm" template test "$chart" --show-only templates/configmap.yaml | sed -n '/ghostcast.toml: |/,$s/^    //p' >"$settings"
grep -q block_private_networks "$settings"
if [ -n "${GHOSTCAST_BIN:-}" ]; then
  env -u GHOSTCAST_BIN LIVEKIT_URL=ws://127.0.0.1:1 LIVEKIT_API_KEY=key LIVEKIT_API_SECRET=a-secret-of-thirty-two-characters \
    "$GHOSTCAST_BIN" token --room test --config "$settings" >/dev/null || die 'the service does not take them'
else
  say 'skipped: GHOSTCAST_BIN is not set, so no program reads them'
fi
say 'the chart is what Kubernetes takes'
