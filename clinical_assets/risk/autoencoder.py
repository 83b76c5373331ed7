"""An autoencoder that brings vectors to a few numbers, fitted on training rows: the alternative to principal components."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["apply_encoder", "fit_encoder"]

Floats = npt.NDArray[np.float64]

_EPOCHS, _PATIENCE, _BATCH = 200, 12, 64
_HELD_OUT = 0.15


def fit_encoder(values: Floats, size: int, seed: int) -> dict[str, npt.NDArray[Any]]:
    """Return the encoder's half of a network that reads vectors through `size` tanh units and writes them again.

    Trained with Adam on the squared error of the centred vectors, at the epoch with the lowest error on held-out training rows.

    Parameters
    ----------
    values
        Training rows, shape (n, d), n at least 2.
    size
        Hidden units.
    seed
        Of weights, order and the held-out rows.

    Returns
    -------
    dict
        mean (d,), components (size, d), bias (size,).
    """
    import torch

    mean = values.mean(axis=0)
    spread = float((values - mean).std()) or 1.0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        data = torch.from_numpy(((values - mean) / spread).astype(np.float32))
        order = torch.randperm(len(data))
        n_held = max(1, round(_HELD_OUT * len(data)))
        held, train = order[:n_held], order[n_held:]
        encode, decode = torch.nn.Linear(data.shape[1], size), torch.nn.Linear(size, data.shape[1])
        optimizer = torch.optim.Adam([*encode.parameters(), *decode.parameters()], lr=3e-3, weight_decay=1e-5)
        best, since, kept = float("inf"), 0, encode.state_dict()
        for _ in range(_EPOCHS):
            for part in train[torch.randperm(len(train))].split(_BATCH):
                optimizer.zero_grad()
                torch.nn.functional.mse_loss(decode(torch.tanh(encode(data[part]))), data[part]).backward()
                optimizer.step()
            with torch.no_grad():
                now = float(torch.nn.functional.mse_loss(decode(torch.tanh(encode(data[held]))), data[held]))
            better = now < best - 1e-6
            best, since = (now, 0) if better else (best, since + 1)
            if better:
                kept = {name: value.detach().clone() for name, value in encode.state_dict().items()}
            if since >= _PATIENCE:
                break
    return {
        "mean": mean,
        "components": np.ascontiguousarray(kept["weight"].numpy(), dtype=np.float64) / spread,
        "bias": np.asarray(kept["bias"].numpy(), dtype=np.float64),
    }


def apply_encoder(arrays: dict[str, npt.NDArray[Any]], values: Floats) -> Floats:
    """Return the hidden units of each row, shape (n, size), from the arrays of `fit_encoder`: no torch is needed."""
    return np.asarray(np.tanh((values - arrays["mean"]) @ arrays["components"].T + arrays["bias"]), dtype=np.float64)
