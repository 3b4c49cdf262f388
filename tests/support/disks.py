"""Small disks to fill."""

from __future__ import annotations

import shutil
import subprocess


def can_mount() -> bool:
    """May this user mount a file system of its own, in a namespace of its own?"""
    unshare = shutil.which("unshare")
    if unshare is None:
        return False
    command = [unshare, "-rm", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
