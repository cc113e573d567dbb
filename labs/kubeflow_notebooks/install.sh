#!/bin/sh
# Used by the Dockerfile, in /opt/fast-kubeflow: installs into the Python that comes first in PATH.
set -eu

pip_install() {
    python3 -m pip install --no-cache-dir --disable-pip-version-check --no-build-isolation "$@"
}

case ${1-} in
    lock)
        # First what builds the packages that come as source; everything is checked by hash.
        awk '/^[^ #]/ { wanted = /^setuptools==/ } wanted' requirements.txt >/tmp/builder.txt
        pip_install --require-hashes -r /tmp/builder.txt
        pip_install --require-hashes -r requirements.txt
        rm /tmp/builder.txt
        ;;
    course)
        pip_install --no-deps --no-index --editable .
        fastkf data
        chmod -R a+rX,go-w ./*.toml ./*.md ./*.txt fastkf notebooks data
        [ ! -d labs ] || chmod -R a+rX,go-w labs
        ;;
    *)
        echo "usage: install.sh lock | course" >&2
        exit 2
        ;;
esac
