"""Trains a decision tree on a table, and measures it by cross-validation."""

from shared import call, positive_int, train, training_parser
from sklearn.tree import DecisionTreeClassifier


def main(words: list[str] | None = None) -> None:
    parser = training_parser(__doc__)
    parser.add_argument(
        "--max-depth", type=positive_int, default=4, help="questions in a row that it may ask [4]"
    )
    arguments = parser.parse_args(words)
    model = DecisionTreeClassifier(
        max_depth=arguments.max_depth, random_state=arguments.random_state
    )
    train(model, arguments)


if __name__ == "__main__":
    call(main)
