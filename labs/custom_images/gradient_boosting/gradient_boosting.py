"""Trains gradient-boosted trees on a table, and measures them by cross-validation."""

from shared import call, positive_float, positive_int, train, training_parser
from sklearn.ensemble import GradientBoostingClassifier


def main(words: list[str] | None = None) -> None:
    parser = training_parser(__doc__)
    parser.add_argument("--trees", type=positive_int, default=50, help="how many [50]")
    parser.add_argument(
        "--learning-rate", type=positive_float, default=0.1, help="weight of each tree [0.1]"
    )
    arguments = parser.parse_args(words)
    model = GradientBoostingClassifier(
        n_estimators=arguments.trees,
        learning_rate=arguments.learning_rate,
        random_state=arguments.random_state,
    )
    train(model, arguments)


if __name__ == "__main__":
    call(main)
