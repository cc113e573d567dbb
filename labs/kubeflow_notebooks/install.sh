#!/bin/sh
# Used by the Dockerfile, in /opt/fast-kubeflow: installs into the Python that comes first in PATH.
set -eu

pip_install() {
    python3 -m pip install --no-cache-dir --disable-pip-version-check --no-build-isolation "$@"
}

# First what builds the packages that come as source; everything is checked by hash.
install_list() {
    awk '/^[^ #]/ { wanted = /^setuptools==/ } wanted' "$1" >/tmp/builder.txt
    pip_install --require-hashes -r /tmp/builder.txt
    pip_install --require-hashes -r "$@"
    rm /tmp/builder.txt
}

folder_of() {
    python3 -c 'import sys, sysconfig; print(sysconfig.get_path(sys.argv[1]))' "$1"
}

# TensorFlow without the headers for C++, and without the symbols that only debuggers read.
slim_tensorflow() {
    tensorflow=$(folder_of purelib)/tensorflow
    rm -rf "$tensorflow/include"
    [ -d "$tensorflow" ] || return 0
    if ! command -v strip; then
        { apt-get update -qq && apt-get install -qq -y --no-install-recommends binutils; } ||
            { echo "no strip to be had: the image is 0.25 GB larger" && return; }
        installed=binutils
    fi
    strip --strip-unneeded "$tensorflow"/libtensorflow_*.so.*
    if [ "${installed-}" ]; then
        apt-get purge -qq -y --auto-remove "$installed"
        rm -rf /var/lib/apt/lists/* /var/cache/apt/*
    fi
}

# What no step opens: tests, a compiler, and the pages of JupyterLab, which comes with Kale.
slim_steps() {
    packages=$(folder_of purelib)
    rm -rf "$packages/clang/native" "$packages/babel/locale-data" "$(folder_of data)/share/jupyter/lab"
    rm -rf "$packages/jupyterlab/static" "$packages/notebook/static"
    for package in matplotlib networkx numpy pandas scipy sklearn; do
        [ ! -d "$packages/$package" ] ||
            find "$packages/$package" -type d -name tests -prune -exec rm -rf {} +
    done
}

# Python keeps what it has compiled only where it may write, which a step may not.
compile_what_labs_use() {
    python3 -c '
import contextlib, importlib, sys

for name in sys.argv[1:]:
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
' fsspec httpx ipykernel.kernelapp joblib kale.compiler keras kfp.dsl.executor_main kserve \
        matplotlib.pyplot nbconvert optuna pandas papermill s3fs sklearn.datasets sklearn.ensemble \
        sklearn.feature_extraction.text sklearn.inspection sklearn.neighbors sklearn.svm tensorflow
}

case ${1-} in
    tensorflow)
        # Alone: what it needs is on the list of the steps.
        pip_install --no-deps --no-compile --require-hashes -r tensorflow.txt
        slim_tensorflow
        ;;
    steps)
        install_list steps.txt --no-compile
        slim_steps
        compile_what_labs_use
        ;;
    lock)
        install_list requirements.txt
        ;;
    course)
        pip_install --no-deps --no-index --editable .
        fastkf data
        chmod -R a+rX,go-w ./*.toml ./*.md ./*.txt fastkf notebooks data
        [ ! -d labs ] || chmod -R a+rX,go-w labs
        ;;
    *)
        echo "usage: install.sh tensorflow | steps | lock | course" >&2
        exit 2
        ;;
esac
