"""What a step has installed, read from its command."""

import pytest
from kfp import dsl

from fastkf.package.asked import ask
from fastkf.package.installs import (
    Install,
    find_installs,
    find_lack,
    list_present,
    list_runtime,
    read_install,
)

KFP = "PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --quiet --no-warn-script-location "


@pytest.mark.parametrize(
    ("script", "requirements", "options"),
    [
        (KFP + "'nothing-like-it' 'a>=1' && python3 -m x", ("nothing-like-it", "a>=1"), ()),
        ("pip3 install \\\n -q b", ("b",), ()),
        ("cd /tmp; /usr/bin/pip install 'x[y]; python_version>\"3\"'", None, ()),
        (KFP + "--index-url https://a/b a", ("a",), ("--index-url", "https://a/b")),
        ("pip install --index-url=https://a/b a", ("a",), ("--index-url", "https://a/b")),
        ("pip install -i https://a/b -r needs.txt", (), None),
        ("pip install --trusted-host https://a:8/b x", ("x",), ("--trusted-host", "a:8")),
    ],
)
def test_the_words_of_pip(script, requirements, options):
    [install] = find_installs(["sh", "-c", script])
    assert install.is_known
    if requirements is not None:
        assert install.requirements == requirements
    if options is not None:
        assert install.options == options


@pytest.mark.parametrize("script", ["echo pip install a", "pip list", "pip install $WHAT", "it's"])
def test_what_is_no_install_or_not_known_before(script):
    assert list(find_installs([script])) == []


def test_an_option_that_only_pip_knows():
    assert not read_install(["--prefix", "/x", "a"]).is_known
    assert ask([read_install(["--target", "/x", "nothing-like-it"])]) is None


@pytest.mark.parametrize(
    ("text", "lack"),
    [
        ("packaging", None),
        ("packaging==0.1", "here: "),
        ("nothing-like-it", "here: not installed"),
        ("/some/place/x.whl", "which is no name of a package"),
        ("nothing-like-it; python_version<'3'", None),
        ("fsspec[abfs]", "here: without "),
    ],
)
def test_what_is_lacking(text, lack):
    found = find_lack(text)
    assert found is None if lack is None else found is not None and found.startswith(lack)


def test_a_component_asks_for_its_packages_alone():
    """And not for the KFP that each component installs, without what that requires."""

    @dsl.component(
        base_image="python:3.11",
        packages_to_install=["nothing-like-it==1", "packaging"],
        pip_index_urls=["https://index.example/own"],
    )
    def one():
        pass

    container = one.component_spec.implementation.container
    *script, source = container.command
    asked = ask(find_installs(script), list_runtime(source))
    assert asked is not None
    assert asked.requirements == ("nothing-like-it==1", "packaging")
    assert asked.lacking == ("nothing-like-it==1 (here: not installed)",)
    address = "https://index.example/own"
    assert asked.options == ("--index-url", address, "--trusted-host", "index.example")


def test_nothing_is_asked_for_that_is_here():
    assert ask([Install(("packaging", "kfp==2.0"))]) is None
    assert ask([Install(("nbclient==0.1",))], ["nbclient"]) is None


@pytest.mark.parametrize(
    ("script", "present"),
    [
        (KFP + "'packaging' 'pip>=1'", ["--quiet --no-warn-script-location packaging pip>=1"]),
        ("pip install packaging && pip3 install 'kfp==0.1'", ["packaging"]),
        ("pip install \"gone==1; python_version<'3'\"", ["gone==1; python_version<'3'"]),
        ("pip install nothing-like-it; pip install -r packages.txt packaging", []),
        ("pip install --target=here packaging; pip install $NAME", []),
    ],
)
def test_installs_of_what_is_here(script, present):
    assert list(list_present(["sh", "-c", script])) == present
