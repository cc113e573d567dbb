"""What root may do beyond the permission bits of files, given up."""

import ctypes
import os
import sys

HAS_CAPABILITIES = sys.platform == "linux"
VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3, of <linux/capability.h>
CAP_DAC_OVERRIDE = 1
FIELDS = ("effective", "permitted", "inheritable")
PR_SET_NO_NEW_PRIVS = 38


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Half(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in FIELDS)


def obey_permissions() -> None:
    """From here on, this thread and all that it starts may write where permission bits allow it.

    For root they say nothing otherwise. Done before the process has other threads. Where root
    cannot give this up (macOS), nothing changes.

    Raises:
        OSError: the system refuses it.
    """
    if os.geteuid() != 0 or not HAS_CAPABILITIES:
        return
    library = ctypes.CDLL(None, use_errno=True)
    header, halves = _Header(VERSION, 0), (_Half * 2)()
    _check(library.capget(ctypes.byref(header), halves))
    for field in FIELDS:
        setattr(halves[0], field, getattr(halves[0], field) & ~(1 << CAP_DAC_OVERRIDE))
    _check(library.capset(ctypes.byref(header), halves))
    # Or the next program that is started would have it again, since it is root's.
    _check(library.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def drop_capabilities() -> None:
    """From here on, this thread and all that it starts may do what any user may.

    Raises:
        OSError: the system refuses it.
    """
    library = ctypes.CDLL(None, use_errno=True)
    _check(library.capset(ctypes.byref(_Header(VERSION, 0)), (_Half * 2)()))


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
