#!/usr/bin/env bash
# Starts JupyterLab in a Kubeflow notebook server: puts the labs into the home folder, which is an
# empty volume the first time, and gives Kale's panel the Kubeflow Pipelines of the cluster.
#
# Variables: NB_PREFIX, the path behind Kubeflow's gateway; HOME; NB_PORT [8888];
# PIPELINES_HOST, the address of the Kubeflow Pipelines API.
set -euo pipefail

image=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export FASTKF_COURSE=$HOME/fast-kubeflow
port=${NB_PORT:-8888}

# Copies what is not there. What is there is the learner's, and stays as it is.
copy_labs() {
    local file target
    cd "$image"
    find README.md notebooks labs -name __pycache__ -prune -o -type f -print0 |
        while IFS= read -r -d '' file; do
            target=$FASTKF_COURSE/$file
            if [[ ! -e $target && ! -L $target ]]; then
                mkdir -p "${target%/*}"
                # Whole or not at all, should the volume be full or the server be stopped.
                install -m 664 "$file" "$target.part"
                mv "$target.part" "$target"
            fi
        done
}

# Links what nobody edits: the data, and the lock that `fastkf doctor` reads.
link_data() {
    local name target
    for name in data requirements.txt; do
        target=$FASTKF_COURSE/$name
        [[ -e $target || -L $target ]] || ln -s "$image/$name" "$target"
    done
}

mkdir -p "$FASTKF_COURSE"
copy_labs
link_data
cd "$HOME"

# Not on the volume: Jupyter minds the permissions of these files, which some volumes cannot keep.
export JUPYTER_RUNTIME_DIR=${JUPYTER_RUNTIME_DIR:-/tmp/jupyter_runtime}

options=(--LabApp.default_url=/lab/tree/fast-kubeflow/notebooks)
if [[ ${NB_PREFIX:-/} == /notebook/* ]]; then
    # Kubeflow's gateway has asked who it is, and lets in only those who may use the namespace.
    options+=(--IdentityProvider.token= --ServerApp.ip=0.0.0.0 --ServerApp.allow_remote_access=True
        "--ServerApp.allow_origin=*" --ServerApp.authenticate_prometheus=False)
    # Where the links of Kale's panel lead: the pages of Kubeflow Pipelines, behind the same gateway.
    export KF_PIPELINES_UI_ENDPOINT=${KF_PIPELINES_UI_ENDPOINT:-/_/pipeline}
fi

exec fastkf lab "$HOME" --no-browser --port "$port" \
    --host "${PIPELINES_HOST:-http://ml-pipeline.kubeflow.svc.cluster.local:8888}" \
    -- "${options[@]}"
