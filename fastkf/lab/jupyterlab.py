"""`python -m jupyterlab` without the second that importing jsonschema takes (see base/iri.py)."""

import runpy

from fastkf.base.iri import import_jsonschema

if __name__ == "__main__":
    import_jsonschema()
    runpy.run_module("jupyterlab", run_name="__main__", alter_sys=True)
