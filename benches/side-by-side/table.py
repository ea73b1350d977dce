"""The tables: Markdown, with ratios and accuracies as they are quoted."""

import math
import statistics

# The 97.5 % quantiles of Student's t by degrees of freedom, from 1.
T = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228]


def row(cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def heading(cells, numbers):
    """The head of a table whose last columns are numbers."""
    row(cells)
    row(["---"] * (len(cells) - numbers) + ["---:"] * numbers)


def speed(pairs):
    """Medians, and the median and the range of the ratios, of Alluvium's and PyTorch's seconds in each round."""
    ratios = [ours / theirs for ours, theirs in pairs]
    medians = [f"{statistics.median(side):.3g}" for side in zip(*pairs)]
    return [*medians, f"**{statistics.median(ratios):.2f}**", f"{min(ratios):.2f}–{max(ratios):.2f}"]


def accuracy(ours, theirs):
    """Both means over the seeds and their difference, each ± the half-width of its 95 % interval.

    A * says that the difference is more than noise. The sides deal characters to tasks by draws of their own, so that
    nothing is paired: Welch's t.
    """
    means, counts = [statistics.fmean(side) for side in (ours, theirs)], (len(ours), len(theirs))
    variances = [statistics.variance(side) / len(side) for side in (ours, theirs)]
    widths = [half_width(variance, count - 1) for variance, count in zip(variances, counts)]
    both = sum(variances)
    freedom = both**2 / sum(v**2 / (count - 1) for v, count in zip(variances, counts)) if both > 0 else 1
    difference, width = means[0] - means[1], half_width(both, freedom)
    cells = [f"{100 * mean:.1f} ± {100 * width:.1f}" for mean, width in zip(means, widths)]
    return [*cells, f"{100 * difference:+.1f} ± {100 * width:.1f}{' *' if abs(difference) > width else ''}"]


def half_width(variance, freedom):
    """Of the 95 % interval of a mean whose own variance that is."""
    return T[min(max(int(freedom), 1), len(T)) - 1] * math.sqrt(variance)
