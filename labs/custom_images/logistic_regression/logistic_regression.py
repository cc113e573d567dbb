"""Trains a logistic regression on a table, and measures it by cross-validation."""

from shared import call, positive_float, train, training_parser
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def main(words: list[str] | None = None) -> None:
    parser = training_parser(__doc__)
    parser.add_argument(
        "--strength", type=positive_float, default=1.0, help="C: small values hold back [1.0]"
    )
    arguments = parser.parse_args(words)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=arguments.strength, max_iter=1000))
    train(model, arguments)


if __name__ == "__main__":
    call(main)
