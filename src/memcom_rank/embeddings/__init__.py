"""Embedding room (floor 1): ids -> vectors, in few bytes. Pure torch; knows only the contract.

Takes the vocabulary's size and a width -> gives a `CompressedEmbedding`. One export line per technique; these
names are what configurations and checkpoints hold.
"""

from memcom_rank.embeddings.amtl import Amtl as Amtl
from memcom_rank.embeddings.auto import Auto as Auto
from memcom_rank.embeddings.base import CompressedEmbedding as CompressedEmbedding
from memcom_rank.embeddings.deep_hash import DeepHash as DeepHash
from memcom_rank.embeddings.double_hash import DoubleHash as DoubleHash
from memcom_rank.embeddings.feature_hash import FeatureHash as FeatureHash
from memcom_rank.embeddings.frequency_double_hash import FrequencyDoubleHash as FrequencyDoubleHash
from memcom_rank.embeddings.full import Full as Full
from memcom_rank.embeddings.hash_embedding import HashEmbedding as HashEmbedding
from memcom_rank.embeddings.learned_hash import LearnedHash as LearnedHash
from memcom_rank.embeddings.low_bit import LowBit as LowBit
from memcom_rank.embeddings.low_rank import LowRank as LowRank
from memcom_rank.embeddings.mec import Mec as Mec
from memcom_rank.embeddings.mem_rec import MemRec as MemRec
from memcom_rank.embeddings.memcom import MEmCom as MEmCom
from memcom_rank.embeddings.merge_rare import MergeRare as MergeRare
from memcom_rank.embeddings.mixed_dim import MixedDim as MixedDim
from memcom_rank.embeddings.mixed_precision import MixedPrecision as MixedPrecision
from memcom_rank.embeddings.naive_hash import NaiveHash as NaiveHash
from memcom_rank.embeddings.quotient_remainder import QuotientRemainder as QuotientRemainder
from memcom_rank.embeddings.reduced_dim import ReducedDim as ReducedDim
from memcom_rank.embeddings.residual_codes import ResidualCodes as ResidualCodes
from memcom_rank.embeddings.truncated import Truncated as Truncated
