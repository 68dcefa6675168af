"""A verification that was stopped goes on where it was, and says the same as one that was not."""

import json
from typing import Any

import pytest

from governance.audit.verifying import Progress, Report, Verification, Watch
from tests.audit_stores import Intruder, Signed, opened


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    directory = tmp_path_factory.mktemp("resuming")
    signed = Signed(f"sqlite:///{directory / 'store.db'}", directory, commands=(60, 300, 10))
    intruder = Intruder(signed.url)
    intruder.do("UPDATE governance_events SET topic = 'Commented' WHERE position = 40")
    intruder.do("DELETE FROM governance_events WHERE position = 300")
    intruder.close()
    return signed


def stopping(at: int, kept: list[str]) -> Any:
    def save(progress: Progress) -> None:
        kept.append(json.dumps(progress.document()))
        if len(kept) == at:
            raise KeyboardInterrupt

    return save


def verified(signed: Signed, progress: Progress | None = None, save: Any = None) -> Report:
    with opened(signed.url) as (rows, tables):
        verification = Verification(rows, tables, signed.anchors)
        watch = Watch(save=save) if save else Watch()
        return verification.run(progress or verification.begin(), watch)


@pytest.mark.parametrize("at", [1, 2, 5, 20])
def test_it_goes_on_where_it_was(signed: Signed, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("governance.audit.verifying.SAVE_SECONDS", 0.0)
    monkeypatch.setattr("governance.audit.meaning._CLAIMS_AT_ONCE", 1)
    whole = verified(signed)
    kept: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        verified(signed, save=stopping(at, kept))

    again = verified(signed, Progress.read(json.loads(kept[-1])))

    assert again == whole
    assert again.first_bad_position == 40


def test_progress_survives_being_written(signed: Signed) -> None:
    kept: list[str] = []
    verified(signed, save=stopping(-1, kept))

    document = json.loads(kept[-1])

    assert json.loads(json.dumps(Progress.read(document).document())) == document
