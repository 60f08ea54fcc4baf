"""A log with facts of its users, written line by line."""

import random


def write_label_log(path, *, users=600, games=60, seed=3):
    """Write user, game, churn, genre, day; 8 games a user, most of them of its own taste.

    churn follows the taste of the user, but for a tenth of the users; genre is that of the game.
    """
    draw, lines = random.Random(seed), ["user,game,churn,genre,day"]
    for user in range(users):
        taste = draw.random() < 0.4
        churn = "yes" if taste != (draw.random() < 0.1) else "no"
        own = [game for game in range(games) if (game % 5 < 2) == taste]
        for day, game in enumerate(draw.sample(own + draw.sample(range(games), 6), 8), 1):
            lines.append(f"{user},{game},{churn},{'abcde'[game % 5]},2020-01-{day:02d}")
    path.write_text("\n".join(lines) + "\n")
    return path
