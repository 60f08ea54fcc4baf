import pytest
import torch

from memcom_rank.embeddings import Amtl, Full, LowBit, MEmCom, ResidualCodes
from memcom_rank.export.packing import row_bytes
from memcom_rank.export.quantiser import BLOCK
from memcom_rank.export.swap import BITS, packed_copy
from tests.embeddings.techniques import TECHNIQUES
from tests.export.rankers import DIM, NUM_IDS, ranker


@pytest.mark.parametrize("name", TECHNIQUES)
def test_at_32_bits_every_technique_stays_what_it_is(name):
    model = ranker(TECHNIQUES[name].make(NUM_IDS, DIM))
    with torch.no_grad():
        torch.testing.assert_close(packed_copy(model, 32).embedding.dense()[1:], model.embedding.dense()[1:])


@pytest.mark.parametrize("bits", BITS)
def test_fewer_bits_are_further_away(bits):
    model = ranker(MEmCom(NUM_IDS, DIM, target_ratio=2))
    with torch.no_grad():
        found_VD, wanted_VD = packed_copy(model, bits).embedding.dense()[1:], model.embedding.dense()[1:]
    share = ((found_VD - wanted_VD).norm() / wanted_VD.norm()).item()
    assert share <= {32: 0, 16: 1e-3, 8: 0.01, 4: 0.15, 2: 0.6}[bits]
    assert share >= {32: 0, 16: 1e-5, 8: 1e-3, 4: 0.01, 2: 0.1}[bits]


def test_what_was_trained_in_few_bits_is_kept_as_it_was_trained():
    low_bit, codes = (LowBit(NUM_IDS, DIM, bits=3, target_ratio=4), ResidualCodes(NUM_IDS, DIM, target_ratio=2))
    packed = packed_copy(ranker(low_bit), 2).embedding
    with torch.no_grad():
        assert torch.equal(packed.table(), low_bit.table())
        packed = packed_copy(ranker(codes), 2).embedding
        assert torch.equal(packed.codebooks(), codes.codebooks())
        assert torch.equal(packed.scale(), codes.scale())
        assert torch.equal(packed.scale(torch.tensor([[3, 0]])), codes.scale(torch.tensor([[3, 0]])))
        assert torch.equal(packed.codes(torch.arange(NUM_IDS)), codes.codes(torch.arange(NUM_IDS)))


@pytest.mark.parametrize("bits", [8, 4, 2])
def test_bytes_are_those_of_the_bits_a_step_per_row_and_a_start_and_a_step_per_block(bits):
    model = ranker(MEmCom(NUM_IDS, DIM, target_ratio=2))
    rows, blocks = model.embedding.num_rows, -(-NUM_IDS // BLOCK)
    wanted = rows * (row_bytes(DIM, bits) + 2) + 2 * (NUM_IDS + blocks * 6)
    assert packed_copy(model, bits).embedding.num_bytes == wanted


@pytest.mark.parametrize(
    "name", ["Full", "MEmCom", "LearnedHash", "MergeRare evaluated", "LowBit at full width", "Mec"]
)
def test_at_32_bits_bytes_are_those_of_the_technique(name):
    embedding = TECHNIQUES[name].make(NUM_IDS, 8)
    overhead = 4 if "Residual" in name else 0  # the lowest level of the multipliers
    assert packed_copy(ranker(embedding), 32).embedding.num_bytes <= embedding.num_bytes + overhead


def test_a_row_of_learned_width_keeps_its_width():
    embedding = Amtl(NUM_IDS, DIM, target_ratio=2)
    packed = packed_copy(ranker(embedding), 32).embedding
    assert packed.num_bytes <= embedding.num_bytes


def test_the_model_itself_is_left_alone():
    model = ranker(Full(NUM_IDS, DIM))
    before = {name: values.clone() for name, values in model.state_dict().items()}
    packed_copy(model, 4)
    assert all(torch.equal(values, before[name]) for name, values in model.state_dict().items())
