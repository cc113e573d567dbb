"""A tuning as a table and as one HTML page with Optuna's plots."""

import base64
import csv
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import optuna

from fastkf.base.files import write_text
from fastkf.runs.report.page import TEMPLATES
from fastkf.tune.experiment import Experiment
from fastkf.tune.progress import format_value
from fastkf.tune.status import Ending, find_best
from fastkf.tune.trials import Trial
from fastkf.tune.tuning import Tuning

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEWEST_TO_PLOT = 2


def write_table(experiment: Experiment, trials: list[Trial], path: Path) -> None:
    """Writes a line for each trial: its state, parameters, metrics and seconds."""
    names = [one["name"] for one in experiment.parameters]
    table = io.StringIO(newline="")
    rows = csv.writer(table)
    rows.writerow(["trial", "state", *names, *experiment.metrics, "seconds"])
    for trial in sorted(trials, key=lambda trial: trial.name):
        values = [trial.value(experiment, metric) for metric in experiment.metrics]
        given = [trial.assignments[name] for name in names]
        rows.writerow([trial.name, trial.state, *given, *values, round(trial.seconds, 2)])
    write_text(path, table.getvalue())


def write_report(experiment: Experiment, tuning: Tuning, ending: Ending, path: Path) -> None:
    """Writes the page.

    Args:
        tuning: it has ended.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([Path(__file__).parent / "templates", TEMPLATES]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["short"] = format_value
    page = environment.get_template("tuning.html.jinja").render(
        experiment=experiment,
        ending=ending,
        best=find_best(experiment, tuning.trials),
        trials=sorted(tuning.trials, key=lambda trial: trial.name),
        plots=draw_plots(tuning.study, experiment.metric),
    )
    write_text(path, page)


def draw_plots(study: optuna.Study, metric: str) -> dict[str, str]:
    """Optuna's plots of a study, each as the address (data:) of a picture."""
    import matplotlib

    matplotlib.use("Agg")
    from optuna.visualization import matplotlib as plots

    complete = study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE])
    if len(complete) < FEWEST_TO_PLOT:
        return {}
    drawn: dict[str, Callable[..., Axes]] = {"History": plots.plot_optimization_history}
    if len({trial.value for trial in complete}) > 1:  # else nothing is more important
        drawn["Parameter importances"] = plots.plot_param_importances
    if len(complete[0].params) > 1:
        drawn["Parallel coordinates"] = plots.plot_parallel_coordinate
    with warnings.catch_warnings(action="ignore"):  # experimental
        return {
            title: _encode(plot(study, target_name=metric).figure) for title, plot in drawn.items()
        }


def _encode(figure: Any) -> str:
    import matplotlib.pyplot as plt

    picture = io.BytesIO()
    figure.set_size_inches(8, 4.5)
    figure.savefig(picture, format="png", dpi=90, bbox_inches="tight")
    plt.close(figure)
    return "data:image/png;base64," + base64.b64encode(picture.getvalue()).decode()
