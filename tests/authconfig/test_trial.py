"""Running a stage: it is reported, and its error gets the name of its method."""

from __future__ import annotations

import pytest
from django.db.models import TextChoices

from authconfig.choices import StepState
from authconfig.directory.choices import NetlogonStage
from authconfig.trial import Failure, Step, TrialRecord, run_stage

FIND = NetlogonStage.FIND


class NamedError(Exception):
    pass


def meaning(_stage: TextChoices, raised: Exception) -> Failure | None:
    if isinstance(raised, OSError):
        return Failure(NamedError(), "no such\nserver")
    return Failure(raised, "named") if isinstance(raised, NamedError) else None


def test_a_stage_that_succeeds_reports_what_was_found() -> None:
    steps: list[Step] = []

    with run_stage(FIND, steps.append, meaning) as found:
        found += ["one", "another"]

    assert [step.state for step in steps] == [StepState.STARTED, StepState.DONE]
    assert steps[-1].words == "one; another"


def test_an_error_of_a_library_leaves_the_stage_under_its_name() -> None:
    steps: list[Step] = []

    with pytest.raises(NamedError) as raised, run_stage(FIND, steps.append, meaning):
        raise ConnectionRefusedError

    assert isinstance(raised.value.__cause__, ConnectionRefusedError)
    assert (steps[-1].state, steps[-1].words) == (StepState.FAILED, "no such server")


def test_an_error_that_has_its_name_is_raised_as_it_is() -> None:
    error = NamedError()

    with pytest.raises(NamedError) as raised, run_stage(FIND, None, meaning):
        raise error

    assert raised.value is error
    assert error.__cause__ is None


def test_a_fault_of_this_site_is_no_failure_of_the_stage() -> None:
    steps: list[Step] = []

    with pytest.raises(KeyError), run_stage(FIND, steps.append, meaning):
        raise KeyError

    assert [step.state for step in steps] == [StepState.STARTED]


def test_the_record_keeps_the_steps_that_have_ended() -> None:
    shown: list[Step] = []
    record = TrialRecord(shown.append)

    with run_stage(FIND, record.note, meaning):
        pass

    assert len(shown) == 2
    assert record.report("", accepted=True).steps == (shown[-1],)
