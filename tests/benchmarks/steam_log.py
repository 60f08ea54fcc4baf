"""A small log in the form of steam-200k.csv."""

import random


def write_log(path):
    """Two groups of 30 users, each with 100 games of its own, of which a user has 9."""
    draw, lines = random.Random(3), []
    for user in range(60):
        for game in draw.sample(range(user % 2, 200, 2), 9):
            lines += [f'{user},"Game {game}",purchase,1.0,0', f'{user},"Game {game}",play,{game + 1}.0,0']
    path.write_text("\n".join(lines) + "\n")
    return path
