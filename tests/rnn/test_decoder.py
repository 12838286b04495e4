"""Attention, decoding token by token, and the search for the likeliest sequence."""

from itertools import product

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from sknets.rnn.attention import AdditiveAttention, DotAttention, Memory
from sknets.rnn.cells import LSTM
from sknets.rnn.decoder import Decoder, Source, beam_search
from sknets.rnn.network import Recurrent, Tokens

N, STEPS, QUERY, MEMORY, TOKENS = 3, 4, 5, 6, 4
DRAWS = torch.Generator().manual_seed(0)
QUERIES = torch.randn(N, 2, QUERY, generator=DRAWS, dtype=torch.float64)
VALUES = torch.randn(N, STEPS, MEMORY, generator=DRAWS, dtype=torch.float64)
MASK = torch.arange(STEPS) < torch.tensor([[4], [2], [1]])
END = 1


def filled(module):
    draws = torch.Generator().manual_seed(0)
    module = module.double()
    for p in module.parameters():
        nn.init.normal_(p, 0, 0.7, generator=draws)
    return module


def made(make):
    with torch.device("meta"):
        module = make()
    return filled(module.to_empty(device="cpu")).eval()


def array(parameter):
    return parameter.detach().numpy()


def test_dot_attention_follows_its_equation():
    attention = made(lambda: DotAttention(QUERY, MEMORY))
    W = array(attention.weight.weight)
    expected = np.einsum("nta,ab,nsb->nts", QUERIES, W, VALUES)
    assert_allclose(attention.scores(QUERIES, VALUES).detach(), expected, atol=1e-12)


def test_additive_attention_follows_its_equation():
    attention = made(lambda: AdditiveAttention(QUERY, MEMORY))
    W, U = array(attention.query.weight), array(attention.memory.weight)
    v, b = array(attention.score.weight)[0], array(attention.memory.bias)
    q, m = QUERIES.numpy() @ W.T, VALUES.numpy() @ U.T + b
    expected = np.tanh(q[:, :, None] + m[:, None]) @ v
    assert_allclose(attention.scores(QUERIES, VALUES).detach(), expected, atol=1e-12)


@pytest.mark.parametrize("cls", [DotAttention, AdditiveAttention])
def test_what_fills_up_is_not_attended_to(cls):
    attention = made(lambda: cls(QUERY, MEMORY))
    with torch.no_grad():
        context, weights = attention(QUERIES, Memory(VALUES, MASK))
        assert_allclose(weights.sum(2), 1)
        assert_array_equal(weights.masked_select(~MASK[:, None]), 0)
        alone, _ = attention(QUERIES[1:2], Memory(VALUES[1:2, :2], None))
    assert_allclose(context[1:2], alone, atol=1e-12)
    assert_allclose(context, weights @ VALUES)


def decoder_with(attention, n_beside=0, forcing=(1.0, 1.0)):
    def make():
        tokens = Tokens(TOKENS, 3)
        n_inputs = Decoder.inputs_of(tokens, attention, MEMORY, n_beside)
        recurrent = Recurrent(LSTM, n_inputs, (QUERY,))
        layer = attention and attention(QUERY, MEMORY)
        return Decoder(tokens, recurrent, MEMORY, layer, MEMORY, forcing)

    return made(make)


def source_of(attention, n_beside=0):
    memory = Memory(VALUES, MASK) if attention else None
    beside = VALUES[:, 0, :n_beside] if n_beside else None
    return Source(VALUES[:, 0], memory, beside)


each = pytest.mark.parametrize("attention", [None, DotAttention, AdditiveAttention])


@each
@pytest.mark.parametrize("n_beside", [0, 2])
def test_tokens_are_read_at_once_or_one_by_one_alike(attention, n_beside):
    decoder, source = decoder_with(attention, n_beside), source_of(attention, n_beside)
    ids = torch.tensor([[0, 2, 3, 1]] * N)
    with torch.no_grad():
        whole = decoder(ids, source)
        first = decoder(ids[:, :1], source)
        rest = decoder(ids[:, 1:], source, first.states)
        taught = decoder_with(attention, n_beside, forcing=(1.0, 0.999999)).train()
        taught.sampled.generator = torch.Generator().manual_seed(0)
        one_by_one = taught(ids, source)
    assert_allclose(torch.cat([first.hidden, rest.hidden], 1), whole.hidden, atol=1e-12)
    assert_allclose(one_by_one.hidden, whole.hidden, atol=1e-12)
    if attention:
        assert whole.weights.shape == (N, 4, STEPS)


def test_scheduled_sampling_reads_its_own_tokens_more_and_more():
    decoder = decoder_with(None, forcing=(1.0, 0.0)).train()
    decoder.sampled.generator = torch.Generator().manual_seed(0)
    source = source_of(None)
    ids = torch.tensor([[0, 2, 3, 1]] * N)
    with torch.no_grad():
        decoder.sampled.progress = 0.0
        assert_allclose(decoder(ids, source).hidden, decoder.eval()(ids, source).hidden)
        decoder.train().sampled.progress = 1.0
        own = decoder(ids, source).hidden
        decoder.eval()
        read, states = ids[:, :1], None
        for t in range(4):
            written = decoder(read, source, states)
            assert_allclose(own[:, t], written.hidden[:, 0], atol=1e-12)
            read, states = decoder.head(written.hidden[:, -1:]).argmax(2), written.states


def log_probability(decoder, source, ids):
    read = torch.cat([torch.zeros(1, 1, dtype=torch.int64), ids[None, :-1]], 1)
    scores = decoder.head(decoder(read, source).hidden)[0].double()
    scores[:, 0] = -torch.inf
    return scores.log_softmax(1).gather(1, ids[:, None]).sum().item()


@each
@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_a_wide_beam_finds_the_best_of_all_sequences(attention, penalty):
    decoder, source = decoder_with(attention), source_of(attention)
    settings = dict(start=0, end=END, never=[0], max_length=3, length_penalty=penalty)
    with torch.no_grad():
        found = beam_search(decoder, source, **settings, beam_size=TOKENS**3)
        for i in range(N):
            one = Source(*(None if part is None else part[i : i + 1] for part in source[:1]))
            if attention:
                one = one._replace(memory=Memory(VALUES[i : i + 1], MASK[i : i + 1]))
            best = (-np.inf, ())
            for ids in product(range(1, TOKENS), repeat=3):
                cut = ids[: ids.index(END) + 1] if END in ids else ids
                log_p = log_probability(decoder, one, torch.tensor(cut))
                best = max(best, (log_p / len(cut) ** penalty, cut))
            ids = found.ids[i].tolist()
            ids = ids[: ids.index(END) + 1] if END in ids else ids
            assert tuple(ids) == best[1]
            assert found.log_p[i].item() / len(ids) ** penalty == pytest.approx(best[0])


def test_a_narrow_beam_takes_the_likeliest_token():
    decoder, source = decoder_with(DotAttention), source_of(DotAttention)
    with torch.no_grad():
        found = beam_search(decoder, source, start=0, end=END, never=[0], max_length=5)
        ids, states = torch.zeros(N, 1, dtype=torch.int64), None
        for t in range(found.ids.shape[1]):
            written = decoder(ids, source, states)
            scores = decoder.head(written.hidden[:, 0])
            scores[:, 0] = -torch.inf
            running = (found.ids[:, :t] != END).all(1)
            assert_array_equal(found.ids[running, t], scores.argmax(1)[running])
            ids, states = found.ids[:, t : t + 1], written.states
