"""Downloads from nginx on this machine: memory, speed beside curl, connections, kills.

    python -m benchmarks.download [--gigabytes 4]

Needs nginx and curl. The file is a sparse one, so that the disk of the server does not count.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from leap_pipeline.sources.http_file import Tuning, download
from leap_pipeline.sources.http_file_requests import Link
from leap_pipeline.storage.partials import partial
from tests.support.nginx import Nginx, nginx

GIB = 2**30
REPEAT = 3


class _Source:
    def __init__(self, url: str) -> None:
        self._url = url

    def fresh(self) -> Link:
        return Link(SecretStr(self._url))


def child(root: Path, url: str, connections: int) -> None:
    """One download in this process, and what it took, as JSON."""
    tuning = Tuning(private_addresses=True, connections=connections)
    base = _resident()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    cpu = time.process_time()
    with partial(root, "1-raw") as unfinished:
        found = download(_Source(url), unfinished, tuning=tuning)
        said = {
            "seconds": round(found.seconds, 2),
            "megabytes_a_second": round(found.size / found.seconds / 1e6, 1),
            "connections": found.connections,
            "resumed": found.resumed,
            "cpu_seconds": round(time.process_time() - cpu, 2),
            "base_mib": round(base / 2**20, 1),
            "peak_over_base_mib": round((_peak() - base) / 2**20, 1),
        }
    sys.stdout.write(json.dumps(said))


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def start(root: Path, url: str, connections: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.download", "--child", str(root), url]
    return subprocess.Popen(
        [*command, "--connections", str(connections)], stdout=subprocess.PIPE, text=True
    )


def run(root: Path, url: str, connections: int) -> dict[str, Any]:
    worker = start(root, url, connections)
    out, _ = worker.communicate()
    assert worker.returncode == 0
    found: dict[str, Any] = json.loads(out)
    return found


def curl(target: Path, url: str) -> float:
    begun = time.monotonic()
    subprocess.run(["curl", "-sS", "-o", str(target), url], check=True)
    spent = time.monotonic() - begun
    target.unlink()
    return spent


def beside_curl(server: Nginx, root: Path, size: int) -> dict[str, Any]:
    """In turn, so that both meet the same machine."""
    url = server.url("a.mp4")
    ours, theirs, cpu = [], [], []
    for _ in range(REPEAT):
        theirs.append(curl(root / "curl", url))
        found = run(root, url, 4)
        ours.append(found["seconds"])
        cpu.append(found["cpu_seconds"])
    return {
        "bytes": size,
        "curl_s": round(statistics.median(theirs), 2),
        "ours_s": round(statistics.median(ours), 2),
        "ours_cpu_s": round(statistics.median(cpu), 2),
        "ours_to_curl": round(statistics.median(theirs) / statistics.median(ours), 2),
    }


def limited(root: Path, size: int) -> dict[str, Any]:
    """Each connection brings 20 MB a second."""
    with nginx(root / "limited", server="limit_rate 20m;") as server:
        sparse(server, size)
        one, four = (run(root, server.url("a.mp4"), count) for count in (1, 4))
    return {"bytes": size, "one": one, "up_to_four": four}


def killed(root: Path, size: int, kills: int = 5) -> dict[str, Any]:
    """SIGKILL at even times; the bytes that nginx sent against the size."""
    with nginx(root / "killed", server="limit_rate 40m;") as server:
        sparse(server, size)
        for _ in range(kills):
            worker = start(root, server.url("a.mp4"), 2)
            time.sleep(size / 80e6 / (kills + 1) + 1.0)
            worker.send_signal(signal.SIGKILL)
            worker.communicate()
        last = run(root, server.url("a.mp4"), 2)
        time.sleep(1)
        return {
            "bytes": size,
            "kills": kills,
            "resumed_by_the_last": last["resumed"],
            "sent_to_size": round(server.sent / size, 4),
        }


def sparse(server: Nginx, size: int) -> None:
    with (server.files / "a.mp4").open("wb") as file:
        file.truncate(size)
    past = time.time() - 3600
    os.utime(server.files / "a.mp4", (past, past))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--child", nargs=2, metavar=("FOLDER", "URL"))
    parser.add_argument("--connections", type=int, default=4)
    given = parser.parse_args()
    if given.child:
        child(Path(given.child[0]), given.child[1], given.connections)
        return
    size = int(given.gigabytes * GIB)
    with tempfile.TemporaryDirectory(prefix="leap-bench-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        with nginx(root / "nginx") as server:
            sparse(server, size)
            large = run(root, server.url("a.mp4"), 4)
            sparse(server, size // 4)
            beside = beside_curl(server, root, size // 4)
        result = {
            "machine": {"cores": os.cpu_count(), "host": os.uname().machine},
            "large_file": {"bytes": size, **large},
            "beside_curl": beside,
            "limited_connections": limited(root, size // 16),
            "killed": killed(root, size // 8),
        }
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
