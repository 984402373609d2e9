import pytest


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch):
    monkeypatch.setattr("uteroseg.dataset.public.download._PAUSE_S", 0.0)
