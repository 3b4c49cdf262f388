"""Workers of a studio in this process that die while they send, and what must hold afterwards."""

from __future__ import annotations

import httpx
import pytest

from leap_pipeline.domain.states import Platform
from tests.support.published_truth import at_platform, differences
from tests.support.studio import Died, Y
from tests.support.studio_fakes import Fakes

FORM = 1024
"""More than a form adds to the file in it."""


def assert_once(fakes: Fakes, platform: Platform) -> None:
    assert differences(fakes.studio, platform, at_platform(fakes, platform)) == []
    assert fakes.youtube.ledger.refused() == []
    assert fakes.vk.ledger.refused() == []


def sent(fakes: Fakes, platform: Platform) -> int:
    """Bytes of video, in all."""
    ledger = fakes.youtube.ledger if platform is Y else fakes.vk.ledger
    return ledger.received() if platform is Y else ledger.bytes_received()  # type: ignore[union-attr]


def is_bytes(request: httpx.Request) -> bool:
    """Does it carry some of the video?"""
    if request.url.path == "/upload.do":
        return True
    return request.method == "PUT" and "*/" not in request.headers.get("content-range", "*/")


class Deadly:
    """Ends the worker ahead of the request that is the `number`th to carry bytes of the video."""

    def __init__(self, number: int = 1) -> None:
        self.left = number

    def __call__(self, request: httpx.Request) -> None:
        self.left -= is_bytes(request)
        if self.left == 0 and is_bytes(request):
            raise Died


def die_while_sending(fakes: Fakes, platform: Platform, number: int = 1) -> None:
    fakes.network.watch = Deadly(number)
    with pytest.raises(Died):
        fakes.publish(platform)
    fakes.network.watch = lambda _request: None
