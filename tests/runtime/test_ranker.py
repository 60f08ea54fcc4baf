import numpy as np
import pytest

from memcom_rank.runtime import BundleError, HistoryError, Ranked, Ranker, open_bundle
from tests.runtime.bundles import FIELDS, GAMES, K, files, model_bytes, reference, write
from tests.runtime.test_onnx_file import outside


def named(history, k):
    return [(*GAMES[game - 2], pytest.approx(score, abs=1e-5)) for game, score in reference(history, k)]


@pytest.mark.parametrize(
    "history", [["Dota 2", "Portal"], ["570", 400], [np.int64(570), "Portal"], ["Portal", 570, 400]]
)
def test_own_ids_and_titles_are_ranked(ranker, history):
    ranking = ranker.rank(history, k=3)
    assert ranking == named([2, 3], 3)
    assert all(isinstance(one, Ranked) and type(one.score) is float for one in ranking)
    assert ranking[0].title == ranking[0][1]


def test_an_own_id_comes_before_a_title(ranker):
    assert ranker.place("400") == ranker.place(400) == 1
    assert ranker.place("10") == 9  # whose title is 400


def test_all_at_once_and_one_by_one_are_the_same(ranker):
    histories = [["Portal"], [], ("7", "8"), (game for game in ["220", "Half-Life", "Portal 2"])]
    listed = [list(history) for history in histories]
    rankings = ranker.rank_all(listed, 4)
    assert [[one.id for one in ranking] for ranking in rankings] == [
        [one.id for one in ranker.rank(history, 4)] for history in listed
    ]
    assert rankings[0] == named([3], 4)
    assert ranker.rank_all([]) == []


def test_many_histories_are_ranked_in_several_runs(ranker, monkeypatch):
    histories = [["Portal", 570], [], ["7", "8"], ["Half-Life"], ["Portal"]]
    whole, sizes = ranker.rank_all(histories), []
    run = Ranker.rank_ids

    def counted(self, history_BL):
        sizes.append(len(history_BL))
        return run(self, history_BL)

    monkeypatch.setattr(Ranker, "rank_ids", counted)
    monkeypatch.setattr("memcom_rank.runtime.ranker._COMPARED", 2 * 2 * len(GAMES))
    assert ranker.rank_all(histories) == whole
    assert sizes == [2, 2, 1]


def test_only_games_that_are_left_are_returned(ranker):
    own_ids = [own_id for own_id, _ in GAMES]
    assert len(ranker.rank(own_ids[2:])) == 2
    assert ranker.rank(own_ids) == []


@pytest.mark.parametrize(
    ("history", "said"),
    [
        (["Portl"], r"no game 'Portl'\n.*such as 'Portal', 'Portal 2'"),
        (["qqqq"], r"no game 'qqqq'\n.*bundle's games\n"),
        ([3], "no game '3'"),
        (["Twins"], "2 games are called 'Twins'\n.*\n.*own id: 7, 8"),
        ("Portal", r"to do:  write \['Portal'\]"),
        (b"Portal", "a list of games"),
        ([1.5], "a game 1.5"),
        ([None], "a game None"),
        (["\ud800"], r"no game '\\ud800'"),
    ],
)
def test_what_is_no_history(ranker, history, said):
    with pytest.raises(HistoryError, match=said):
        ranker.rank(history)


def test_unknown_games_can_be_left_out(ranker):
    assert ranker.rank(["Portl", "Portal", 3], 3, skip_unknown=True) == named([3], 3)
    with pytest.raises(HistoryError, match="2 games"):
        ranker.rank(["Twins"], skip_unknown=True)


@pytest.mark.parametrize("k", [0, -1, K + 1, 2.5, "a"])
def test_k_out_of_range(ranker, k):
    with pytest.raises(HistoryError, match=f"k = {k!r}\n  wanted: 1 .. {K}"):
        ranker.rank(["Portal"], k)


def test_more_than_there_are_is_all_of_them(tmp_path):
    write(tmp_path / "b", files(model_bytes(k=12)), {**FIELDS, "k": 12})
    assert len(Ranker.load(tmp_path / "b").rank(["Portal"], 100)) == 11


def test_ids_go_straight_to_the_model(ranker):
    ids_BK, scores_BK = ranker.rank_ids(np.array([[3, 2, 0]]))
    assert list(zip(ids_BK[0].tolist(), scores_BK[0].tolist(), strict=True)) == [
        (game, pytest.approx(score, abs=1e-5)) for game, score in reference([2, 3])
    ]


@pytest.mark.parametrize(
    "history_BL",
    [
        np.array([[14]]),
        np.array([[-1]]),
        np.array([2, 3]),
        np.zeros((1, 0), dtype=np.int64),
        np.zeros((0, 1), dtype=np.int64),
        np.array([[2.0]]),
        np.array([[2]], dtype=np.int32),
        [[2]],
    ],
    ids=str,
)
def test_ids_of_another_kind(ranker, history_BL):
    with pytest.raises(HistoryError, match=r"ids from|asarray|pad with 0"):
        ranker.rank_ids(history_BL)


def test_titles_are_found_as_people_type_them(ranker):
    assert [game.title for game in ranker.find("portl")] == ["Portal", "Portal 2"]
    assert ranker.find("portl", 1)[0].id == "400"


def test_a_model_for_another_runtime(tmp_path):
    write(tmp_path / "b", files(), {**FIELDS, "runtime": "litert", "max_history": 20})
    assert open_bundle(tmp_path / "b").manifest.max_history == 20
    with pytest.raises(BundleError, match=r"for litert\n.*\n.*--format onnx"):
        Ranker.load(tmp_path / "b")


@pytest.mark.parametrize("target", ["secret", "../secret", "/etc/hostname", "*/_ORT_MEM_ADDR_/*"])
def test_a_model_cannot_reach_out_of_its_file(target, tmp_path, monkeypatch):
    (tmp_path / "secret").write_bytes(bytes(10_000))
    monkeypatch.chdir(tmp_path)

    def edit(model):
        tensor = outside(model.graph.initializer[0])
        tensor.external_data[0].value = target
        tensor.external_data.add(key="offset", value="4096")
        tensor.external_data.add(key="length", value=str(14 * 4 * 4))

    write(tmp_path / "b", files(model_bytes(edit=edit)))
    with pytest.raises(BundleError, match="outside of its file"):
        Ranker.load(tmp_path / "b")


def test_a_model_that_is_swapped_while_it_loads(tmp_path, monkeypatch):
    folder = write(tmp_path / "b", files())
    from memcom_rank.runtime import onnx_model

    def swapping(path, num_games, k):
        other = path.with_name("other")
        other.write_bytes(path.read_bytes())
        other.replace(path)

    monkeypatch.setattr(onnx_model, "OnnxModel", swapping)
    with pytest.raises(BundleError, match="changed while it was loaded"):
        Ranker.load(folder)
