"""Accumulation of species over sampling units, such as stations or weeks."""

import numpy as np
from numpy.typing import NDArray

from pipelines.diversity.rarefaction import share_without

Array = NDArray[np.float64]


def species_accumulation(incidence: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Return the expected number of species in 1 to all units, and its standard deviation.

    The exact mean over all orders of the units; the standard deviation from the correlations of the species over the
    units (Ugland, Gray & Ellingsen 2003, doi:10.1046/j.1365-2656.2003.00748.x).

    Args:
        incidence: (units, species) whether a species was recorded in a unit.

    Returns:
        Mean (units,) and standard deviation (units,).
    """
    units = len(incidence)
    frequency = incidence.sum(axis=0).astype(float)
    present = incidence[:, frequency > 0].astype(float)
    frequency = frequency[frequency > 0]
    missed = share_without(units - frequency, units, np.arange(1.0, units + 1)[:, None])
    spread = np.sqrt(missed * (1 - missed))
    # The correlation of two species over the units; a species in every unit has none.
    centred = present - present.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    scaled = np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)
    variance = ((spread @ (scaled.T @ scaled)) * spread).sum(axis=1)
    return (1 - missed).sum(axis=1), np.sqrt(np.maximum(variance, 0))
