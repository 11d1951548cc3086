"""What the integration tests share: a simulated UPS, a daemon that reads it, a NUT client."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from daemon import Daemon  # noqa: E402
from sim import Sim  # noqa: E402


@pytest.fixture
def sim():
    """A healthy UPS2000A on mains."""
    with Sim() as running:
        yield running


@pytest.fixture
def daemon(sim):
    """ups2000d serving the simulated UPS as "ups"."""
    with Daemon(port=sim.port) as running:
        yield running


@pytest.fixture
def nut(daemon):
    """A NUT client connected to the daemon."""
    with daemon.nut() as client:
        yield client


# Files that start upsmon: Debian fixes the path of its pid file, so they take turns.
WITH_UPSMON = {"test_nut_conformance.py", "test_strangers.py", "test_nut_driver.py"}


def pytest_collection_modifyitems(items):
    """With pytest-xdist (--dist loadgroup) a file stays in one process."""
    for item in items:
        group = "upsmon" if item.path.name in WITH_UPSMON else item.path.name
        item.add_marker(pytest.mark.xdist_group(group))
