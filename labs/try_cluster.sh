#!/usr/bin/env bash
# Tries on a Kubernetes cluster with Kubeflow Pipelines what this course says of it.
# shellcheck disable=SC2317,SC2329  # the functions of the parts are called by the parts' names
set -euo pipefail

COURSE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PARTS=(doctor first titanic failing image storage katib kserve train)
HOST=http://localhost:8080
IMAGE=localhost/fast-kubeflow/step:1.0
NAMESPACE=kubeflow
STORE=mlpipeline/try-cluster # the bucket and the folder for what it copies
LEFT_OUT=3

usage() {
    cat <<TEXT
usage: bash labs/try_cluster.sh [--host URL] [--image IMAGE] [--namespace NAME] [PART...]

Tries the labs on a cluster with Kubeflow Pipelines, and says in one line for each part how it
went. Without a PART, all of them:

  doctor   fastkf doctor --cluster has nothing to mend
  first    lab 01 succeeds
  titanic  lab 02 succeeds, with all ten steps
  failing  a step that divides by zero: the exception and its line are shown
  image    a step without its image: the reason is shown within a minute
  storage  lab 08, with data in the cluster's own object store
  katib    a search with early stopping comes to its end          (image: katib-digits:1.0)
  kserve   a model is served from the store, and answers
  train    a TrainJob with two workers                  (image: fast-kubeflow/mnist-training:1.0)

  --host       the page of Kubeflow Pipelines, without sign-in [$HOST]
  --image      the image of the steps [$IMAGE]
  --namespace  where Kubeflow Pipelines is, and all of this goes [$NAMESPACE]

A part whose service is not in the cluster is left out, and says why. It needs the environment of
the course (source .venv/bin/activate), kubectl and curl. What it makes in the cluster it removes;
it touches nothing that was there before. The exit code is 0 when nothing failed, 1 when a part
did, 2 for wrong use. All of it takes an hour on two cores.
TEXT
}

misuse() {
    echo "try_cluster: $*" >&2
    exit 2
}

# The words of a part. Each runs in a shell of its own, which these end.

fail() {
    echo "$*" >"$WORK/$PART/said"
    exit 1
}

leave_out() {
    echo "$*" >"$WORK/$PART/said"
    exit "$LEFT_OUT"
}

succeed() { echo "$*" >"$WORK/$PART/said"; }

# The last words of what a part has printed.
last_words() { grep -v '^ *$' "$WORK/$PART/log" | tail -1 || true; }

# What fastkf says of the first thing that went wrong.
first_fault() { grep -m 1 -e '^✗ ' -e '^fastkf: ' "$WORK/$PART/log" || last_words; }

in_namespace() { kubectl -n "$NAMESPACE" "$@"; }

need_kind() {
    kubectl get crd "$1" >/dev/null 2>&1 || leave_out "the cluster has no $2 (CRD $1)"
}

# Makes what is in a manifest, and notes it for the end; what is there already is somebody's.
create() {
    local there
    there=$(in_namespace get -f "$1" --ignore-not-found -o name | paste -sd ' ' -)
    [ -z "$there" ] || leave_out "already there, in $NAMESPACE: $there"
    echo "$1" >>"$WORK/$PART/manifests"
    in_namespace apply -f "$1" || fail "the cluster does not take $(basename "$1"): $(last_words)"
}

submit() { fastkf submit "$@" --host "$HOST" --output "$WORK/$PART/run"; }

# Leads a free port of this machine to a service; ADDRESS is then where it is.
forward() {
    local log="$WORK/$PART/forward-$1"
    : >"$log"
    kubectl -n "$NAMESPACE" port-forward "service/$1" ":$2" >>"$log" 2>&1 &
    BACKGROUND+=("$!")
    for _ in {1..40}; do
        ADDRESS=$(sed -n 's/^Forwarding from \(127\.0\.0\.1:[0-9]*\) .*/\1/p' "$log" | head -1)
        [ -z "$ADDRESS" ] || return 0
        sleep 0.5
    done
    fail "no way to the service $1: $(tail -1 "$log")"
}

# One of the keys of the cluster's own store, as base64.
store_key() {
    local key
    key=$(in_namespace get secret mlpipeline-minio-artifact -o "jsonpath={.data.$1}") || key=
    [[ $key =~ ^[A-Za-z0-9+/]+=*$ ]] ||
        leave_out "$NAMESPACE has no Secret mlpipeline-minio-artifact with the keys of a store"
    echo "$key"
}

open_store() {
    KEY=$(store_key accesskey)
    SECRET=$(store_key secretkey)
    forward seaweedfs 8333
    AWS_ENDPOINT_URL_S3=http://$ADDRESS
    AWS_ACCESS_KEY_ID=$(base64 -d <<<"$KEY")
    AWS_SECRET_ACCESS_KEY=$(base64 -d <<<"$SECRET")
    export AWS_ENDPOINT_URL_S3 AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
}

fill_secret() {
    printf '{"data": {"AWS_ACCESS_KEY_ID": "%s", "AWS_SECRET_ACCESS_KEY": "%s"}}' \
        "$KEY" "$SECRET" >"$WORK/$PART/keys.json"
    in_namespace patch secret "$1" --type merge --patch-file "$WORK/$PART/keys.json"
}

# A notebook of two steps, whose second one runs a line of Python: PIPELINE LINE
write_notebook() {
    local cell='{"cell_type": "code", "execution_count": null, "id": "%s", "outputs": [],
        "metadata": {"tags": [%s]}, "source": "%s"}'
    {
        echo '{"nbformat": 4, "nbformat_minor": 5, "cells": ['
        # shellcheck disable=SC2059  # the format is the cell above
        printf "$cell, $cell, $cell" a '"imports"' 'import math' b '"step:load"' \
            'number = math.floor(1.5)' c '"step:ratio", "prev:load"' "$2"
        printf '], "metadata": {"kubeflow_notebook": {"pipeline_name": "%s", ' "$1"
        echo '"pipeline_description": "", "experiment": {"id": "new", "name": "try-cluster"},'
        echo '"experiment_name": "try-cluster", "steps_defaults": [], "volumes": []},'
        echo '"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},'
        echo '"language_info": {"name": "python"}}}'
    } >"$WORK/$PART/try.ipynb"
}

# How many steps of a run there are, and how many of them succeeded.
count_steps() {
    python3 - "$WORK/$PART/run/run.json" <<'PYTHON'
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    states = [step["status"] for step in json.load(file)["pipeline"]["steps"]]
print(len(states), states.count("succeeded"))
PYTHON
}

run_lab() {
    local wanted=$1 steps good
    shift
    submit "$@" --image "$IMAGE" || fail "fastkf submit ended with $?: $(last_words)"
    read -r steps good < <(count_steps)
    [ "$steps $good" = "$wanted $wanted" ] ||
        fail "$steps steps are listed and $good succeeded, of $wanted"
    succeed "$wanted steps, all succeeded"
}

# The parts.

try_doctor() {
    local code=0
    fastkf doctor --cluster --host "$HOST" --image "$IMAGE" || code=$?
    ! grep -m 1 '^✗' "$WORK/$PART/log" >"$WORK/$PART/red" || fail "$(cat "$WORK/$PART/red")"
    [ "$code" = 0 ] || fail "fastkf doctor ended with $code: $(last_words)"
    succeed "nothing to mend"
}

try_first() { run_lab 4 01_first_pipeline; }

try_titanic() { run_lab 10 02_titanic; }

try_failing() {
    local code=0
    write_notebook try-cluster-failing "ratio = number / 0"
    submit "$WORK/$PART/try.ipynb" --image "$IMAGE" || code=$?
    [ "$code" = 1 ] || fail "fastkf submit ended with $code, not with 1"
    grep -q 'ZeroDivisionError' "$WORK/$PART/log" || fail "the exception is not shown: $(first_fault)"
    grep -q 'ratio = number / 0' "$WORK/$PART/log" || fail "the line of the exception is not shown"
    succeed "its exception is shown, with the line"
}

try_image() {
    local absent=localhost/fast-kubeflow/not-there:1.0 run began
    write_notebook try-cluster-image "ratio = number / 2"
    fastkf submit "$WORK/$PART/try.ipynb" --host "$HOST" --image "$absent" \
        --output "$WORK/$PART/run" &
    BACKGROUND+=("$!")
    # The minute begins when the pod of the first step is there: before, nothing is missing.
    for _ in {1..300}; do
        run=$(started_runs)
        [ -z "$run" ] || ! in_namespace get pods -l "pipeline/runid=$run" -o name |
            grep -e '-impl-' || break
        sleep 1
    done
    [ -n "$run" ] || fail "no run was started: $(last_words)"
    began=$SECONDS
    until grep -q 'waits: .*not-there' "$WORK/$PART/log"; do
        [ $((SECONDS - began)) -lt "${IMAGE_SECONDS:-60}" ] || fail "no word of the image within a minute"
        sleep 1
    done
    succeed "the reason was shown after $((SECONDS - began)) s"
}

try_storage() {
    open_store
    fastkf data titanic
    fastkf storage copy "$COURSE/data/titanic/titanic.csv" "s3://$STORE/titanic/" ||
        fail "the store does not take the data: $(last_words)"
    create "$COURSE/labs/object_storage/secret.yaml"
    fill_secret object-store
    run_lab 4 08_object_storage --data-dir "s3://$STORE/titanic" -p "model_dir=s3://$STORE/model"
}

try_katib() {
    local told
    need_kind experiments.kubeflow.org Katib
    [ "$(kubectl get namespace "$NAMESPACE" -o \
        'jsonpath={.metadata.labels.katib\.kubeflow\.org/metrics-collector-injection}')" = enabled ] ||
        leave_out "$NAMESPACE has no label katib.kubeflow.org/metrics-collector-injection=enabled"
    create "$COURSE/labs/katib/experiment.yaml"
    in_namespace wait --for=condition=Succeeded experiment/tune-digits --timeout=40m || {
        told=$(in_namespace get experiment tune-digits -o 'jsonpath={.status.conditions[-1].message}')
        fail "the search has not ended: ${told:-nothing is said of it}"
    }
    told=$(in_namespace get experiment tune-digits -o \
        'jsonpath={.status.trials} trials, {.status.trialsEarlyStopped} of them stopped early')
    succeed "${told/,  of/, none of}"
}

try_kserve() {
    local rows='{"passenger_class": [1], "sex": ["female"], "age": [38], "deck": ["C"],
        "title": ["Mrs"], "family_size": [2], "fare_per_person": [35.6]}' answer
    need_kind inferenceservices.serving.kserve.io KServe
    open_store
    fastkf run 07_kserve --only pipeline -p "models_dir=s3://$STORE" --output "$WORK/$PART/run" ||
        fail "the models cannot be published: $(last_words)"
    sed "s,storageUri: .*,storageUri: s3://$STORE/titanic," \
        "$COURSE/labs/kserve/manifests/titanic.yaml" >"$WORK/$PART/titanic.yaml"
    create "$COURSE/labs/kserve/manifests/s3.yaml"
    fill_secret models-s3
    create "$WORK/$PART/titanic.yaml"
    in_namespace wait --for=condition=Ready inferenceservice/titanic --timeout=10m ||
        fail "the service does not get ready: $(last_words)"
    forward titanic-predictor 80
    answer=$(curl --silent --show-error --max-time 30 -H 'content-type: application/json' \
        --data "{\"instances\": [$rows]}" "http://$ADDRESS/v1/models/titanic:predict") ||
        fail "the service does not answer"
    [[ $answer == *'"predictions"'*[01]* ]] || fail "the service answers: ${answer:0:200}"
    succeed "it answers ${answer:0:60}"
}

try_train() {
    local files="$COURSE/labs/distributed_training"
    need_kind trainjobs.trainer.kubeflow.org "Trainer v2"
    fastkf data mnist_5k
    create "$files/volumes.yaml"
    in_namespace wait --for=condition=Ready pod/mnist-files --timeout=5m ||
        fail "the volumes cannot be had: $(last_words)"
    in_namespace cp "$COURSE/data/mnist_5k/mnist_5k.csv.gz" mnist-files:/data/mnist_5k.csv.gz ||
        fail "the data cannot be copied to the volume"
    create "$files/training-runtime.yaml"
    create "$files/trainjob.yaml"
    in_namespace wait --for=condition=Complete trainjob/mnist-training --timeout=30m ||
        fail "the job is not complete: $(last_words)"
    succeed "two workers are done"
}

# What was made goes again.

started_runs() { sed -n 's/.*started the run \([0-9a-f-]\{36\}\) .*/\1/p' "$WORK/$PART/log"; }

ask() { curl --silent --fail --max-time 30 --output /dev/null "$@" || true; }

# An id in an answer of the API: NAME ANSWER
id_in() { grep -o "\"$1\": *\"[0-9a-f-]*\"" <<<"$2" | head -1 | cut -d '"' -f 4 || true; }

forget_runs() {
    local run answer pipeline version api="$HOST/apis/v2beta1"
    for run in $(started_runs); do
        answer=$(curl --silent --fail --max-time 30 "$api/runs/$run") || answer=
        pipeline=$(id_in pipeline_id "$answer")
        version=$(id_in pipeline_version_id "$answer")
        ask -X POST "$api/runs/$run:terminate"
        ask -X DELETE "$api/runs/$run"
        [ -n "$version" ] || continue
        ask -X DELETE "$api/pipelines/$pipeline/versions/$version"
        ! grep -q 'uploaded .*: a new pipeline' "$WORK/$PART/log" ||
            ask -X DELETE "$api/pipelines/$pipeline"
    done
}

empty_store() {
    [ -n "${AWS_ENDPOINT_URL_S3:-}" ] || return 0
    python3 -c '
import sys, s3fs
store = s3fs.S3FileSystem()
if store.exists(sys.argv[1]):
    store.rm(sys.argv[1], recursive=True)
' "$STORE" || echo "left in the store: s3://$STORE" >&2
}

# The end of a part's own shell, however it came.
end_part() {
    local manifest
    trap - EXIT
    empty_store || true
    [ ${#BACKGROUND[@]} = 0 ] || kill "${BACKGROUND[@]}" 2>/dev/null || true
    if [ -f "$WORK/$PART/manifests" ]; then
        sed '1!G;h;$!d' "$WORK/$PART/manifests" | while read -r manifest; do # the last first
            in_namespace delete -f "$manifest" --ignore-not-found --timeout=3m || true
        done
    fi
    forget_runs || true
}

run_part() {
    PART=$1 BACKGROUND=()
    trap end_part EXIT
    trap 'exit 130' INT TERM
    "try_$PART"
}

try_part() {
    local name=$1 code=0 began=$SECONDS said
    mkdir "$WORK/$name"
    # In the background, so that `set -e` counts in it; with processes of its own (set -m), which
    # end together.
    (run_part "$name") </dev/null >"$WORK/$name/log" 2>&1 &
    RUNNING=$!
    wait "$RUNNING" || code=$?
    RUNNING=
    said=$(cat "$WORK/$name/said" 2>/dev/null || tail -1 "$WORK/$name/log")
    case $code in
        0) printf 'ok        %-8s %s (%s s)\n' "$name" "$said" $((SECONDS - began)) ;;
        "$LEFT_OUT") printf 'left out  %-8s %s\n' "$name" "$said" ;;
        *)
            printf 'failed    %-8s %s; log: %s\n' "$name" "$said" "$WORK/$name/log"
            FAILED=1
            ;;
    esac
}

interrupted() {
    trap '' INT TERM
    if [ -n "$RUNNING" ]; then
        echo "try_cluster: removing what was made" >&2
        kill -TERM -- "-$RUNNING" 2>/dev/null || true
        wait "$RUNNING" || true
    fi
    exit 130
}

main() {
    local wanted=() name
    while [ $# -gt 0 ]; do
        case $1 in
            -h | --help) usage && exit ;;
            --host | --image | --namespace)
                [ $# -gt 1 ] || misuse "$1 wants a value"
                printf -v "$(tr '[:lower:]' '[:upper:]' <<<"${1#--}")" %s "$2"
                shift
                ;;
            -*) misuse "no such option: $1 (--help shows all)" ;;
            *)
                [[ " ${PARTS[*]} " == *" $1 "* ]] || misuse "no such part: $1 (there are ${PARTS[*]})"
                wanted+=("$1")
                ;;
        esac
        shift
    done
    HOST=${HOST%/}
    for name in fastkf kubectl curl python3; do
        type "$name" >/dev/null 2>&1 || misuse "$name is not there (in the course: source .venv/bin/activate)"
    done
    WORK=$(mktemp -d) FAILED=0 RUNNING=
    export PYTHONUNBUFFERED=1
    set -m
    trap interrupted INT TERM
    cd "$COURSE"
    for name in "${wanted[@]:-${PARTS[@]}}"; do
        try_part "$name"
    done
    [ "$FAILED" = 1 ] || rm -rf "$WORK"
    exit "$FAILED"
}

main "$@"
