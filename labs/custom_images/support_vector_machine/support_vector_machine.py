"""Trains a support vector machine on a table, and measures it by cross-validation."""

from shared import call, positive_float, train, training_parser
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC


def main(words: list[str] | None = None) -> None:
    parser = training_parser(__doc__)
    parser.add_argument(
        "--strength", type=positive_float, default=1.0, help="C: small values hold back [1.0]"
    )
    parser.add_argument("--kernel", choices=["rbf", "linear"], default="rbf", help="[rbf]")
    arguments = parser.parse_args(words)
    model = make_pipeline(StandardScaler(), SVC(C=arguments.strength, kernel=arguments.kernel))
    train(model, arguments)


if __name__ == "__main__":
    call(main)
