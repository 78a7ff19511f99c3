"""Two paths change places in one step, where the system can do that."""

import ctypes
import errno
import os
from pathlib import Path

_AT_FDCWD = -100
_EXCHANGE = 2  # RENAME_EXCHANGE of the one system, RENAME_SWAP of the other
_CANNOT = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM)


def exchange(one: Path, other: Path) -> bool:
    """Let two paths of one disk name each other's files, with no moment between.

    Returns
    -------
    bool
        False, and nothing has changed, where the system or the file system has no such step: Linux and
        macOS have it, network file systems mostly not.

    Raises
    ------
    OSError
        If one of them does not exist or may not be moved.
    """
    if os.name != "posix":
        return False
    names, library = (os.fsencode(one), os.fsencode(other)), ctypes.CDLL(None, use_errno=True)
    if hasattr(library, "renameat2"):  # Linux
        code = library.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _EXCHANGE)
    elif hasattr(library, "renamex_np"):  # macOS
        code = library.renamex_np(*names, _EXCHANGE)
    else:
        return False
    error = ctypes.get_errno()
    if code and error not in _CANNOT:
        raise OSError(error, os.strerror(error), str(one), None, str(other))
    return not code
