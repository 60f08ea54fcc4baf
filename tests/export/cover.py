"""Which technique, bits and matcher are tried together in formats where all combinations would take minutes.

Each technique once, in its last mode, with bits and matchers in turn: as there are 4 and 3, each pair of the two
occurs as well.
"""

from functools import partial

from memcom_rank.models import LogSumExpMatch, MixtureMatch, PoolMatch
from tests.embeddings.techniques import TECHNIQUES

BITS = (32, 8, 4, 2)
MATCHERS = (PoolMatch, partial(LogSumExpMatch, match_dim=3), MixtureMatch)
_NAMES = {name.split()[0]: name for name in TECHNIQUES}.values()
COVER = [(name, BITS[place % len(BITS)], MATCHERS[place % len(MATCHERS)]) for place, name in enumerate(_NAMES)]
