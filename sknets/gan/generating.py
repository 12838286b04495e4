"""What comes out of a generator: samples, codes between others, and codes of data."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from sknets._data import slices
from sknets._params import Interval, check_values
from sknets._random import Stream, draw_seed, generator
from sknets.base.conditional import ConditionalNetwork
from sknets.gan.latent import arc, line, nearest_codes

INVERTED_AT_ONCE = 500  # rows


class GenerativeNetwork(ConditionalNetwork):
    """Abstract: a network that has learnt to make samples of codes."""

    def _inputs(self, X: Any, strict: bool = False) -> Any:
        """Validated rows as the network takes them; if `strict`, nothing in them is unknown."""
        return X

    def _n_columns(self) -> int:
        """Of the network's inputs, without classes."""
        return self.n_features_in_

    def sample(self, n_samples: int = 1, *, y: Any = None, random_state: Any = None) -> np.ndarray:
        """Draw codes from their prior, and make samples of them.

        Parameters
        ----------
        n_samples : int, default=1
            How many. Ignored where `y` has several classes.
        y : object or array-like of shape (n_samples,), default=None
            The class of all, or of each, with conditional=True. None draws them by their shares in
            training. Ignored otherwise.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws.

        Returns
        -------
        x : ndarray of shape (n_samples, n_features)
            The samples.
        """
        return self._sampled(n_samples, y, random_state)

    def _sampled(self, n_samples: int, y: Any, random_state: Any, sampler: Any = None) -> Any:
        check_is_fitted(self)
        check_values("sample", SAMPLING, {"n_samples": n_samples})
        given = self._places_for(n_samples, y)
        seed = draw_seed(random_state)
        places = self._drawn_places(n_samples, seed) if given is None else given
        n = n_samples if places is None else len(places)
        return self._given_back(self._made(n, places, seed, sampler))

    def generate(self, codes: Any, *, y: Any = None) -> np.ndarray:
        """Make samples of given codes.

        Parameters
        ----------
        codes : array-like of shape (n_samples, n_components)
            The codes.
        y : object or array-like of shape (n_samples,), default=None
            The class of all, or of each, which conditional=True needs.

        Returns
        -------
        x : ndarray of shape (n_samples, n_features)
            The samples; what is drawn beside codes is what is likeliest.
        """
        codes = self._checked_codes(codes)
        return self._given_back(self._by_codes(codes, self._needed_places(len(codes), y), None))

    def interpolate(self, start: Any, end: Any, n_steps: int = 10, *, y: Any = None) -> np.ndarray:
        """Make samples of codes along the way from one to another.

        Of a normal prior the way is an arc, on which codes are as long as those that were learnt
        from (White, 2016, https://arxiv.org/abs/1609.04468).

        Parameters
        ----------
        start, end : array-like of shape (n_components,)
            The codes.
        n_steps : int, default=10
            Points of the way, both ends among them.
        y : object, default=None
            The class of all, which conditional=True needs.

        Returns
        -------
        x : ndarray of shape (n_steps, n_features)
            The samples.
        """
        check_values("interpolate", SAMPLING, {"n_steps": n_steps})
        first, last = (self._checked_codes(np.reshape(code, (1, -1)))[0] for code in (start, end))
        along = arc if self.module_.prior.kind == "normal" else line
        way = along(first, last, np.linspace(0, 1, n_steps)[:, None])
        return self.generate(way, y=y)

    def invert(
        self, X: Any, y: Any = None, *, n_steps: int = 300, n_starts: int = 8, random_state: Any = 0
    ) -> np.ndarray:
        """Find the codes whose samples are nearest to data.

        Adam, its rate falling to 0, descends on the squared distance in the network's units from
        several random codes, of which each row keeps the best [1]_.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data, or what else the class takes, such as images.
        y : array-like of shape (n_samples,), default=None
            Classes, which conditional=True needs.
        n_steps : int, default=300
            Steps of the descent.
        n_starts : int, default=8
            Codes from which it starts.
        random_state : int, RandomState instance or None, default=0
            Seed of the starts.

        Returns
        -------
        codes : ndarray of shape (n_samples, n_components)
            The codes.

        References
        ----------
        .. [1] Lipton and Tripathi (2017). "Precise recovery of latent vectors from generative
           adversarial networks." https://arxiv.org/abs/1702.04782
        """
        how = {"n_steps": n_steps, "n_starts": n_starts}
        check_values("invert", INVERSION, how)
        rows = self._inputs(self._validated_rows(X))
        rows = self._joined(rows, self._needed_places(rows.shape[0], y))
        rows = np.asarray(rows.toarray() if hasattr(rows, "toarray") else rows[:])
        like = next(self.module_.parameters())
        drawn = generator(draw_seed(random_state), Stream.SAMPLE, device=like.device)
        starts = self.module_.prior(n_starts, like, drawn)
        parts = [
            nearest_codes(self.module_, torch.from_numpy(rows[part]).to(like), starts, n_steps)
            for part in slices(len(rows), INVERTED_AT_ONCE)
        ]
        return torch.cat(parts).cpu().numpy().astype(rows.dtype, copy=False)

    def _checked_codes(self, codes: Any) -> np.ndarray:
        check_is_fitted(self)
        codes = check_array(codes, dtype=(np.float64, np.float32), input_name="codes")
        n = self.module_.prior.n
        if codes.shape[1] != n:
            raise ValueError(
                f"Codes of this {type(self).__name__} have {n} numbers. Got {codes.shape[1]}."
            )
        return codes

    def _needed_places(self, n: int, y: Any) -> np.ndarray | None:
        """The places of the classes of rows or codes, which are needed if there are any."""
        if not self._n_classes:
            return None
        if y is None:
            raise ValueError("conditional=True needs the class of each sample: give y.")
        places = self._places_for(n, y)
        assert places is not None
        if len(places) != n:
            raise ValueError(f"y has {len(places)} classes for {n} samples.")
        return places

    def _made(
        self, n: int, places: np.ndarray | None, seed: int, sampler: Any = None
    ) -> np.ndarray:
        """Samples as the network's columns."""
        like = next(self.module_.parameters())
        drawn = generator(seed, Stream.SAMPLE, device=like.device)
        z = self.module_.prior(n, like, drawn).cpu().numpy()
        return self._by_codes(z, places, drawn, sampler)

    def _by_codes(
        self,
        codes: np.ndarray,
        places: np.ndarray | None,
        drawn: torch.Generator | None,
        sampler: Any = None,
    ) -> np.ndarray:
        """Samples of codes as the network's columns, a slice of them at a time.

        They are made by the network's ``sample``, or what takes the same.
        """
        n, make = codes.shape[1], sampler or self.module_.sample
        inputs = self._joined(codes, places)
        return self._by_rows(inputs, lambda x: make(x[:, :n], x[:, n:], drawn))

    def _given_back(self, values: np.ndarray) -> np.ndarray:
        """Values of the network's columns as data in the form of the fit."""
        return values


SAMPLING = {
    "n_samples": [Interval(Integral, 1, None, closed="left")],
    "n_steps": [Interval(Integral, 2, None, closed="left")],
}
INVERSION = {name: [Interval(Integral, 1, None, closed="left")] for name in ("n_steps", "n_starts")}
