"""Made-up titles for the synthetic world: an adjective, a noun of the game's genre, and a number for sequels."""

import numpy as np

GENRES: dict[str, tuple[str, ...]] = {
    "adventure": ("Lantern", "Island", "Compass", "Voyage", "Cavern", "Lighthouse", "Atlas", "Harbour"),
    "farming": ("Orchard", "Meadow", "Harvest", "Beehive", "Garden", "Windmill", "Vineyard", "Pumpkin"),
    "strategy": ("Empire", "Citadel", "Frontier", "Banner", "Council", "Dynasty", "Outpost", "Gambit"),
    "racing": ("Circuit", "Rally", "Drift", "Turbo", "Motorway", "Slipstream", "Hairpin", "Grid"),
    "puzzle": ("Labyrinth", "Prism", "Riddle", "Mosaic", "Clockwork", "Cipher", "Domino", "Origami"),
    "roleplaying": ("Saga", "Wizard", "Dragon", "Rune", "Tavern", "Oracle", "Crown", "Chronicle"),
    "simulation": ("Railway", "Airport", "Bakery", "Aquarium", "Factory", "Hospital", "Theatre", "Zoo"),
    "space": ("Nebula", "Comet", "Orbit", "Starship", "Galaxy", "Pulsar", "Colony", "Eclipse"),
    "sports": ("League", "Striker", "Champion", "Stadium", "Marathon", "Tennis", "Golf", "Snowboard"),
    "mystery": ("Detective", "Manor", "Whisper", "Alibi", "Fog", "Shadow", "Archive", "Witness"),
    "platformer": ("Jumper", "Acorn", "Spring", "Treetop", "Bounce", "Fox", "Robot", "Balloon"),
    "music": ("Melody", "Rhythm", "Orchestra", "Cadence", "Vinyl", "Chorus", "Echo", "Tempo"),
}
_ADJECTIVES = (
    "Amber", "Brave", "Bright", "Crimson", "Curious", "Distant", "Dusty", "Emerald", "Endless", "Fabled", "Forgotten",
    "Frozen", "Gentle", "Gilded", "Golden", "Happy", "Hidden", "Hollow", "Iron", "Ivory", "Last", "Little", "Lost",
    "Lucky", "Midnight", "Misty", "Nimble", "Northern", "Painted", "Paper", "Quiet", "Rising", "Royal", "Rusty",
    "Sapphire", "Scarlet", "Secret", "Silent", "Silver", "Sleepy", "Sunken", "Swift", "Tiny", "Velvet", "Wandering",
    "Wild", "Winter", "Wooden",
)  # fmt: skip


def titles(genre: np.ndarray, rng: np.random.Generator) -> list[str]:
    """Return a title for every game, all different.

    Args:
        genre: (games,) position in `GENRES`.
        rng: shuffles each genre's names.
    """
    result = np.empty(len(genre), object)
    for number, nouns in enumerate(GENRES.values()):
        names = [f"{adjective} {noun}" for noun in nouns for adjective in _ADJECTIVES]
        order = rng.permutation(len(names))
        for place, game in enumerate(np.flatnonzero(genre == number)):
            sequel, name = divmod(place, len(names))
            result[game] = names[order[name]] + (f" {sequel + 1}" if sequel else "")
    return [str(title) for title in result]
