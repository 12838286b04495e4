"""The network of a recurrent autoencoder: a sequence to a code, and a code to a sequence.

Srivastava, Mansimov and Salakhutdinov (2015), https://doi.org/10.48550/arXiv.1502.04681.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sknets._data import Batch
from sknets._sequences import Sequences
from sknets._training.losses import Loss
from sknets._training.steps import AutogradStep, StepResult, weighted_mean
from sknets.rnn.cells import reversed_steps
from sknets.rnn.decoder import Bridge
from sknets.rnn.network import Reader, Recurrent, as_dtype, as_sequences


class Likeliest(nn.Module):
    """The ids of the tokens of the highest scores."""

    def forward(self, scores: Tensor) -> Tensor:
        return scores.argmax(-1)


class RecurrentAutoencoderNet(nn.Module):
    """Recurrent layers that read, a linear layer that codes, and recurrent layers that write.

    The decoder starts from tanh(W c + b) of the code `c`, and reads the code at each step.

    Parameters
    ----------
    reader : Reader
    recurrent : Recurrent
        Of the encoder, whose last outputs are coded.
    n_code : int
        Numbers in a code.
    decoder : Recurrent
        Its inputs are those of `inputs_of`.
    n_outputs : int
        Raw outputs a step.
    answer : nn.Module
        From raw outputs to what steps are: numbers, or ids of tokens.
    reverse : bool
        Whether the last step is written first.
    feedback : bool
        Whether the decoder also reads the step that it wrote before.
    """

    def __init__(
        self,
        reader: Reader,
        recurrent: Recurrent,
        n_code: int,
        decoder: Recurrent,
        n_outputs: int,
        *,
        answer: nn.Module,
        reverse: bool = True,
        feedback: bool = False,
    ) -> None:
        super().__init__()
        self.reader, self.recurrent = reader, recurrent
        self.code = nn.Linear(recurrent.n_outputs, n_code)
        self.bridge = Bridge(n_code, decoder)
        self.decoder = decoder
        self.head = nn.Linear(decoder.n_outputs, n_outputs)
        self.answer = answer
        self.n_code, self.reverse, self.feedback = n_code, reverse, feedback

    @staticmethod
    def inputs_of(reader: Reader, n_code: int, feedback: bool) -> int:
        """How many numbers the decoder takes at each step."""
        return n_code + (reader.n_outputs if feedback else 0)

    def forward(self, x: Tensor | Sequences) -> Tensor:
        """Raw outputs of all real steps, given the code and, with feedback, the right steps."""
        steps = self.read(x)
        code = self.code_of(steps)
        # Differs from the paper, whose decoder has the code at its start alone: with feedback that
        # one listened too much to the step before (six times the error on sines); without, it
        # restored sines a little better and tokens worse.
        inputs = code[:, None].expand(-1, steps.shape[1], -1)
        if self.feedback:
            inputs = torch.cat([inputs, self.before(steps)], 2)
        outputs, _ = self.decoder(Sequences(inputs), self.bridge.states(code))
        return self.head(self.in_order(self.decoder.dropout(outputs), steps))

    def encode(self, x: Tensor | Sequences) -> Tensor:
        """The code of each sequence."""
        return self.code_of(self.read(x))

    def code_of(self, steps: Sequences) -> Tensor:
        """A linear function of the last outputs, in each direction."""
        _, last = self.recurrent(steps)
        return self.code(self.recurrent.dropout(last[-1][0]))

    def decode(self, code: Tensor, like: Sequences) -> Tensor:
        """Raw outputs of as many steps as some sequences have, from codes alone."""
        states, inputs = self.bridge.states(code), code[:, None]
        if not self.feedback:
            outputs, _ = self.decoder(Sequences(inputs.expand(-1, like.shape[1], -1)), states)
            return self.head(self.in_order(outputs, like))
        raw, before = [], code.new_zeros(len(code), 1, self.reader.n_outputs)
        for _ in range(like.shape[1]):
            outputs, states = self.decoder(Sequences(torch.cat([inputs, before], 2)), states)
            raw.append(self.head(outputs))
            before = self.read(Sequences(self.answer(raw[-1]))).values
        return self.in_order(torch.cat(raw, 1), like)

    def restore(self, x: Tensor | Sequences) -> Tensor:
        """Raw outputs of all real steps, from the codes of sequences alone."""
        steps = self.read(x)
        return self.decode(self.code_of(steps), steps)

    def read(self, x: Tensor | Sequences) -> Sequences:
        """Vectors a step, in the precision of the network."""
        return as_dtype(self.reader(x), self.head.weight.dtype)

    def before(self, steps: Sequences) -> Tensor:
        """What is read before each step is written: the one that was before, and zeros at first."""
        values = reversed_steps(steps) if self.reverse else steps.values
        return torch.cat([torch.zeros_like(values[:, :1]), values[:, :-1]], 1)

    def in_order(self, written: Tensor, like: Sequences) -> Tensor:
        """The real ones of steps as they were written, (n, time, ...), in the order of time."""
        steps = Sequences(written, like.lengths)
        return steps.joined(reversed_steps(steps) if self.reverse else written)


def errors(loss: Loss, raw: Tensor, x: Tensor | Sequences) -> Tensor:
    """The sum of a loss over the steps of each sequence, of shape (n,).

    Raw outputs are of all real steps, one sequence after another.
    """
    x = as_sequences(x)
    if x.values.is_floating_point():  # numbers, not ids
        x = x._replace(values=x.values.reshape(len(x.values), -1, raw.shape[1]))
    return x.apart(loss(raw, x.joined(x.values))).sum(1)


class SequenceStep(AutogradStep):
    """A training step of a network that restores sequences."""

    def evaluate(self, batch: Batch) -> StepResult:
        """The mean error over sequences, and the raw outputs of all steps, not detached."""
        with self.multiplying():
            raw = self.module(batch.x)
        raw = raw.to(self.gradient.dtype)
        return StepResult(weighted_mean(errors(self.loss, raw, batch.x), batch.weight), raw)
