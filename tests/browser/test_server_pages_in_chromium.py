"""The server's pages in a real browser: live, by keyboard, on a phone, behind a base URL."""

import contextlib
import http.client
import http.server
import json
import threading
from urllib.parse import urlsplit

import browser
import pytest
from made_runs import serve_place, step
from servers import chain
from waiting import wait_for

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
GATED = """
import pathlib, time
print("step {0} begins", flush=True)
while not pathlib.Path(watched, "gate-{0}").exists():
    time.sleep(0.1)
print("step {0} ends", flush=True)
return rows"""
GRAVE = ("serious", "critical")
PHONE = {"width": 390, "height": 844}
# The texts whose contrast with what is behind them is less than 4.5 (WCAG 2.2, AA).
FAINT = """() => {
  const read = text => text.match(/[\\d.]+/g).map(Number);
  const linear = v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) =>
    .2126 * linear(r / 255) + .7152 * linear(g / 255) + .0722 * linear(b / 255);
  const behind = one => {
    for (let e = one; e; e = e.parentElement) {
      const color = read(getComputedStyle(e).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const one of document.querySelectorAll("body *:not(svg *)")) {
    const own = [...one.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!own || !one.checkVisibility() || one.disabled || one.closest("option")) continue;
    const [a, b] = [light(read(getComputedStyle(one).color)), light(behind(one))];
    const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (contrast < 4.5) faint.push(`${one.textContent.trim().slice(0, 30)} ${contrast.toFixed(2)}`);
  }
  return faint;
}"""


@pytest.fixture
def visit(chromium, place):
    """`visit(address)`: a page of the server. None may complain, or ask anything elsewhere."""
    with contextlib.ExitStack() as stack:
        pages = []

        def call(address: str = "", base: str | None = None, **settings) -> browser.WatchedPage:
            base = base or f"{place.server.url}/"
            link = f"{base}?token={place.server.token}{address}"
            page = stack.enter_context(browser.open_page(chromium, link, **settings))
            page.wait_for_selector("#content > [data-part]")
            pages.append((page, base))
            return page

        yield call
        for page, base in pages:
            assert page.complaints == []
            assert page.requested_elsewhere(base) == []


def find_barriers(page) -> list[str]:
    """What axe finds serious or critical on a page."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe
    is_there = page.evaluate("'axe' in window")  # 570 kB, and a document needs them once
    found = (axe("0") if is_there else axe()).run(page.page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in GRAVE]


def state_of(page, name: str) -> str:
    return page.locator(f'svg [data-step="{name}"]').get_attribute("class").split()[1]


def focused(page) -> str:
    return page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()")


def tab_to(page, wanted: str, most: int = 60) -> None:
    """Presses Tab until something whose id or text begins so has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if focused(page).startswith(wanted):
            return
    raise AssertionError(f"Tab does not reach {wanted!r}")


def test_a_run_is_started_with_a_form_and_followed_live(place, visit, tmp_path):
    sources = [GATED.format(number) for number in (1, 2)]
    package = chain(*sources, name="gated", parameters={"rows": 3, "watched": ""})
    pipeline, _ = place.add_pipeline("gated", package)
    page = visit(f"#/pipelines/details/{pipeline}")
    page.get_by_label("rows").fill("3.5")
    page.get_by_role("button", name="Start the run").click()
    field = page.locator("[data-field]", has_text="rows")
    assert "takes a whole number, not “3.5”" in field.inner_text()
    assert focused(page) == "parameter-1"
    page.get_by_label("rows").fill("4")
    page.get_by_label("watched").fill(str(tmp_path))
    page.get_by_label("Name of the run").fill("my run")
    page.get_by_role("button", name="Start the run").click()
    page.wait_for_url("**/#/runs/details/*")

    page.locator("svg .running[data-step='step-1']").wait_for()
    assert state_of(page, "step-2") == "pending"
    assert page.title().startswith("▶ Running: my run")
    log = page.locator("[data-log] pre")
    browser_sees(log, "step 1 begins")
    assert "step 1 ends" not in log.inner_text()
    (tmp_path / "gate-1").touch()

    page.locator("svg .running[data-step='step-2']").wait_for()
    assert state_of(page, "step-1") == "succeeded"
    assert "1 of 2 steps done. Running: step-2." in page.locator("#said").inner_text()
    browser_sees(log, "step 2 begins")  # the page goes along with what runs
    page.get_by_role("button", name="Pause").click()
    (tmp_path / "gate-2").touch()

    page.get_by_text("Succeeded", exact=True).wait_for()
    assert page.title().startswith("✓ Succeeded: my run")
    assert page.locator("#said").inner_text() == "Run my run: succeeded."
    assert "step 2 ends" not in log.inner_text()
    page.get_by_role("button", name="Go on").click()
    browser_sees(log, "step 2 ends")
    assert page.locator("[data-part=parameters]").get_by_text("4", exact=True).count() == 1

    page.wait_for_timeout(1000)
    before = len(page.requests)
    page.wait_for_timeout(2500)
    assert len(page.requests) == before  # the run has ended: nothing is asked any more


def browser_sees(locator, text: str) -> None:
    locator.filter(has_text=text).wait_for()


def test_a_recurring_run_is_made_disabled_enabled_and_deleted(place, visit):
    pipeline, _ = place.add_pipeline("wines", chain("return 1", parameters={"rows": 3}))
    page = visit(f"#/pipelines/details/{pipeline}")
    page.get_by_text("Repeat it on a schedule").click()
    page.get_by_label("Or as cron says").fill("0 0 25 * * *")
    page.get_by_role("button", name="Start the recurring run").click()
    page.get_by_text("'25' is no hours of cron").wait_for()
    assert [one for one in page.complaints if "400" not in one] == []
    page.complaints.clear()
    page.get_by_label("Or as cron says").fill("0 0 6 * * 1-5")
    page.get_by_label("rows").fill("7")
    page.get_by_role("button", name="Start the recurring run").click()
    page.wait_for_url("**/#/recurringrun/details/*")
    page.get_by_text("cron 0 0 6 * * 1-5").wait_for()
    assert page.locator("[data-part=heading] time").count() == 1  # the next time
    assert page.locator("[data-part=about]").get_by_text("7", exact=True).count() == 1
    page.get_by_role("button", name="Disable").click()
    page.get_by_role("button", name="Enable").click()
    page.get_by_role("button", name="Disable").wait_for()
    page.get_by_role("link", name="Recurring", exact=True).click()
    browser_sees(page.locator("table.list"), "wines")
    page.get_by_role("link", name="wines").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_text("No recurring runs yet").wait_for()


def test_versions_are_compared_and_tagged(place, visit):
    specs = [chain("return 1", name="wines", parameters={"rows": rows}) for rows in (3, 4)]
    pipeline, _ = place.add_pipeline("wines", *specs)
    page = visit(f"#/pipelines/details/{pipeline}")
    compare = page.get_by_role("button", name="Compare the chosen versions")
    page.get_by_label("Choose wines v1").check()
    assert compare.is_disabled()
    page.get_by_label("Choose wines v2").check()
    compare.click()
    page.get_by_role("heading", name="Compare versions").wait_for()
    browser_sees(page.locator("tr.different"), "rows")
    assert "defaultValue: 3" in page.locator(".source .removed").last.inner_text()
    page.get_by_role("link", name="wines v2").click()
    page.get_by_text("Tags", exact=True).last.click()
    page.get_by_label("Tags of the pipeline").fill("team=red\nstage = test")
    page.locator("#save-pipeline").click()
    browser_sees(page.locator("[data-part=heading] .tag").first, "stage=test")
    page.get_by_role("link", name="YAML").click()
    browser_sees(page.locator(".source"), "defaultValue: 4")


def test_an_experiment_is_made_archived_and_restored(place, visit):
    page = visit("#/experiments")
    page.get_by_label("Name").fill("tries")
    page.get_by_role("button", name="Make it").click()
    page.get_by_role("heading", name="tries").wait_for()
    page.get_by_role("button", name="Archive").click()
    page.get_by_role("dialog").get_by_role("button", name="Archive").click()
    page.get_by_text("archived", exact=True).wait_for()
    page.get_by_role("button", name="Restore").click()
    page.get_by_role("button", name="Archive").wait_for()


def test_a_failed_run_shows_the_learners_exception_and_marks_it_in_the_log(place, visit):
    words = "ZeroDivisionError: division by zero"
    error = f"{words} (line 2 of the step's cell: x / 0)"
    steps = [step("load"), step("divide", "failed", ["load"], error=error)]
    run = place.add_run("sad", "FAILED", steps=steps, error=f"step divide: {error}")
    noise = "".join(f"line {number}\n" for number in range(500))
    place.write(run, "logs/divide.log", f"{noise}Error: {words}\n{noise}NameError: secondary\n")
    page = visit(f"#/runs/details/{run}")
    problem = page.locator(".problems pre")
    assert problem.inner_text() == error
    assert problem.bounding_box()["y"] < 500  # seen without scrolling
    page.get_by_role("link", name="The log of this step").click()
    mark = page.locator("[data-log] mark")
    assert mark.inner_text() == words
    inside = """mark => {
        const [one, around] = [mark, mark.closest("pre")].map(e => e.getBoundingClientRect());
        return one.top > around.top && one.bottom < Math.min(around.bottom, innerHeight);
    }"""
    wait_for(lambda: mark.evaluate(inside))
    assert focused(page) == "log-title"


def test_the_log_of_a_chosen_step_is_in_sight(place, visit):
    steps = [step(f"s{n}", after=[f"s{n - 1}"] if n else []) for n in range(15)]  # a tall graph
    run = place.add_run(steps=steps)
    page = visit(f"#/runs/details/{run}")
    page.locator("svg [data-step=s9]").click()
    browser_sees(page.locator("#step-title"), "s9")
    log = page.locator("[data-log]")
    below = "log => log.getBoundingClientRect().bottom <= innerHeight + 1"
    wait_for(lambda: log.evaluate(below))


def test_the_lines_of_the_framework_are_folded_in_a_log(place, visit):
    executor = "[KFP Executor 2026-11-28 19:59:17,675 INFO]: "
    noise = f'{executor}Got executor_input:\n{{\n    "inputs": {{}}\n}}\n'
    run = place.add_run(steps=[step("train")])
    log = place.write(run, "logs/train.log", f"{noise}epoch 1\n")
    page = visit(f"#/runs/details/{run}?step=train")
    pre = page.locator("[data-log] pre")
    browser_sees(pre, "epoch 1")
    assert "executor_input" not in pre.inner_text()
    label = "fold => getComputedStyle(fold, '::after').content"
    assert pre.locator("summary").evaluate(label) == '"4 lines of the framework"'
    pre.locator("summary").click()
    assert "executor_input" in pre.inner_text()
    assert pre.text_content() == log.read_text()  # what is copied is the log


def test_everything_is_reached_by_keyboard(place, visit):
    steps = [step("load"), step("train", after=["load"]), step("test", after=["train"])]
    run = place.add_run("mine", steps=steps)
    for name in ("load", "train", "test"):
        place.write(run, f"logs/{name}.log", f"log of {name}\n")
    page = visit()
    page.keyboard.press("Tab")
    assert focused(page) == "skip"
    page.keyboard.press("Enter")
    assert focused(page) == "" or page.evaluate("document.activeElement.id") == "content"
    tab_to(page, "mine")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/#/runs/details/{run}")
    page.locator("svg [data-step]").first.wait_for()
    assert focused(page) == "mine"  # the new page's heading
    tab_to(page, "train")
    outline = "getComputedStyle(document.activeElement.querySelector('rect')).strokeWidth"
    assert page.evaluate(outline) == "4px"
    page.keyboard.press("Enter")
    browser_sees(page.locator("[data-log] pre"), "log of train")
    assert (
        page.evaluate("document.activeElement.querySelector('[data-step]').dataset.step") == "train"
    )
    assert page.evaluate("document.activeElement.getAttribute('aria-current')") == "true"
    tab_to(page, "log-follow")
    page.keyboard.press("Space")
    assert not page.get_by_label("Follow the end").is_checked()
    for wanted in ("log-pause", "log-copy", "Download", "pipeline.yaml"):
        tab_to(page, wanted)
    page.go_back()
    page.go_back()
    page.get_by_role("heading", name="Runs").wait_for()
    tab_to(page, "mine")


def test_a_run_is_archived_restored_and_deleted(place, visit):
    run = place.add_run("old")
    page = visit(f"#/runs/details/{run}")
    page.get_by_role("button", name="Archive").click()
    page.get_by_text("archived", exact=True).wait_for()
    page.get_by_role("button", name="Restore").click()
    page.get_by_role("button", name="Archive").wait_for()
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    assert "Delete this run?" in dialog.inner_text()
    page.keyboard.press("Escape")
    assert place.settings.run_folder(run).exists()
    page.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete").click()
    page.get_by_text("No runs yet").wait_for()
    assert not place.settings.run_folder(run).exists()


def test_a_run_is_terminated_after_asking(place, visit):
    run = place.add_run("long", "RUNNING", steps=[step("load", "running")])
    page = visit(f"#/runs/details/{run}")
    page.get_by_role("button", name="Terminate").click()
    page.get_by_role("dialog").get_by_role("button", name="Terminate").click()
    page.get_by_text("Ending", exact=True).wait_for()
    assert place.server.state(run) == "CANCELING"


def test_what_the_server_refuses_is_said(place, visit):
    run = place.add_run("gone", "FAILED")
    page = visit(f"#/runs/details/{run}")
    place.change(run, state="SUCCEEDED")
    page.get_by_role("button", name="Retry").click()
    assert "only a run that failed" in page.get_by_role("alert").inner_text()
    assert [text for text in page.complaints if "409" not in text] == []
    page.complaints.clear()


def test_a_report_shows_its_pictures_and_nothing_in_it_runs_or_asks(place, visit):
    run = place.add_run(steps=[step("plot")])
    attack = """
    <script>parent.document.title = "stolen"; document.title = "ran"</script>
    <img src="x" onerror="parent.document.title = 'stolen'">
    <img src="http://127.0.0.1:1/pixel"><link rel="stylesheet" href="http://127.0.0.1:1/style">
    <meta http-equiv="refresh" content="0;url=http://127.0.0.1:1/">
    <form action="/apis/v2beta1/runs" method="post"><button id="send">x</button></form>"""
    image = f"<img id='plot' src='data:image/png;base64,{PNG}'><p>12 wines</p>"
    place.write(run, "outputs/plot.html", image + attack)
    page = visit(f"#/runs/details/{run}")
    frame = page.frame_locator("iframe")
    frame.get_by_text("12 wines").wait_for()
    assert frame.locator("#plot").evaluate("image => image.complete && image.naturalWidth") == 1
    page.evaluate("document.querySelector('iframe').contentDocument.getElementById('send').click()")
    page.wait_for_timeout(500)
    assert page.title().startswith("✓ Succeeded")
    assert "12 wines" in frame.locator("body").inner_text()
    blocked = ("Content Security Policy", "sandbox")
    assert all(any(word in text for word in blocked) for text in page.complaints), page.complaints
    page.complaints.clear()  # the browser says what it did not do
    page.requests[:] = [url for url in page.requests if not url.startswith("http://127.0.0.1:1/")]


def loop_package() -> dict:
    loop = {"parameterIterator": {"items": {"raw": "[1, 2]"}, "itemInput": "x"}}
    inner = {"componentRef": {"name": "loop"}, "taskInfo": {"name": "each depth"}, **loop}
    package = chain("return 1", name="loops")
    components = package["components"]
    (leaf,) = components
    components["loop"] = {"dag": {"tasks": {"train": {"componentRef": {"name": leaf}}}}}
    package["root"]["dag"]["tasks"] = {"for-loop-1": inner}
    return package


def test_a_loop_is_unfolded_by_keyboard_and_stays_so(place, visit):
    turns = [step(f"train.{n}") | {"task": "train"} for n in range(3)]
    steps = [step("train") | {"task": "train", "steps": turns}]
    run = place.add_run("mine", "RUNNING", steps=steps, spec=loop_package())
    page = visit(f"#/runs/details/{run}?step=train")
    page.locator("svg [data-group]").wait_for()
    assert page.locator("svg [data-step='train.1']").count() == 0
    tab_to(page, "fold-for-loop-1")
    page.keyboard.press("Enter")
    page.locator("svg [data-step='train.1']").wait_for()
    assert focused(page) == "fold-for-loop-1"
    tab_to(page, "train:")
    page.keyboard.press("Enter")
    browser_sees(page.locator("#step-title"), "train.0")
    place.change(run, steps=[steps[0] | {"steps": [*turns, turns[0] | {"name": "train.3"}]}])
    page.locator("svg [data-step='train.3']").wait_for()
    page.locator("#fold-for-loop-1").click()
    page.locator("svg [data-step='train.2']").wait_for(state="detached")


def test_runs_are_chosen_and_compared(place, visit):
    for depth, accuracy in ((3, 0.9), (5, 0.95)):
        parameters = {"depth": depth, "seed": 42}
        place.add_run(f"depth {depth}", parameters=parameters, metrics={"accuracy": accuracy})
    page = visit()
    compare = page.get_by_role("button", name="Compare")
    page.get_by_label("Choose depth 3").check()
    assert compare.is_disabled()
    page.get_by_label("Choose depth 5").check()
    compare.click()
    page.get_by_role("heading", name="Compare runs").wait_for()
    assert page.locator("tr.different").all_inner_texts() == [
        "accuracy differs\t0.95\t0.9",
        "depth differs\t5\t3",
    ]
    page.get_by_label("Show only what differs").check()
    assert not page.get_by_text("seed").is_visible()


def test_the_list_is_filtered_and_keeps_up_with_the_server(place, visit):
    place.add_run("first")
    page = visit()
    page.get_by_label("Name").fill("SEC")
    page.keyboard.press("Enter")
    page.get_by_text("No run fits").wait_for()
    assert focused(page) == "filter-name"
    run = place.add_run("second", "RUNNING")
    page.locator("tr.running").get_by_text("second").wait_for()
    page.get_by_label("Choose second").check()
    place.change(run, state="FAILED")
    page.locator("tr.failed").get_by_text("second").wait_for()
    assert page.get_by_label("Choose second").is_checked()
    page.get_by_label("State").select_option("succeeded")
    page.get_by_text("No run fits").wait_for()
    page.get_by_role("link", name="Show all runs").click()
    page.locator("tr.succeeded").get_by_text("first").wait_for()
    assert page.get_by_label("Name").input_value() == ""


def test_another_page_of_a_list_begins_at_its_top(place, visit):
    for number in range(60):
        place.add_run(f"run {number}")
    page = visit()
    page.get_by_role("link", name="Older").click()
    page.get_by_text("Page 2 of 3").wait_for()
    page.get_by_text("run 34", exact=True).wait_for()
    wait_for(lambda: page.evaluate("scrollY") < 200)  # it glides there
    assert focused(page) == "Runs"


def test_a_package_is_uploaded_and_what_is_none_is_refused(place, visit, tmp_path):
    (tmp_path / "wines.yaml").write_text(json.dumps(chain("return 1", name="wines")))
    (tmp_path / "pod.yaml").write_text("kind: Pod")
    page = visit("#/pipelines")
    file = page.get_by_label("Package (.yaml")
    file.set_input_files(tmp_path / "pod.yaml")
    page.get_by_role("button", name="Upload").click()
    browser_sees(page.locator("form.upload .failure"), "not a pipeline package of KFP v2")
    page.complaints.clear()  # the browser says that the server refused
    file.set_input_files(tmp_path / "wines.yaml")
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("heading", name="wines", exact=True).wait_for()


def test_the_page_survives_a_restart_of_the_server(place, visit, chromium, tmp_path):
    with serve_place(tmp_path) as other:
        run = other.add_run("cut", "RUNNING", steps=[step("load", "running")])
        address = f"{other.server.url}/"
        with browser.open_page(chromium, f"{other.server.link}#/runs/details/{run}") as page:
            page.get_by_text("Running", exact=True).wait_for()
            other.server.stop()
            lost = page.get_by_role("alert").filter(has_text="Disconnected")
            lost.wait_for()
            assert page.get_by_text("Running", exact=True).is_visible()
            with serve_place(tmp_path, "--port", urlsplit(address).port) as again:
                page.get_by_text("Failed", exact=True).wait_for()
                assert lost.is_hidden()
                problem = page.locator(".problems").inner_text()
                assert "the server ended while the run was going" in problem
                other.server = again.server
            assert page.requested_elsewhere(address) == []


@pytest.mark.security
def test_who_opens_a_page_without_the_token_is_asked_for_it_and_led_there(place, chromium):
    run = place.add_run("asked for", "SUCCEEDED", steps=[step("load", "succeeded")])
    address = f"{place.server.url}/"
    with browser.open_page(chromium, f"{address}#/runs/details/{run}") as page:
        page.get_by_label("Token").fill("wrong")
        page.get_by_role("button", name="Open").click()
        page.get_by_label("Token").fill(place.server.token)
        page.get_by_role("button", name="Open").click()
        page.get_by_role("heading", name="asked for").wait_for()
        assert place.server.token not in page.url
        page.reload()
        page.get_by_role("heading", name="asked for").wait_for()


@pytest.fixture
def base_url(place):
    """The address of a proxy that has the server at /x/proxy/8801/, as Jupyter's has."""
    prefix, target = "/x/proxy/8801/", urlsplit(place.server.url).netloc

    class Handler(http.server.BaseHTTPRequestHandler):
        def forward(self):
            if not self.path.startswith(prefix):
                return self.send_error(404)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            connection = http.client.HTTPConnection(target, timeout=30)
            connection.request(self.command, self.path[len(prefix) - 1 :], body, dict(self.headers))
            answer = connection.getresponse()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.read())
            connection.close()

        do_GET = do_POST = do_DELETE = forward

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as proxy:
        threading.Thread(target=proxy.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{proxy.server_port}{prefix}"
        proxy.shutdown()


def test_it_works_behind_a_base_url(place, visit, base_url):
    run = place.add_run("far", steps=[step("load")])
    place.write(run, "logs/load.log", "one line\n")
    place.write(run, "outputs/load.html", f"<img src='data:image/png;base64,{PNG}'><p>12 wines</p>")
    page = visit(base=base_url)
    page.get_by_role("link", name="far").click()
    browser_sees(page.locator("[data-log] pre"), "one line")
    page.frame_locator("iframe").get_by_text("12 wines").wait_for()
    page.get_by_role("button", name="Archive").click()
    page.get_by_text("archived", exact=True).wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the package").click()
    assert "pipelineInfo" in download.value.path().read_text()
    page.get_by_role("link", name="Runs", exact=True).first.click()
    page.get_by_text("No runs yet").wait_for()
    assert base_url.rstrip("/") in page.locator(".empty").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_a_phone_and_can_be_read(place, visit, scheme):
    spec = chain(*["return 1"] * 7, name="a_pipeline_with_a_long_name", parameters={"rows": 3})
    other = chain("return 2", name="a_pipeline_with_a_long_name", parameters={"rows": 4})
    pipeline, (version, newer) = place.add_pipeline("a_pipeline_with_a_long_name", spec, other)
    experiment = place.add_experiment("an-experiment-with-a-long-name-too")
    body = {"display_name": "a_recurring_run_" * 8, "pipeline_spec": spec, "mode": "DISABLE"}
    body |= {"trigger": {"periodic_schedule": {"interval_second": "60"}}, "max_concurrency": "1"}
    recurring = place.server.call("POST", "/recurringruns", body)[1]["recurring_run_id"]
    steps = [step("load"), *(step(f"train_{n}_with_long_name", after=["load"]) for n in range(6))]
    made = {"uri": "artifacts/name/load-task/" + "artifact_" * 10, "metadata": {"rows_" * 9: 3}}
    made = {"artifact_" * 10: {"type": "system.ClassificationMetrics", **made}}
    passed = {"parameters": {"parameter_" * 9: "value" * 30}, "artifacts": made}
    steps[0] |= {"inputs": passed, "outputs": passed}
    steps[3] |= {"status": "failed", "error": "ValueError: " + "unbroken" * 30}
    fields = {
        "steps": steps,
        "metrics": {f"metric_number_{n}": 0.123456 for n in range(4)},
        "parameters": {"rows": 3, "place": "s3://bucket/" + "folder/" * 20},
        "spec": spec,
        "experiment_id": experiment,
        "pipeline_id": pipeline,
    }
    name = "a_run_" + "name_" * 12
    runs = [place.add_run(name, state, **fields) for state in ("FAILED", "RUNNING")]
    place.write(runs[0], "logs/load.log", "x" * 300)
    place.write(runs[0], "artifacts/name/load-task/" + "artifact_" * 10, "x")
    place.write(runs[0], "outputs/load.html", f"<img src='data:image/png;base64,{PNG}'>")
    page = visit(viewport=PHONE, color_scheme=scheme)
    for address in (
        "runs",
        f"runs/details/{runs[0]}",
        f"runs/details/{runs[1]}",
        f"runs/new?run={runs[0]}",
        f"compare?runlist={','.join(runs)}",
        "pipelines",
        f"pipelines/details/{pipeline}/version/{version}",
        "experiments",
        f"experiments/details/{experiment}",
        f"runs/details/{runs[0]}?step=load",
        f"pipelines/details/{pipeline}/version/{version}/yaml",
        f"pipelines/details/{pipeline}/versions?versions={version},{newer}",
        "recurringruns",
        f"recurringrun/details/{recurring}",
        "artifacts",
        f"artifacts/details?id={runs[0]}.load-task.{'artifact_' * 10}",
        "executions",
        f"executions/details?run={runs[0]}&node=load-task",
    ):
        with page.expect_response("**/fragments/**"):
            page.evaluate("address => { location.hash = address }", f"#/{address}")
        page.wait_for_selector("main:not([aria-busy])")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], address
        assert page.evaluate(FAINT) == [], address
        assert find_barriers(page) == [], address
