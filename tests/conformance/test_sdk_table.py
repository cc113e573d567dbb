"""The table of the SDK's features is of the installed SDK, and true."""

import pytest

from fastkf.package.model import Package


@pytest.fixture(scope="module")
def sdk_table():
    import sdk_table

    return sdk_table


def test_the_page_is_of_this_sdk_and_of_this_fastkf(sdk_table):
    said = "make it anew: python tests/conformance/sdk_table.py"
    assert sdk_table.PAGE.read_text(encoding="utf-8") == sdk_table.write_page(), said


def test_each_feature_has_something_that_shows_it_or_is_the_sdks_own(sdk_table):
    rows = [row for part in sdk_table.make_rows().values() for row in part]
    assert len(rows) > 200
    assert [row.feature for row in rows if not row.shown_by and row.here != "SDK"] == []
    assert {row.here for row in rows} == {"yes", "given", "listed", "refused", "SDK"}


def test_a_package_is_read_as_the_compilers_options_have_made_it(tmp_path):
    from kfp import compiler
    from small_packages import square

    path = tmp_path / "named.yaml"
    compiler.Compiler().compile(
        pipeline_func=square,
        package_path=str(path),
        pipeline_name="named",
        pipeline_display_name="Named",
        pipeline_parameters={"n": 3},
    )
    package = Package.read(path)
    assert (package.name, package.defaults) == ("named", {"n": 3})
