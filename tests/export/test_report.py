from pathlib import Path

from memcom_rank.export.agreement import Agreement
from memcom_rank.export.report import Exported, report
from memcom_rank.export.speed import Speed
from tests.runtime.bundles import FIELDS

SIZES = {"embedding": 100, "bias": 0, "total": 1000}


def text(metrics, before, peak=3_000_000, folder="b"):
    fields = {
        **FIELDS,
        "bits": 8,
        "bytes": SIZES,
        "full_table_bytes": 2000,
        "full_model_bytes": 3000,
        "metrics": metrics,
    }
    speed = Speed(p50=0.00123, p95=0.00456, cold_start=0.05, peak_bytes=peak)
    return report(Exported(Path(folder), fields, Agreement(0.012, 0.0034, 0.985, 77), speed, before, 400, 1234))


def test_it_says_what_was_measured():
    found = text({"ndcg@10": 0.2501}, {"ndcg@10": 0.2512})
    for words in ("20.0x", "30.0x", "2.4x", "0.2501", "0.2512", "98.50%", "1.20e-02", "0.340%", "77 users", "1.23 ms"):
        assert words in found
    assert "3,000,000 bytes" in found
    sizes = {line.split()[0]: line.split()[1] for line in found.splitlines() if line.endswith("x")}
    assert list(sizes) == ["embedding", "bias", "manifest", "total"]
    assert (sizes["manifest"], sizes["total"]) == ("234", "1,234")


def test_without_a_dataset_it_says_not_measured():
    found = text("not measured", None, peak=None)
    assert found.count("not measured") == 3


def test_what_does_not_run_here_is_not_measured():
    fields = {**FIELDS, "bits": 8, "bytes": SIZES, "metrics": "not measured", "runtime": "coreml"}
    found = report(Exported(Path("b"), fields, None, None, {"ndcg@10": 0.2512}, 400, 1234))
    assert "0.2512" in found
    assert found.count("not measured") == 3
    assert "does not run on this system" in found


def test_without_a_dataset_the_report_says_where_one_goes():
    found = text("not measured", None)
    assert "--data.path" in found


def test_the_next_command_can_be_pasted():
    assert "rank 'my bundle' --history" in text("not measured", None, folder="my bundle")
