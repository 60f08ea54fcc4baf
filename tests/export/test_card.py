from huggingface_hub import ModelCard

from memcom_rank.export.card import model_card
from tests.runtime.bundles import FIELDS


def test_a_card_has_data_that_hugging_face_reads_and_says_what_the_bundle_is():
    text = model_card({**FIELDS, "metrics": {"ndcg@10": 0.25}, "bytes": {"embedding": 12345}}, "Run it so.").decode()
    data = ModelCard(text).data
    assert data.license == "apache-2.0"
    assert "onnx" in data.tags
    for words in (
        "Classifier over a Full embedding",
        "ndcg@10 0.2500",
        "| embedding | 12,345 |",
        "sha256:0",
        "12 games",
        "Run it so.",
    ):
        assert words in text


def test_a_card_without_metrics_says_so():
    assert "not measured" in model_card({**FIELDS, "metrics": "not measured"}, "").decode()


def test_a_card_says_how_long_histories_may_be():
    text = model_card({**FIELDS, "runtime": "executorch", "max_history": 77}, "").decode()
    assert "at most 77 games" in text
    assert "executorch" in ModelCard(text).data.tags
