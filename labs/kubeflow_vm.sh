#!/usr/bin/env bash
# Puts Kubernetes (with kind) and Kubeflow Pipelines on an Ubuntu machine, and leads the page and
# the object store to ports of the machine. The Vagrantfile runs it as root and hands over the
# versions of labs/versions.yaml. It may be run again at any time, also after a failure: what is
# there already is left as it is.
#
# DESTDIR puts files under another folder, for tests. RETRY_PAUSE: seconds between two tries.
set -euo pipefail

: "${KUBECTL_VERSION:?}" "${KUBECTL_SHA256:?}"
: "${KIND_VERSION:?}" "${KIND_SHA256:?}" "${KIND_NODE_IMAGE:?}"
: "${PIPELINES_VERSION:?}"

CLUSTER=kubeflow
ROOT="${DESTDIR:-}"
TOOLS="$ROOT/usr/local/bin"
SECRETS="$ROOT/etc/kubeflow"
LIMITS="$ROOT/etc/sysctl.d/60-kubeflow.conf"
UNITS="$ROOT/etc/systemd/system"
NEED_DISK_GB=25
NEED_MEMORY_MB=5500

export DEBIAN_FRONTEND=noninteractive
export KUBECONFIG="$SECRETS/kubeconfig"
export PATH="$TOOLS:$PATH"
umask 022

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

say() { echo "kubeflow: $*"; }

fail() {
    echo "kubeflow: $*" >&2
    exit 1
}

retry() {
    local try
    for try in 1 2 3 4; do
        "$@" && return
        say "did not work (try $try): $*"
        sleep "${RETRY_PAUSE:-15}"
    done
    "$@"
}

check_machine() {
    local disk memory
    [ "$(id -u)" = 0 ] || fail "run this as root"
    [ "$(uname -m)" = x86_64 ] ||
        fail "this machine is $(uname -m); the script knows x86_64 only. labs/kubeflow_on_kind.md says what else to do"
    disk=$(df --output=avail --block-size=1G "$ROOT/" | awk 'END { print $1 }')
    [ "$disk" -ge "$NEED_DISK_GB" ] || fail "only $disk GB are free on the disk; $NEED_DISK_GB are needed"
    memory=$(free --mega | awk '/^Mem:/ { print $2 }')
    [ "$memory" -ge "$NEED_MEMORY_MB" ] ||
        fail "the machine has $memory MB of memory; $NEED_MEMORY_MB are needed (FASTKF_VM_MEMORY)"
}

install_packages() {
    if type docker git curl >/dev/null 2>&1; then
        say "Docker, git and curl are there"
    else
        retry apt-get update -qq
        retry apt-get install -y -qq --no-install-recommends ca-certificates curl docker.io docker-buildx git
    fi
    systemctl enable --now docker
}

# Kubeflow Pipelines watches many files; with Ubuntu's own limits some pods crash.
raise_limits() {
    mkdir -p "$(dirname "$LIMITS")"
    cat >"$LIMITS" <<TEXT
fs.inotify.max_user_instances = 2280
fs.inotify.max_user_watches = 1255360
TEXT
    sysctl --quiet --load "$LIMITS"
}

has_hash() { echo "$1  $2" | sha256sum --check --status 2>/dev/null; }

install_tool() {
    local name="$1" hash="$2" address="$3" new="$WORK/$1"
    if has_hash "$hash" "$TOOLS/$name"; then
        say "$name is there"
        return
    fi
    retry curl --fail --silent --show-error --location --output "$new" "$address"
    has_hash "$hash" "$new" ||
        fail "$address has another hash than labs/versions.yaml says: not installed"
    mkdir -p "$TOOLS"
    install -m 0755 "$new" "$TOOLS/$name"
}

install_tools() {
    install_tool kubectl "$KUBECTL_SHA256" \
        "https://dl.k8s.io/release/v$KUBECTL_VERSION/bin/linux/amd64/kubectl"
    install_tool kind "$KIND_SHA256" \
        "https://github.com/kubernetes-sigs/kind/releases/download/v$KIND_VERSION/kind-linux-amd64"
}

create_cluster() {
    mkdir -p "$SECRETS"
    chmod 0700 "$SECRETS"
    if kind get clusters 2>/dev/null | grep -qx "$CLUSTER"; then
        say "the cluster is there"
        docker start "$CLUSTER-control-plane" >/dev/null
        kind export kubeconfig --quiet --name "$CLUSTER"
    else
        kind create cluster --name "$CLUSTER" --image "$KIND_NODE_IMAGE" --wait 5m
    fi
    retry kubectl wait --for=condition=Ready --timeout=120s node --all
}

install_pipelines() {
    local manifests="github.com/kubeflow/pipelines/manifests/kustomize"
    local ref="ref=$PIPELINES_VERSION&timeout=300s"
    retry kubectl apply -k "$manifests/cluster-scoped-resources?$ref"
    retry kubectl wait --for=condition=established --timeout=60s crd/applications.app.k8s.io
    retry kubectl apply -k "$manifests/env/platform-agnostic?$ref"
    say "waiting for Kubeflow Pipelines; its images are downloaded now"
    if ! kubectl wait --for=condition=available --timeout=20m -n kubeflow deployment --all; then
        kubectl get pods -n kubeflow || true
        fail "some pods above are not ready; run this again when the reason is gone"
    fi
}

# Listens on all addresses of the machine: what Vagrant forwards comes in from outside of it.
forward_port() {
    local service="$1" ports="$2" unit="forward-$1.service" new="$WORK/$1"
    cat >"$new" <<TEXT
[Unit]
Description=Leads port ${ports%%:*} to $service in Kubernetes
After=docker.service network-online.target
Wants=network-online.target

[Service]
Environment=KUBECONFIG=$KUBECONFIG
ExecStart=$TOOLS/kubectl port-forward --address 0.0.0.0 -n kubeflow service/$service $ports
Restart=always
RestartSec=5

[Install]
WantedBy=multi-user.target
TEXT
    mkdir -p "$UNITS"
    if ! cmp --silent "$new" "$UNITS/$unit"; then
        install -m 0644 "$new" "$UNITS/$unit"
        systemctl daemon-reload
        systemctl restart "$unit"
    fi
    systemctl enable --now "$unit"
}

# The person who logs in may use Docker and the cluster too.
let_learner_in() {
    local learner="${SUDO_USER:-}" home
    [ -n "$learner" ] && [ "$learner" != root ] || return 0
    home=$(getent passwd "$learner" | cut -d : -f 6)
    [ -n "$home" ] || return 0
    usermod -aG docker "$learner"
    mkdir -p "$ROOT$home/.kube"
    kind export kubeconfig --quiet --name "$CLUSTER" --kubeconfig "$ROOT$home/.kube/config"
    chown "$learner" "$ROOT$home/.kube" "$ROOT$home/.kube/config"
}

check_pipelines() {
    retry curl --fail --silent --show-error --output /dev/null --max-time 10 \
        http://127.0.0.1:8080/apis/v2beta1/healthz ||
        fail "Kubeflow Pipelines is installed, but does not answer at port 8080"
    say "Kubeflow Pipelines $PIPELINES_VERSION is ready"
}

check_machine
install_packages
raise_limits
install_tools
create_cluster
install_pipelines
forward_port ml-pipeline-ui 8080:80
forward_port seaweedfs 8333:8333
let_learner_in
check_pipelines
