"""Trains a Gaussian naive Bayes classifier on a table, and measures it by cross-validation."""

from shared import call, positive_float, train, training_parser
from sklearn.naive_bayes import GaussianNB


def main(words: list[str] | None = None) -> None:
    parser = training_parser(__doc__)
    parser.add_argument(
        "--smoothing",
        type=positive_float,
        default=1e-9,
        help="share of the largest variance that is added to all of them [1e-9]",
    )
    arguments = parser.parse_args(words)
    train(GaussianNB(var_smoothing=arguments.smoothing), arguments)


if __name__ == "__main__":
    call(main)
