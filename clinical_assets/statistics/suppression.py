"""Small-cell suppression over linked counts: no count from 1 to k - 1 is shown, nor can it be worked out from what is.

The rule is the cell size policy of the US Centers for Medicare & Medicaid Services (k = 11; ResDAC, 2024-01-26). Which cells
must go besides the small ones (complementary suppression) is decided by linear programming, as in Fischetti & Salazar
(2001), with a greedy choice of the cell to withhold: safe, and close to the fewest, not proven to be the fewest.

The reader is taken to know the shown cells, the sums, and that counts are not negative. Zeros are never withheld as
complements: a sum that bounds a small cell too tightly always holds a shown cell above zero, which gives more room.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Sum", "bounds", "exposed", "suppress"]

_EPSILON = 1e-6
_SOLVED, _UNBOUNDED = 0, 3  # statuses of scipy's linprog


@dataclass(frozen=True)
class Sum:
    """``total`` is the sum of ``parts``; with one part the two cells are the same number."""

    total: str
    parts: tuple[str, ...]

    @property
    def cells(self) -> tuple[str, ...]:
        """The total and its parts."""
        return (self.total, *self.parts)


def suppress(
    counts: Mapping[str, int], sums: Sequence[Sum], *, k: int = 11, hidden: Collection[str] = ()
) -> frozenset[str]:
    """Return the cells to withhold.

    Parameters
    ----------
    counts
        Cell -> count.
    sums
        Every way in which a reader could add or subtract cells.
    k
        Counts from 1 to ``k - 1`` are small. Zero may be shown.
    hidden
        Cells that are never shown anyway, e.g. the rest of a population outside a subgroup. Small ones are protected too.

    Returns
    -------
    frozenset
        Cells to withhold, without `hidden` ones that are not in `counts`. For every small cell the reader's upper bound,
        given all shown cells, the sums, and that counts are not negative, is at least `k`: nothing proves that it is small,
        and as the true count is below `k`, the cell is not pinned either.

    Raises
    ------
    ValueError
        If a count is negative, a sum names an unknown cell or does not hold, or ``k < 1``.
    """
    _check(counts, sums, k)
    withheld = {cell for cell, n in counts.items() if 0 < n < k} | (set(hidden) & set(counts))
    for cells, linked in _components(counts, sums):
        small = [cell for cell in sorted(cells) if 0 < counts[cell] < k]
        added = _withhold_more(counts, linked, small, withheld, k)
        _show_again(counts, linked, small, withheld, added, k)
    return frozenset(withheld)


def bounds(
    counts: Mapping[str, int], sums: Sequence[Sum], withheld: Collection[str], cells: Collection[str]
) -> dict[str, tuple[float, float]]:
    """Return what a reader of the shown cells can work out of each asked cell.

    Parameters
    ----------
    counts, sums
        As for `suppress`.
    withheld
        Cells that are not shown.
    cells
        The cells asked for.

    Returns
    -------
    dict
        Cell -> least and greatest count that fits what is shown; inf where nothing bounds it. Bounds of a linear program:
        a reader who also uses that counts are whole may in odd sets of sums (not in two-way tables) know a little more.

    Raises
    ------
    ValueError
        As `suppress`, and if an asked cell is unknown.
    """
    _check(counts, sums)
    unknown = sorted(set(cells) - set(counts))
    if unknown:
        raise ValueError(f"bounds are asked for unknown cells: {', '.join(unknown[:5])}")
    found: dict[str, tuple[float, float]] = {}
    for members, linked in _components(counts, sums):
        system = _System(counts, linked, set(withheld))
        for cell in sorted(members & set(cells)):
            found[cell] = (system.minimum(cell), system.maximum(cell)[0]) if cell in withheld else (counts[cell],) * 2
    return found


def exposed(counts: Mapping[str, int], sums: Sequence[Sum], withheld: Collection[str], *, k: int = 11) -> list[str]:
    """Audit what is shown.

    Parameters
    ----------
    counts, sums, k
        As for `suppress`.
    withheld
        Cells that are not shown, `hidden` ones included.

    Returns
    -------
    list of str
        The small cells that are shown, or that what is shown proves to be below `k`, sorted. Empty means safe.

    Raises
    ------
    ValueError
        As `suppress`.
    """
    _check(counts, sums, k)
    found: list[str] = []
    for cells, linked in _components(counts, sums):
        small = [cell for cell in sorted(cells) if 0 < counts[cell] < k]
        found += [cell for cell in small if cell not in withheld]
        found += _below(_System(counts, linked, withheld), [cell for cell in small if cell in withheld], k)
    return sorted(found)


def _withhold_more(
    counts: Mapping[str, int], sums: Sequence[Sum], small: Sequence[str], withheld: set[str], k: int
) -> dict[str, str]:
    """Add cells to `withheld` until every small one is safe; return each added cell with the small cell that asked for it."""
    added: dict[str, str] = {}
    system = _System(counts, sums, withheld)
    left = system.unsettled(small, k)
    # Withholding more never lets a reader know more, so a cell found safe stays safe. The loop ends: each round settles a
    # cell or withholds one more, and with all withheld the sums bound nothing (all counts doubled would fit as well).
    while left:
        bound, witness, binding = system.maximum(left[0])
        if bound >= k - _EPSILON:
            left = [other for other in left[1:] if witness.get(other, 0.0) < k - _EPSILON]
            continue
        cell = _complement(counts, binding, withheld, needed=k - bound)
        added[cell] = left[0]
        withheld.add(cell)
        system = _System(counts, sums, withheld)
    return added


def _show_again(
    counts: Mapping[str, int],
    sums: Sequence[Sum],
    small: Sequence[str],
    withheld: set[str],
    added: Mapping[str, str],
    k: int,
) -> None:
    """Take back out of `withheld` the added cells, largest first and each tried once, that later ones made needless."""
    if len(added) < 2:  # the only one was withheld because it was needed
        return
    # Once is enough: showing more never makes a cell needless that was needed before.
    for cell in sorted(added, key=lambda name: (-counts[name], name)):
        # Showing it tells nothing of cells that no chain of withheld ones leads to; those are as safe as before.
        near, linked = _reached(sums, withheld, cell)
        # The small cell that asked for it comes first: mostly it still needs it, and one program settles that.
        order = sorted((name for name in small if name in near), key=lambda name: name != added[cell])
        if next(_below(_System(counts, linked, withheld - {cell}), order, k), None) is None:
            withheld.remove(cell)


def _reached(sums: Sequence[Sum], withheld: Collection[str], start: str) -> tuple[set[str], list[Sum]]:
    """Return the withheld cells that sums link to one through withheld cells only, itself included, and those sums."""
    holding: dict[str, list[int]] = {}
    for place, item in enumerate(sums):
        for cell in item.cells:
            if cell in withheld:
                holding.setdefault(cell, []).append(place)
    near, places, todo = {start}, set[int](), [start]
    while todo:
        for place in holding.get(todo.pop(), ()):
            if place not in places:
                places.add(place)
                found = [cell for cell in sums[place].cells if cell in withheld and cell not in near]
                near.update(found)
                todo += found
    return near, [sums[place] for place in sorted(places)]


def _below(system: _System, small: Sequence[str], k: int) -> Iterator[str]:
    """Yield the withheld small cells that the sums prove to be below `k`."""
    left = list(small)
    while left:
        bound, witness, _ = system.maximum(left[0])
        if bound < k - _EPSILON:
            yield left[0]
        # One solution often shows that many other cells may be large too. Not before the first is known to be: who asks
        # whether any is below is mostly answered by it.
        left = [other for other in left[1:] if witness.get(other, 0.0) < k - _EPSILON]
        while (rest := system.unsettled(left, k)) != left:
            left = rest


def _check(counts: Mapping[str, int], sums: Sequence[Sum], k: int = 1) -> None:
    if k < 1:
        raise ValueError(f"k is {k}; expected the smallest count that may be shown, at least 1")
    wrong = sorted(cell for cell, n in counts.items() if n != int(n) or n < 0)
    if wrong:
        raise ValueError(f"counts must be whole and not negative; see {', '.join(wrong[:5])}")
    for item in sums:
        unknown = [cell for cell in item.cells if cell not in counts]
        if unknown:
            raise ValueError(f"the sum of {item.total!r} names unknown cells: {', '.join(unknown[:5])}")
        added = sum(counts[part] for part in item.parts)
        if added != counts[item.total]:
            raise ValueError(
                f"{item.total!r} is {counts[item.total]}, but its {len(item.parts)} parts add up to {added}"
            )


def _components(counts: Mapping[str, int], sums: Sequence[Sum]) -> Iterator[tuple[set[str], list[Sum]]]:
    """Yield the groups of cells that sums connect, with their sums."""
    leader = {cell: cell for cell in counts}

    def find(cell: str) -> str:
        while leader[cell] != cell:
            leader[cell] = leader[leader[cell]]
            cell = leader[cell]
        return cell

    for item in sums:
        for part in item.parts:
            leader[find(part)] = find(item.total)
    groups: dict[str, tuple[set[str], list[Sum]]] = {}
    for cell in sorted(counts):
        groups.setdefault(find(cell), (set(), []))[0].add(cell)
    # Sorted, as the solver may settle ties by the order of rows: the choice depends on no order of the input.
    for item in sorted(sums, key=lambda one: one.cells):
        groups[find(item.total)][1].append(item)
    yield from groups.values()


def _complement(counts: Mapping[str, int], binding: Sequence[Sum], withheld: Collection[str], *, needed: float) -> str:
    """Choose the shown cell to withhold: the smallest that gives enough room, parts before totals; zeros last."""
    parts = {cell for item in binding for cell in item.parts}
    candidates = {cell for item in binding for cell in item.cells} - set(withheld)

    def cost(cell: str) -> tuple[bool, bool, int, bool, str]:
        n = counts[cell]
        enough = n >= needed
        # Too small ones: the largest first, so that few are needed.
        return (n == 0, not enough, n if enough else -n, cell not in parts, cell)

    return min(candidates, key=cost)


class _System:
    """The withheld cells of one component as unknowns, the sums as equations; solved by HiGHS."""

    def __init__(self, counts: Mapping[str, int], sums: Sequence[Sum], withheld: Collection[str]) -> None:
        # Shown cells move to the right side: the program holds the unknown ones only.
        from scipy.sparse import csr_matrix

        self._columns: dict[str, int] = {}
        self._sums: list[Sum] = []
        rows: list[int] = []
        columns: list[int] = []
        values: list[float] = []
        self._right: list[float] = []
        for item in sums:
            if not any(cell in withheld for cell in item.cells):
                continue
            known = 0.0
            for cell, sign in ((item.total, 1.0), *((part, -1.0) for part in item.parts)):
                if cell in withheld:
                    rows.append(len(self._sums))
                    columns.append(self._columns.setdefault(cell, len(self._columns)))
                    values.append(sign)
                else:
                    known -= sign * counts[cell]
            self._sums.append(item)
            self._right.append(known)
        shape = (len(self._sums), max(len(self._columns), 1))
        self._matrix = csr_matrix((values, (rows, columns)), shape=shape)

    def minimum(self, cell: str) -> float:
        """Return the least value of a withheld cell."""
        return max(0.0, float(self._solve(cell, 1.0).fun)) if cell in self._columns else 0.0

    def maximum(self, cell: str) -> tuple[float, dict[str, float], list[Sum]]:
        """Return the greatest value of a withheld cell, the solution that reaches it, and the sums that bound it."""
        if cell not in self._columns:
            return float("inf"), {}, []
        result = self._solve(cell, -1.0)
        if result.status == _UNBOUNDED:
            return float("inf"), {}, []
        witness = {name: float(result.x[column]) for name, column in self._columns.items()}
        duals = result.eqlin.marginals
        return -float(result.fun), witness, [self._sums[i] for i in range(len(self._sums)) if abs(duals[i]) > _EPSILON]

    def unsettled(self, cells: Sequence[str], k: int) -> list[str]:
        """Return those of `cells` that one solution does not show to be `k` or more: the one with most of them, roughly.

        One program instead of one a cell. It maximizes the sum of min(count, k) over the cells.
        """
        from scipy.optimize import linprog
        from scipy.sparse import coo_matrix, csr_matrix, hstack

        asked = [cell for cell in cells if cell in self._columns]
        if len(asked) < 2:
            return asked
        n, m = self._matrix.shape[1], len(asked)
        rows, places = list(range(m)), [self._columns[cell] for cell in asked]
        # capped_i <= count_i
        caps = coo_matrix(([1.0] * m + [-1.0] * m, (rows * 2, [n + row for row in rows] + places)), shape=(m, n + m))
        result = linprog(
            [0.0] * n + [-1.0] * m,
            A_ub=caps.tocsr(),
            b_ub=[0.0] * m,
            A_eq=hstack([self._matrix, csr_matrix((self._matrix.shape[0], m))], format="csr"),
            b_eq=self._right,
            bounds=[(0, None)] * n + [(0, float(k))] * m,
            method="highs",
        )
        if result.status != _SOLVED:  # each is asked by itself then
            return asked
        return [cell for cell, place in zip(asked, places, strict=True) if result.x[place] < k - _EPSILON]

    def _solve(self, cell: str, sign: float) -> Any:
        from scipy.optimize import linprog

        cost = [0.0] * len(self._columns)
        cost[self._columns[cell]] = sign
        result = linprog(cost, A_eq=self._matrix, b_eq=self._right, bounds=(0, None), method="highs")
        if result.status not in {_SOLVED, _UNBOUNDED}:
            raise RuntimeError(f"linear program for {cell!r} ended with status {result.status}: {result.message}")
        return result
