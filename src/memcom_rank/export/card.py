"""Export room (floor 4): the model card of a bundle. Takes a manifest's fields -> gives README.md."""

from collections.abc import Mapping
from typing import Any

from huggingface_hub import ModelCard, ModelCardData

_TEXT = """\
---
{{ card_data }}
---

# Next games, ranked on the device

A bundle of memcom-rank: it ranks the whole catalogue of {{ num_games }} games for the games that somebody has played.

| | |
|---|---|
| model | {{ head }} over a {{ technique }} embedding of width {{ dim }} |
| stored | in {{ bits }} bits what was trained in fp32, as it was what was trained in fewer |
| trained on | {{ dataset }} |
| training | {{ trained }} |
| test | {{ metrics }} |

## Use

{{ use }}

The input is 0 padding, 1 an unknown game, then the games of `games.gz`, whose first line is id 2. The output is best
first, without the games of the history; where no game is left the id is 0.{{ longest }}

## Bytes

| part | bytes |
|---|---:|
{{ sizes }}

The fp32 table that the embedding stands for takes {{ full_table_bytes }} bytes, the whole fp32 model with it
{{ full_model_bytes }}. Nothing in this folder is executed when it is loaded, and every byte is checked against
`manifest.json`.

## Limits

Scores only order the games of one ranking. The ranking says what players like those of the training data had; games
that few of them had are seldom recommended, and games newer than the data never.
"""


def model_card(fields: Mapping[str, Any], use: str) -> bytes:
    """Return README.md.

    Args:
        fields: of the bundle's manifest; `bytes` without the card's own.
        use: how the format's file is run, Markdown.
    """
    longest = fields["max_history"]
    data = ModelCardData(
        license="apache-2.0",
        library_name="memcom-rank",
        tags=["recommendation", "ranking", fields["runtime"], "embedding-compression"],
    )
    metrics = fields["metrics"]
    words = {
        **{name: fields[name] for name in ("head", "technique", "dim", "bits")},
        "use": use,
        "longest": "" if longest is None else f" Histories have at most {longest} games: give the last ones.",
        "num_games": f"{fields['num_games']:,}",
        "dataset": _facts(fields["dataset"]),
        "trained": _facts(fields["trained"]),
        "metrics": metrics if isinstance(metrics, str) else _facts({k: f"{v:.4f}" for k, v in metrics.items()}),
        "sizes": "\n".join(f"| {name} | {size:,} |" for name, size in fields["bytes"].items()),
        "full_table_bytes": f"{fields['full_table_bytes']:,}",
        "full_model_bytes": f"{fields['full_model_bytes']:,}",
    }
    card = ModelCard.from_template(data, template_str=_TEXT, **words)
    return (str(card).strip() + "\n").encode()


def _facts(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None) or "not known"
