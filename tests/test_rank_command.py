import io
import sys

import pytest

from memcom_rank.__main__ import main
from memcom_rank.runtime import pack_games
from tests.runtime.bundles import FIELDS, GAMES, NUM_GAMES, files, model_bytes, reference, write


@pytest.fixture
def bundle(tmp_path):
    return str(write(tmp_path / "bundle", files()))


def test_it_prints_a_ranking_and_what_it_took_titles_for(bundle, capsys):
    assert main(["rank", bundle, "--history", "dota2", "Portal", "-k", "3"]) == 0
    played, ranking = capsys.readouterr().out.split("\n\n")
    assert played.splitlines() == ["played", "  dota2   taken for  Dota 2 [570]", "  Portal [400]"]
    wanted = [
        f"{place:>4}{score:>10.4f}  {GAMES[game - 2][1]} [{GAMES[game - 2][0]}]".replace("\t", "�").replace("\n", "�")
        for place, (game, score) in enumerate(reference([2, 3], 3), 1)
    ]
    head, line, *rows, end = ranking.splitlines()
    assert head == "rank     score  game"
    assert rows == wanted
    assert line == end == "-" * max(map(len, rows))


@pytest.mark.parametrize("k", [10, 4])
def test_by_default_ten_games_or_all_that_the_bundle_returns(k, tmp_path, capsys):
    folder = write(tmp_path / "bundle", files(model_bytes(k=k)), {**FIELDS, "k": k})
    assert main(["rank", str(folder), "--history", "Portal"]) == 0
    assert len(capsys.readouterr().out.split("\n\n")[1].splitlines()[2:-1]) == k


def test_what_else_it_may_be_is_said(bundle, capsys):
    assert main(["rank", bundle, "--history", "prtal", "twins", "8"]) == 0
    played = capsys.readouterr().out.split("\n\n")[0].splitlines()[1:]
    assert played == [
        "  prtal  taken for  Portal [400]   (not: Portal 2 [620])",
        "  twins  taken for  Twins [7]   (not: Twins [8])",
        "  Twins [8]",
    ]


def test_nothing_of_a_bundle_reaches_the_terminal_as_it_is(tmp_path, capsys):
    games = [(f"\x1b[31m{place}", f"\x1b]0;title\x07\u202e{place}") for place in range(NUM_GAMES)]
    write(tmp_path / "b", {**files(), "games.gz": pack_games(games)})
    assert main(["rank", str(tmp_path / "b"), "--history", "\x1b[31m3"]) == 0
    out = capsys.readouterr().out
    assert all(letter.isprintable() or letter == "\n" for letter in out)
    assert "�]0;title��4 [�[31m4]" in out


def test_letters_that_a_terminal_has_not_are_replaced(tmp_path, monkeypatch):
    write(tmp_path / "b", {**files(), "games.gz": pack_games([(str(n), f"ゲーム {n}") for n in range(NUM_GAMES)])})
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main(["rank", str(tmp_path / "b"), "--history", "3"]) == 0
    terminal.flush()
    assert b"??? 4 [4]" in terminal.buffer.getvalue()


def test_all_games_played(bundle, capsys):
    assert main(["rank", bundle, "--history", *(own_id for own_id, _ in GAMES)]) == 0
    assert "no game is left to rank" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--history", "zzzz"], "error: no game of the bundle is near 'zzzz'\n"),
        (["--history", "Portal", "\ud800"], "error: no game of the bundle is near '�'\n"),
        (["--history", ""], "error: no game of the bundle is near ''\n"),
        (["--history", "Portal", "-k", "11"], "error: k = 11\n"),
    ],
)
def test_errors_are_printed_without_traceback(bundle, words, said, capsys):
    assert main(["rank", bundle, *words]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(said)
    assert [line[:10] for line in err.splitlines()[1:]] == ["  wanted: ", "  to do:  "]


def test_no_bundle(tmp_path, capsys):
    assert main(["rank", str(tmp_path), "--history", "Portal"]) == 1
    assert capsys.readouterr().err.startswith("error: no bundle at")
