"""The dashboard and the alerts in docs/grafana: every question gets an answer from a real scrape."""

import json
import pathlib
import subprocess
import urllib.request

import pytest

from sim import wait_until
from test_http_metrics import ask, prometheus, site  # noqa: F401  (fixtures)

GRAFANA = pathlib.Path(__file__).resolve().parents[2] / "docs" / "grafana"


def questions():
    board = json.loads((GRAFANA / "ups2000.json").read_text())
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$ups", ".*")
    for note in board["annotations"]["list"]:
        yield note["name"], note["expr"].replace("$ups", ".*")


def test_every_question_has_an_answer(prometheus):  # noqa: F811
    # these are about what is not so in this test
    silent = {"Outages"}

    def unanswered():
        left = []
        for title, expr in questions():
            data = ask(prometheus, "query?query=" + urllib.request.quote(expr))
            if not data or (not data["result"] and title not in silent):
                left.append((title, expr))
        return left

    last = []

    def all_answered():
        last[:] = unanswered()
        return not last

    try:
        wait_until(all_answered, 90)
    except AssertionError:
        pytest.fail(f"no answer: {last}")


def test_alerts():
    for args in (["check", "rules", "ups2000.rules.yml"], ["test", "rules", "ups2000.rules.test.yml"]):
        done = subprocess.run(["promtool", *args], cwd=GRAFANA, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_board_is_whole():
    board = json.loads((GRAFANA / "ups2000.json").read_text())
    ids = [p["id"] for p in board["panels"]]
    assert len(ids) == len(set(ids))
    for a in board["panels"]:
        g = a["gridPos"]
        assert 0 <= g["x"] and g["x"] + g["w"] <= 24, a["title"]
        for b in board["panels"]:
            h = b["gridPos"]
            apart = (a is b or g["x"] + g["w"] <= h["x"] or h["x"] + h["w"] <= g["x"] or
                     g["y"] + g["h"] <= h["y"] or h["y"] + h["h"] <= g["y"])
            assert apart, (a["title"], b["title"])
