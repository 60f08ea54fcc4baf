"""Pipeline: a raw log -> a dataset folder. read -> clean -> split -> grade -> index -> histories -> pairs -> write.

With --label: read -> label -> clean -> split (of users) -> grade -> index -> histories -> write.

Every step is a pure function of a file of its own. The split comes before the grades because the edges of the grades
come from training rows only. After `clean` the rows are sorted by (user, game), and every later step keeps or states
its order, so the same log in any row order gives the same bytes.
"""

from pathlib import Path

import polars as pl
import pyarrow as pa

from data_prep.clean import check_values, drop_untimed, merge_pairs
from data_prep.grade import add_grades, grade_edges
from data_prep.histories import held_out_table, history_table
from data_prep.index import add_ids, game_table
from data_prep.labels import add_user_split, keep_labelled, label_table, user_labels
from data_prep.options import Options
from data_prep.pairs import pair_table
from data_prep.progress import Progress
from data_prep.sources.steam200k import read_steam200k
from data_prep.sources.synthetic import World, make_world, play
from data_prep.sources.synthetic_bayes import bayes_references
from data_prep.sources.table import read_table
from data_prep.split import add_split
from data_prep.statistics import label_statistics, split_statistics
from data_prep.write import check_output, write_dataset
from memcom_rank.contract.manifest import Manifest
from memcom_rank.contract.schemas import GAMES, HISTORIES, LABELS, PAIRS, TEST, VALIDATION, schema

_ID_TYPES: dict[type[pl.DataType], str] = {pl.Int64: "int64", pl.String: "string"}


def run(options: Options) -> Manifest:
    """Build the dataset that `options` describe; return its manifest.

    Raises:
        MemcomRankError: an unreadable input, an impossible split, an unwritable output.
    """
    check_output(options.output, overwrite=options.overwrite)
    progress = Progress()
    world = make_world(options.games, options.seed) if options.source == "synthetic" else None

    log = _read(options, world)
    progress.done("read", log.height)
    check_values(log)
    log = drop_untimed(log)
    if options.timestamp:
        progress.done("timed", log.height)
    labelled: pl.DataFrame | None = None  # who has which label, where a label is to be told
    if options.label:
        progress.done("users", log["user"].n_unique(), "users")
        log, labelled = user_labels(log)
        progress.done("label", labelled.height, "users")
        log, labelled = keep_labelled(log, labelled)
        progress.done("shown", labelled.height, "users")
    log = merge_pairs(log)
    progress.done("clean", log.height)
    if labelled is not None:
        labelled = add_user_split(labelled, log, options)
        log = log.drop("split", strict=False).join(labelled.select("user", "split"), on="user", maintain_order="left")
    else:
        log = add_split(log, options)
    train = pl.col("split") == "train"
    progress.done("split", log.filter(~train).height, "held out")
    edges = grade_edges(log.filter(train)["engagement_hours"], options.grade_bins)
    log = add_grades(log, edges)
    progress.done("grade", log["grade"].n_unique(), "grades")
    games = game_table(log)
    log = add_ids(log, games)
    progress.done("index", games.height, "games")
    types = {name: _ID_TYPES[type(log.schema[name])] for name in ("user", "game")}
    tables: dict[str, pa.Table] = {GAMES: games.to_arrow(), HISTORIES: history_table(log, whole=labelled is not None)}
    progress.done("histories", tables[HISTORIES].num_rows, "users")
    if labelled is not None:
        for name in (VALIDATION, TEST, PAIRS):
            tables[name] = schema(name, user_type=types["user"], game_type=types["game"]).empty_table()
        tables[LABELS] = label_table(labelled)
    else:
        tables |= {name: held_out_table(log, name) for name in (VALIDATION, TEST)}
        tables[PAIRS] = pair_table(
            log.filter(train), largest_gap=len(edges) + 1, cap=options.pairs_per_user, seed=options.seed
        )
        progress.done("pairs", tables[PAIRS].num_rows, "pairs")
    references: dict[str, float] = {}
    if world is not None and options.split_name == "holdout":
        references, users = bayes_references(world, log, options.seed)
        progress.done("bayes", users, "users")

    manifest = Manifest(
        source=options.source,
        options=options.recorded(),
        seed=options.seed,
        user_type=types["user"],
        game_type=types["game"],
        timed="timestamp" in log.columns,
        num_users=tables[HISTORIES].num_rows,
        num_games=games.height,
        grade_edges_hours=edges,
        steps=dict(progress.steps),
        splits=split_statistics(log, tables) if labelled is None else label_statistics(log, tables, labelled),
        references=references,
        digest="",  # known when the tables are written
        labels=[] if labelled is None else labelled["label"].unique().sort().to_list(),
    )
    manifest = write_dataset(options.output, tables, manifest, overwrite=options.overwrite)
    progress.done("write", len(tables), "tables")
    return manifest


def _read(options: Options, world: World | None) -> pl.DataFrame:
    if world is not None:
        return play(world, options.users, options.seed)
    if options.source == "steam200k":
        return read_steam200k(options.input or Path())
    return read_table(options)
