"""A step's log, told apart: its author's lines, and the framework's around them."""

import pytest

from fastkf.runs.log_passages import divide

EXECUTOR = """\
[KFP Executor 2026-11-28 19:59:17,675 INFO]: Loading KFP component "train" from /tmp/x.py
[KFP Executor 2026-11-28 19:59:17,676 [INFO]]: Got executor_input:
{
    "inputs": {
        "artifacts": {}
    }
}"""
KERNEL = """\
NOTE: When using the `ipython kernel` entry point, Ctrl-C will not work.

To exit, you will have to explicitly quit this process, by either sending
"quit" from a client, or using Ctrl-\\ in UNIX-like environments.

To connect another client to this kernel, use:
    --existing /tmp/steps/tmp88.json
0.01s - Debugger warning: It seems that frozen modules are being used, which may
0.00s - Note: Debugging will proceed. Set PYDEVD_DISABLE_FILE_VALIDATION=1"""
CLUSTER = """\
time=2026-11-28T19:59:11.854Z level=INFO msg="capturing logs" argo=true
I1128 19:59:11.924345      15 main.go:67] Setting log level to: '1'
/usr/lib/python3.12/site-packages/kale/common/jputils.py:273: RuntimeWarning: coroutine \
'KernelManager._async_start_kernel' was never awaited
  km.start_kernel(extra_arguments=ep.extra_arguments)
RuntimeWarning: Enable tracemalloc to get the object allocation traceback
2026-11-28 19:59:20 Kale jputils:242          [INFO]     ---------- Running user code... ----------
[IPKernelApp] WARNING | Kernel is running over TCP without encryption."""
TENSORFLOW = """\
2026-11-29 05:54:35.422000: I tensorflow/core/platform/cpu_feature_guard.cc:210] This TensorFlow
To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow with the \
appropriate compiler flags.
I0000 00:00:1764395675.422000 4711 port.cc:153] oneDNN custom operations are on."""
ERROR = """\
2026-11-28 19:59:27 Kale jputils:337          [ERROR]    ===== Cell Execution Error =====
2026-11-28 19:59:27 Kale jputils:338          [ERROR]    Error: ZeroDivisionError: division by zero
----> 2 ratio = 1 / 0"""


@pytest.mark.parametrize("frame", [EXECUTOR, KERNEL, CLUSTER, TENSORFLOW])
def test_the_author_s_lines_stand_out(frame):
    found = divide(f"{frame}\n\nepoch 1\n\nepoch 2\n{frame}\n")
    assert [(one.is_own, one.lines) for one in found] == [
        (False, frame.count("\n") + 2),
        (True, 3),
        (False, frame.count("\n") + 2),
    ]
    assert found[1].text == "epoch 1\n\nepoch 2"


def test_what_pip_writes_before_the_step_starts_is_no_line_of_the_author():
    pip = "Collecting pandas==2.3.3\n  Downloading pandas.whl (12 MB)\nSuccessfully installed x"
    found = divide(f"{pip}\n{EXECUTOR}\nCollecting shells\nCollecting pandas==2.3.3")
    assert [one.is_own for one in found] == [False, True]
    assert found[1].lines == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "accuracy 0.9",
        ERROR,
        "{\n  a dict of mine\n}",
        "I1128 is my flat",
        "time=5 level=3",
        "Traceback (most recent call last):\n  File x\nValueError: [KFP Executor",
        "/home/me/lab.py:3: RuntimeWarning: divide by zero\n  x / 0",
    ],
)
def test_nothing_of_the_author_s_is_folded(text):
    assert all(one.is_own for one in divide(text))


@pytest.mark.parametrize("text", [EXECUTOR, KERNEL[:200], f"a\n{CLUSTER}\n\nb", "\n\n a \n"])
def test_nothing_is_lost(text):
    assert "\n".join(one.text for one in divide(text)) == text


def test_a_block_that_is_cut_short_hides_nothing_that_comes_later():
    cut = EXECUTOR[:-2]
    found = divide(f"{cut}\n[KFP Executor 2026-11-28 19:59:18,000 INFO]: Executing\nmine")
    assert [one.is_own for one in found] == [False, True]
