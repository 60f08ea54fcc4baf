"""Embedding room (floor 1): ids -> vectors, in few bytes. Pure torch; knows only the contract.

Takes the vocabulary's size and a width -> gives a `CompressedEmbedding`. One export line per technique; these
names are what configurations and checkpoints hold.
"""

from memcom_rank.embeddings.base import CompressedEmbedding as CompressedEmbedding
from memcom_rank.embeddings.full import Full as Full
from memcom_rank.embeddings.low_bit import LowBit as LowBit
from memcom_rank.embeddings.memcom import MEmCom as MEmCom
from memcom_rank.embeddings.naive_hash import NaiveHash as NaiveHash
