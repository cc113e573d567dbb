import pandas as pd
import pytest
from fetch_data import main


def fetch(folder, *options):
    paths = [folder / "new" / "train.csv", folder / "test.csv"]
    main(["--output-train", str(paths[0]), "--output-test", str(paths[1]), *options])
    return [pd.read_csv(path) for path in paths]


def test_the_table_is_split_with_the_same_share_of_malignant_ones(tmp_path):
    train, test = fetch(tmp_path, "--test-size", "0.3")
    assert (len(train), len(test)) == (398, 171)
    assert list(train) == list(test)
    assert train["malignant"].mean() == pytest.approx(test["malignant"].mean(), abs=0.01)
    assert train["malignant"].mean() == pytest.approx(212 / 569, abs=0.01)


def test_the_seed_decides_the_split(tmp_path):
    first, again = fetch(tmp_path)[0], fetch(tmp_path)[0]
    other = fetch(tmp_path, "--random-state", "7")[0]
    assert first.equals(again)
    assert not first.equals(other)


def test_a_share_above_one_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        fetch(tmp_path, "--test-size", "1.5")
    assert end.value.code == 2
    assert "--test-size: invalid share value: '1.5'" in capsys.readouterr().err
