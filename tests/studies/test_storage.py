"""How long the driver of a study's database waits before it gives up."""

from __future__ import annotations

import pytest
import sqlalchemy
from occam.search.studies.storage import _patience


@pytest.mark.parametrize(
    ("url", "waits"),
    [
        ("sqlite:////tmp/study.db", {"timeout": 60}),
        ("mysql+pymysql://user@host/name", {}),
        ("postgresql+asyncpg://user@host/name", {}),
    ],
)
def test_each_driver_is_told_in_its_own_words(url, waits):
    assert _patience(sqlalchemy.make_url(url)) == waits


def test_a_server_that_does_not_answer_is_given_up_within_a_lease(monkeypatch):
    monkeypatch.setattr("occam.search.studies.storage.silence", lambda: 30.0)
    waits = {"connect_timeout": 10, "tcp_user_timeout": 10_000}
    waits |= {"keepalives_idle": 5, "keepalives_interval": 5}
    url = "postgresql+psycopg://user@host/name"
    assert _patience(sqlalchemy.make_url(url)) == waits
    del waits["connect_timeout"]
    assert _patience(sqlalchemy.make_url(f"{url}?connect_timeout=3")) == waits
    monkeypatch.setattr("occam.search.studies.storage.silence", lambda: 3.0)
    assert _patience(sqlalchemy.make_url(url))["connect_timeout"] == 2  # libpq's least
