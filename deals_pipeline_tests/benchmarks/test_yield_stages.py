"""A world of many hours that was interrupted is gone on with, and ends as if it had not been."""

from datetime import timedelta
from pathlib import Path

import pytest

from benchmarks.contestants import contest
from benchmarks.contestants.contest import OURS, World, truth_of
from benchmarks.contestants.stages import Stage, Stages

WORLD = World(deals=800, plan=5, hours=0.2)
HALFWAY = timedelta(minutes=6)


class Interrupted(Exception):
    """Whatever ends the program."""


class InterruptedStages(Stages):
    """Stages of a program that ends when it has kept one."""

    def keep(self, world: str, home: Path, stage: Stage) -> None:
        super().keep(world, home, stage)
        raise Interrupted


def test_an_interrupted_world_ends_as_if_it_had_not_been(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest, "PRODUCTS", {WORLD.deals: 2_000})
    truth = truth_of(WORLD.deals, WORLD.hours)
    whole = contest.contest(WORLD, OURS, truth, Stages(tmp_path / "whole", "code"))
    with pytest.raises(Interrupted):
        contest.contest(WORLD, OURS, truth, InterruptedStages(tmp_path / "interrupted", "code", HALFWAY))
    again = Stages(tmp_path / "interrupted", "code", HALFWAY)
    assert contest.contest(WORLD, OURS, truth, again) == whole
    assert whole.score.tokens.in_all > 0


def test_a_stage_takes_the_place_of_the_one_before_and_is_gone_with_its_code(tmp_path: Path) -> None:
    home, stages = tmp_path / "home", Stages(tmp_path / "stages", "code")
    home.mkdir()
    for hours in (1, 2):
        (home / "file").write_text(str(hours))
        stages.keep(WORLD.folder, home, Stage(contest.START + timedelta(hours=hours), runs=hours))
    resumed = stages.resume(WORLD.folder, tmp_path / "resumed")
    assert resumed == Stage(contest.START + timedelta(hours=2), runs=2)
    assert (tmp_path / "resumed" / "file").read_text() == "2"
    assert Stages(tmp_path / "stages", "other").resume(WORLD.folder, tmp_path / "other") is None
    Stages(tmp_path / "stages", "other").remove_others()
    assert stages.resume(WORLD.folder, tmp_path / "none") is None


def test_a_stage_that_was_not_finished_is_none(tmp_path: Path) -> None:
    stages = Stages(tmp_path, "code")
    (tmp_path / "code" / WORLD.folder / "2026-03-02T120000.unfinished").mkdir(parents=True)
    assert stages.resume(WORLD.folder, tmp_path / "home") is None
