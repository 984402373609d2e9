import pytest


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch):
    monkeypatch.setattr("uteroseg.intake.public.download._PAUSE_S", 0.0)
