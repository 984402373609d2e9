import json

import pytest

from tests.experiment.small import config
from uteroseg.errors import UserError
from uteroseg.experiment.config import load_config
from uteroseg.experiment.plan import make_plan, refuse_others, resolve_sizes
from uteroseg.model.strategy import STRATEGIES, Strategy

DATA = {"source": "a", "target": "b"}


def plan(tmp_path, *, data=DATA, **changes):
    return make_plan(config(tmp_path, **changes), patients=20, fingerprints=data)


def test_shares_are_rounded_and_no_size_stands_twice(tmp_path):
    sizes = (0, "2%", "5%", 1, "10%", "100%")
    assert resolve_sizes(config(tmp_path, sizes=sizes), 20) == (1, 2, 20)


def test_a_size_above_the_cohorts_is_refused_with_its_line(tmp_path):
    with pytest.raises(UserError, match="21 uterine cases are asked for, and there are 20"):
        resolve_sizes(config(tmp_path, sizes=(0, 21)), 20)
    with pytest.raises(UserError, match=r"quick.yaml, line 1\d: 13 uterine cases"):
        resolve_sizes(load_config("quick"), 12)


def test_every_seed_has_a_source_model_and_every_strategy_at_every_size(tmp_path):
    runs = plan(tmp_path, seeds=(1, 2), sizes=(0, 2, 5))
    assert len(runs) == len({run.run for run in runs}) == 2 * (1 + 2 * 2)
    assert [run.is_source for run in runs] == [True, False, False, False, False] * 2
    assert {run.source for run in runs[:5]} == {runs[0].run}


def test_every_run_has_the_same_budget_whatever_the_number_of_cases(tmp_path):
    strategies = tuple(STRATEGIES[name] for name in ("all", "joint", "scratch"))
    runs = plan(tmp_path, sizes=(2, 5), strategies=strategies)
    steps = {(run.strategy_name, run.target_cases): run.steps for run in runs}
    assert steps == {("source", 0): 8} | {
        (name, size): number
        for size in (2, 5)
        for name, number in (("all", 4), ("joint", 12), ("scratch", 12))
    }


def test_other_settings_or_data_are_other_runs_and_words_are_not(tmp_path):
    first = plan(tmp_path)
    for changed in (
        plan(tmp_path, seeds=(2,)),
        plan(tmp_path, data={"source": "a", "target": "c"}),
        plan(tmp_path, matrix=(64, 64)),
    ):
        assert {run.run for run in first}.isdisjoint(run.run for run in changed)
    adapted = plan(tmp_path, budget={"source_steps": 8, "adapt_steps": 5, "batch_size": 4})
    assert adapted[0].run == first[0].run
    assert adapted[1].run != first[1].run
    renamed = plan(tmp_path, strategies=(Strategy(name="all", summary="other words"),))
    assert renamed[1].run == first[1].run


def test_a_finished_run_of_something_else_is_refused_and_the_difference_named(tmp_path):
    old, new = plan(tmp_path), plan(tmp_path, data={"source": "a", "target": "c"})
    folder = old[1].folder(tmp_path)
    folder.mkdir(parents=True)
    (folder / "cases.csv").write_text("")
    refuse_others(new, tmp_path)  # not finished
    record = {
        "run": old[1].run,
        "strategy": "all",
        "target_cases": 2,
        "seed": 1,
        "source_cohort": "cervical",
        "target_cohort": "uterine",
        "virtual": True,
        "training_cases": {},
        "seconds": {},
        "versions": {},
        "machine": "",
        "overlays": {},
        "settings": old[1].settings,
    }
    (folder / "run.json").write_text(json.dumps(record))
    refuse_others(old, tmp_path)
    with pytest.raises(UserError, match=r'data was .*"target": "b".* is .*"target": "c"'):
        refuse_others(new, tmp_path)
