"""Fetches the breast cancer table and splits it into one to learn from and one to test on."""

import argparse
import sys
from pathlib import Path

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split


def share(text: str) -> float:
    """For argparse: a share between 0 and 1."""
    if not 0 < float(text) < 1:
        raise ValueError
    return float(text)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output-train", type=Path, required=True, help="table to write (CSV)")
    parser.add_argument("--output-test", type=Path, required=True, help="table to write (CSV)")
    parser.add_argument("--test-size", type=share, default=0.25, help="share of the test [0.25]")
    parser.add_argument("--random-state", type=int, default=42, help="seed [42]")
    arguments = parser.parse_args(words)

    table = load_breast_cancer(as_frame=True).frame  # (569, 31)
    table["malignant"] = 1 - table.pop("target")
    train, test = train_test_split(
        table,
        test_size=arguments.test_size,
        stratify=table["malignant"],
        random_state=arguments.random_state,
    )
    for part, path in [(train, arguments.output_train), (test, arguments.output_test)]:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.to_csv(path, index=False)
    print(f"{len(train)} rows to learn from, {len(test)} to test on")


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"fetch_data.py: {error}")
