import errno
import os

import pytest

from memcom_rank.runtime import BundleError, open_bundle, write_bundle
from tests.runtime.bundles import FIELDS, files, write


def test_what_is_written_is_read_and_equal_bundles_are_equal_bytes(tmp_path):
    for name in ("a", "deep/b"):
        write_bundle(str(tmp_path / name), files(), FIELDS)
        read = open_bundle(tmp_path / name)
        assert {key: getattr(read.manifest, key) for key in FIELDS} == FIELDS
        assert {file: read.read(file) for file in read.manifest.files} == files()
    write(tmp_path / "c", files())
    manifests = {(tmp_path / name / "manifest.json").read_bytes() for name in ("a", "deep/b", "c")}
    assert len(manifests) == 1
    assert sorted(os.listdir(tmp_path)) == ["a", "c", "deep"]
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("make", [lambda p: p.mkdir(), lambda p: p.touch(), lambda p: p.symlink_to("nowhere")])
def test_nothing_is_written_over(make, empty):
    make(empty / "a")
    with pytest.raises(BundleError, match="already exists"):
        write_bundle(empty / "a", files(), FIELDS)
    assert os.listdir(empty) == ["a"]


@pytest.mark.parametrize(
    ("contents", "fields"),
    [
        (files(), {**FIELDS, "k": 99}),
        (files(), {**FIELDS, "metrics": {"ndcg@10": float("nan")}}),
        (files(), {**FIELDS, "metrics": {"ndcg@10": object()}}),
        (files(), {**FIELDS, "colour": "red"}),
        (files(), {}),
        (files(), {**FIELDS, "games": ["games.gz"]}),
        ({}, FIELDS),
        ({**files(), "../x": b""}, FIELDS),
        ({**files(), "": b""}, FIELDS),
        ({**files(), ".hidden": b""}, FIELDS),
        ({**files(), "games.gz": b"no gzip"}, FIELDS),
        ({**files(), "games.gz": b""}, FIELDS),
        ({**files(), "manifest.json": b""}, FIELDS),
    ],
)
def test_what_no_reader_accepts_is_not_written(contents, fields, empty):
    with pytest.raises(BundleError, match=r"change what is exported|see docs"):
        write_bundle(empty / "a", contents, fields)
    assert os.listdir(empty) == []


def test_a_full_disk_leaves_nothing(empty, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BundleError, match="No space left"):
        write_bundle(empty / "a", files(), FIELDS)
    assert os.listdir(empty) == []


def test_a_place_that_appears_meanwhile_is_kept(empty, monkeypatch):
    def late(handle):
        (empty / "a").mkdir(exist_ok=True)

    monkeypatch.setattr(os, "fsync", late)
    with pytest.raises(BundleError, match="already exists"):
        write_bundle(empty / "a", files(), FIELDS)
    assert os.listdir(empty) == ["a"]
    assert not os.listdir(empty / "a")
