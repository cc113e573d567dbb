"""A bayesian search with a Gaussian process: four real trials, the surrogate, the next trial."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import norm
from sklearn.datasets import load_digits
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

from tools.figures.kit import Figure, Scale, scale

LOW, HIGH = -4.0, 1.0  # of log10(gamma)
TRIED = [-3.4, -2.4, -1.6, 0.3]
GRID = np.linspace(LOW, HIGH, 161)


def try_gammas(powers: Sequence[float]) -> np.ndarray:
    """The validation accuracy of a support vector machine on digits, for each power of ten."""
    images, digits = load_digits(return_X_y=True)
    rest, _, names, _ = train_test_split(
        images / 16, digits, test_size=597, stratify=digits, random_state=42
    )
    train, valid, train_names, valid_names = train_test_split(
        rest, names, test_size=600, stratify=names, random_state=42
    )
    models = [SVC(C=1.0, gamma=10.0**power).fit(train, train_names) for power in powers]
    return np.array([model.score(valid, valid_names) for model in models])


def predict(accuracies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of a Gaussian process through the trials, along `GRID`."""
    kernel = ConstantKernel(0.3**2) * RBF(length_scale=0.6)
    process = GaussianProcessRegressor(kernel, alpha=1e-4, optimizer=None)
    centre = accuracies.mean()
    process.fit(np.array(TRIED)[:, None], accuracies - centre)
    mean, deviation = process.predict(GRID[:, None], return_std=True)
    return mean + centre, deviation


def expect_improvement(mean: np.ndarray, deviation: np.ndarray, best: float) -> np.ndarray:
    """By how much a trial is expected to be better than the best one."""
    z = (mean - best) / deviation
    return (mean - best) * norm.cdf(z) + deviation * norm.pdf(z)


def draw() -> Figure:
    accuracies = try_gammas(TRIED)
    mean, deviation = predict(accuracies)
    improvement = expect_improvement(mean, deviation, accuracies.max())
    following = GRID[improvement.argmax()]
    result = try_gammas([following])[0]
    figure = Figure(
        "bayesian_search",
        "Bayesian search: the surrogate and the next trial",
        f"Four trials of gamma have validation accuracies from {accuracies.min():.3f} to "
        f"{accuracies.max():.3f}. A Gaussian process draws a curve through them, with a band that "
        "is wide where nothing was tried. The expected improvement is largest at "
        f"{10**following:.2f}, between two trials. Tried there, the accuracy is {result:.3f}, "
        "better than before.",
        height=478,
    )
    across, up = scale(LOW, HIGH, 50, 340), scale(0.1, 1.2, 250, 50)
    _draw_axes(figure, across, up)
    places = [across(power) for power in GRID]
    band = [*zip(places, up(mean + deviation), strict=True)]
    band += reversed([*zip(places, up(mean - deviation), strict=True)])
    figure.path(band, "band")
    figure.path(zip(places, up(mean), strict=True))
    for power, accuracy in zip(TRIED, accuracies, strict=True):
        figure.dot((across(power), up(accuracy)))
    rise = scale(0, improvement.max(), 366, 316)
    figure.path(zip(places, rise(improvement), strict=True))
    figure.line((across(following), 366), (across(following), up(result)), dashed=True)
    figure.dot((across(following), up(result)), 5, "mark")
    figure.dot((across(following), 316), 5, "mark")
    _write(figure, following, result)
    return figure


def _draw_axes(figure: Figure, across: Scale, up: Scale) -> None:
    figure.text((15, 24), "Accuracy of the trials, and the surrogate", style="strong")
    figure.line((50, 45), (50, 250), (345, 250))
    for value in (0.4, 0.6, 0.8, 1.0):
        figure.text((44, up(value) + 4), f"{value:.1f}", style="soft", anchor="end")
    figure.text((15, 302), "Expected improvement", style="strong")
    figure.line((50, 308), (50, 366), (345, 366))
    for power in range(int(LOW), int(HIGH) + 1):
        words = f"{10.0**power:g}"
        for foot in (267, 383):
            figure.text((across(power), foot), words, style="soft", anchor="middle")
    figure.text((345, 283), "gamma", style="soft", anchor="end")


def _write(figure: Figure, following: float, result: float) -> None:
    figure.dot((20, 402))
    figure.text((32, 406), "four trials that were made")
    figure.path([(14, 423), (26, 423)])
    figure.text((32, 427), "mean; band: one standard deviation")
    figure.dot((20, 444), 5, "mark")
    figure.text((32, 448), f"the next trial: gamma {10**following:.2f}")
    figure.text((32, 467), f"Then tried: accuracy {result:.3f}, the best so far.")
