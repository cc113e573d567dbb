#!/bin/sh
# Prints the command of the Python that the environment is made with: the newest of those the
# project supports. Each is tried by running it, since a command may be there and not work.
#
#   sh tools/find_python.sh           looks for one
#   sh tools/find_python.sh COMMAND   checks this one

needs='Fast-Kubeflow needs Python 3.11, 3.12 or 3.13'
remedy='make PYTHON=/path/to/python3.12'

# Says what is wrong with the command $1, or nothing.
find_problem() {
    if ! command -v "$1" >/dev/null 2>&1; then
        echo 'is not a command'
        return
    fi
    said=$("$1" -c '
import sys
version = sys.version_info[:3]
if not (3, 11) <= version[:2] <= (3, 13):
    print("fastkf: is Python %d.%d.%d" % version)
    sys.exit()
try:
    import ensurepip, venv
except ImportError:
    print("fastkf: has no module venv (on Debian and Ubuntu: apt install python%d.%d-venv)" % version[:2])
else:
    print("fastkf: ")
' 2>&1) || true
    case $said in
    *'fastkf: '*) echo "${said##*fastkf: }" ;;
    *)
        said=$(echo "$said" | grep . | head -n 1)
        echo "does not run${said:+ ($said)}"
        ;;
    esac
}

if [ -n "$1" ]; then
    problem=$(find_problem "$1")
    if [ -n "$problem" ]; then
        echo "$needs; $1 $problem. Give another: $remedy" >&2
        exit 1
    fi
    echo "$1"
    exit
fi

found=
for python in python3.13 python3.12 python3.11 python3 python; do
    problem=$(find_problem "$python")
    case $problem in
    '')
        echo "$python"
        exit
        ;;
    'is not a command') ;;
    *) found="$found
  $(command -v "$python") $problem" ;;
    esac
done
echo "$needs.${found:+ What is here:$found}
Install one of them, or name one: $remedy" >&2
exit 1
