import torch

from memcom_rank.embeddings.low_bit_scalars import LowBitScalars
from memcom_rank.embeddings.quantise import STEPS


def test_numbers_are_levels_of_one_step_as_they_are_stored():
    torch.manual_seed(0)
    scalars = LowBitScalars(300)
    with torch.no_grad():
        scalars.values_N.normal_(1.0, 0.3)
    values, stored = scalars.values_N.tolist(), scalars.at_rest()
    rms = (sum(value * value for value in values) / 300) ** 0.5
    step = torch.tensor(STEPS[8] * rms).half().item()
    assert stored["step"].tolist() == [step]
    levels = [(code + 0.5) * step for code in range(-128, 128)]
    nearest = [min(levels, key=lambda level, value=value: abs(level - value)) for value in values]
    torch.testing.assert_close(scalars(), torch.tensor(nearest), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close((stored["codes"].float() - 127.5) * step, scalars(), rtol=1e-5, atol=1e-5)
    assert sum(tensor.nbytes for tensor in stored.values()) == LowBitScalars.bytes_of(300) == 302


def test_a_number_does_not_depend_on_what_else_is_asked_for():
    scalars = LowBitScalars(50)
    with torch.no_grad():
        scalars.values_N.normal_()
    assert all(torch.equal(scalars(torch.tensor(i)), scalars()[i]) for i in range(50))
