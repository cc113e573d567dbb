"""Recurring runs: when they are due, and what they make."""

from datetime import UTC, datetime, timedelta

import pytest
from asked import Asked
from forms import check_form
from servers import chain

from fastkf.base import clock
from fastkf.server import database as db
from fastkf.server.schedule import Cron, ScheduleError, read_schedule
from fastkf.server.scheduler import next_time

PACKAGE = chain("return number", name="tiny", parameters={"number": 3})
NOON = datetime(2026, 11, 28, 12, 0, 0, tzinfo=UTC)  # a Saturday
AFTER = Cron.after


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 0 6 * * *", "2026-11-29 06:00:00"),
        ("0 30 * * * *", "2026-11-28 12:30:00"),
        ("*/20 * * * * *", "2026-11-28 12:00:20"),
        ("0 0 9 ? * 2-6", "2026-12-01 09:00:00"),
        ("0 0 9 ? * MON-FRI", "2026-11-30 09:00:00"),
        ("0 0 0 1 JAN *", "2027-01-01 00:00:00"),
        ("0 0 0 31 * *", "2026-12-31 00:00:00"),
        ("0 0 0 13 * FRI", "2026-12-04 00:00:00"),
        ("0 0 0 * * 0", "2026-11-29 00:00:00"),
        ("0 5,35 10-14/2 * *", "2026-11-28 12:05:00"),
        ("0 */90 * * * *", "2026-11-28 13:00:00"),
        ("0 0 0 1,* * MON", "2026-11-30 00:00:00"),
        ("0 0 0 *-5 * mon", "2026-11-30 00:00:00"),
        ("0 1,,+5 * * * *", "2026-11-28 12:01:00"),
        ("0 0 0 29 2 *", "2028-02-29 00:00:00"),
        ("0 0 0 31 2 MON", "2027-02-01 00:00:00"),
    ],
)
def test_the_next_time_of_cron(text, expected):
    assert Cron(text).after(NOON) == datetime.fromisoformat(f"{expected}+00:00")


def test_a_time_that_never_comes():
    assert Cron("0 0 0 30 2 *").after(NOON) is None


@pytest.mark.parametrize("cron", ["* * * * * *", "0 0 6 * * *", "0 0 0 1 1 *"])
def test_after_the_last_year_there_is_no_time(asked, cron):
    """One such schedule keeps no other from its runs, and the page shows it."""
    end = "9999-12-31T23:59:59Z"
    create(asked, trigger={"cron_schedule": {"cron": cron, "start_time": end}})
    create(asked)
    assert len(make(asked, 61)) == 1
    assert asked.client.get("/fragments/recurringruns").status_code == 200


@pytest.mark.parametrize(
    "text",
    ["", "* * * *", "60 * * * * *", "a * * * * *", "*/0 * * * * *", "5-1 * * * * *", "@every 1x"]
    + ["@every", "@every 1h 30m", "@every 30", "@every 2562048h", "@Hourly", " @hourly", "@never"]
    + ["1/x * * * * *", "*/1_0 * * * * *", "²* * * * * *", "* * * * * * *"]
    + ["0 0 0 * * 7", "0 0 0 * * 5-7"]
    + ["0 0 0 31 2 *", "0 0 0 30,31 FEB ?", "0 0 0 31 4,6,9,11 *", "0 0 0 , * *"]
    + ["@every " + "1" * 20_000, "@every " + "1" * 5_000 + "s"],
)
def test_what_is_no_cron(text):
    with pytest.raises(ScheduleError):
        read_schedule({"cron_schedule": {"cron": text}})


def test_words_of_cron():
    assert read_schedule({"cron_schedule": {"cron": "@hourly"}}).after(NOON).hour == 13


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [("1h30m", 5400), ("1.5h", 5400), (".5m", 30), ("1.9s", 1), ("1500ms", 1)]
    # Less than a second is one, as github.com/robfig/cron has it.
    + [("500ms", 1), ("0", 1), ("-1h", 1), ("+2s", 2)],
)
def test_a_duration_is_read_as_go_reads_it(duration, seconds):
    every = read_schedule({"cron_schedule": {"cron": f"@every {duration}"}})
    assert every.after(NOON) == NOON + timedelta(seconds=seconds)


def test_without_a_schedule_one_run_is_made_at_once(asked):
    """As the controller of a Kubeflow has it: the moment of its creation is its only one."""
    made = create(asked, trigger=None)
    page = asked.client.get("/fragments/recurringruns").text
    assert "once" in page
    [run] = make(asked, 0)
    end_all(asked)
    assert len(make(asked, 500)) == 1
    assert run["recurring_run_id"] == made["recurring_run_id"]
    moments = [datetime.fromisoformat(one) for one in (run["scheduled_at"], made["created_at"])]
    assert moments[0] - moments[1] < timedelta(seconds=1)
    path = f"/recurringruns/{made['recurring_run_id']}"
    assert "trigger" not in asked.ask("GET", path)[1]


def test_without_a_schedule_a_disabled_one_waits_until_it_is_enabled(asked):
    id = create(asked, trigger={}, mode="DISABLE")["recurring_run_id"]
    assert make(asked, 100) == []
    asked.ask("POST", f"/recurringruns/{id}:enable")
    assert len(make(asked, 200)) == 1


@pytest.fixture
def asked(tmp_path):
    with Asked(tmp_path / "server") as asked:
        yield asked


def create(asked, **fields) -> dict:
    body = {"display_name": "again", "pipeline_spec": PACKAGE, "mode": "ENABLE"}
    body |= {"trigger": {"periodic_schedule": {"interval_second": "60"}}, "max_concurrency": "1"}
    status, answer = asked.ask("POST", "/recurringruns", {**body, **fields})
    assert status == 200, answer
    check_form(answer, "V2beta1RecurringRun")
    return answer


def make(asked, seconds: float) -> list[dict]:
    """The runs that there are when so many seconds have passed, the oldest first."""
    asked.app.state.scheduler.make_due_runs(clock.now() + timedelta(seconds=seconds))
    return asked.ask("GET", "/runs?sort_by=scheduled_at")[1].get("runs", [])


def end_all(asked) -> None:
    with asked.app.state.database.write() as session:
        for row in session.query(db.Run):
            row.state = "SUCCEEDED"


def test_a_run_is_made_when_it_is_due(asked):
    made = create(asked, runtime_config={"parameters": {"number": 5}}, no_catchup=True)
    assert made["trigger"] == {"periodic_schedule": {"interval_second": "60"}}
    assert (made["status"], made["namespace"], made["no_catchup"]) == ("ENABLED", "kubeflow", True)
    assert make(asked, 59) == []
    [run] = make(asked, 61)
    assert run["display_name"].startswith("again")
    assert run["display_name"].endswith("-1")
    assert run["recurring_run_id"] == made["recurring_run_id"]
    assert run["runtime_config"]["parameters"] == {"number": 5}
    assert run["experiment_id"] == made["experiment_id"]
    scheduled = [datetime.fromisoformat(one["created_at"]) for one in (made, run)]
    scheduled[1] = datetime.fromisoformat(run["scheduled_at"])
    assert scheduled[1] - scheduled[0] == timedelta(seconds=60)
    assert (asked.settings.run_folder(run["run_id"]) / "pipeline.yaml").exists()


def test_no_more_go_at_once_than_it_may(asked):
    create(asked)
    assert len(make(asked, 305)) == 1
    end_all(asked)
    assert len(make(asked, 305)) == 2
    create(asked, display_name="two", max_concurrency=2)
    assert len(make(asked, 305)) == 4


@pytest.mark.parametrize(("no_catchup", "count"), [(False, 5), (True, 1)])
def test_what_was_missed_is_caught_up_or_left_out(asked, no_catchup, count):
    create(asked, no_catchup=no_catchup, max_concurrency="10")
    runs = make(asked, 305)
    assert len(runs) == count
    moments = [datetime.fromisoformat(one["scheduled_at"]) for one in runs]
    assert moments[-1] - moments[0] == timedelta(seconds=60 * (count - 1))
    assert len(make(asked, 365)) == count + 1


@pytest.mark.parametrize(
    ("cron", "moment"),
    [
        ("* * * * * *", "2026-02-28T12:30:07+00:00"),
        ("* * 3 * * *", "2026-02-28T03:59:59+00:00"),
        ("0 30 12 * * *", "2026-02-28T12:30:00+00:00"),
        ("0 0 0 1 2 *", "2026-02-01T00:00:00+00:00"),
        ("0 0 0 1 1 *", "2026-01-01T00:00:00+00:00"),
    ],
)
def test_the_latest_of_many_that_were_missed_is_found_in_few_looks(cron, moment, monkeypatch):
    asked_for = []
    schedule = Cron(cron)
    monkeypatch.setattr(Cron, "after", lambda self, one: asked_for.append(one) or AFTER(self, one))
    row = db.RecurringRun(
        trigger={"cron_schedule": {"cron": cron}},
        is_enabled=True,
        no_catchup=True,
        since=datetime.fromisoformat("2025-12-31T00:00:00+00:00"),
    )
    now = datetime.fromisoformat("2026-02-28T12:30:07.5+00:00")
    assert next_time(row, now) == datetime.fromisoformat(moment)
    assert AFTER(schedule, datetime.fromisoformat(moment)) > now
    assert len(asked_for) < 40


def test_it_is_disabled_enabled_and_deleted(asked):
    id = create(asked, mode="DISABLE")["recurring_run_id"]
    assert make(asked, 100) == []
    assert asked.ask("POST", f"/recurringruns/{id}:enable") == (200, {})
    assert len(make(asked, 100)) == 1
    assert asked.ask("DELETE", f"/recurringruns/{id}") == (200, {})
    assert len(make(asked, 500)) == 1
    for path in (f"/recurringruns/{id}:enable", "/recurringruns/x:disable"):
        assert asked.ask("POST", path)[0] == 404
    assert asked.ask("GET", "/recurringruns") == (200, {})


def test_it_begins_and_ends_when_it_should(asked):
    start = clock.format_utc(clock.now() + timedelta(seconds=1000))
    end = clock.format_utc(clock.now() + timedelta(seconds=1130))
    schedule = {"interval_second": 60, "start_time": start, "end_time": end}
    create(asked, trigger={"periodicSchedule": schedule}, max_concurrency=10)
    assert make(asked, 1050) == []
    assert len(make(asked, 5000)) == 2


@pytest.mark.parametrize(("no_catchup", "count", "after"), [(False, 4, 240), (True, 1, 250)])
def test_a_start_that_has_passed_is_caught_up_from(asked, no_catchup, count, after):
    """What is not caught up with begins again now, as on a Kubeflow; @every keeps its distance."""
    start = clock.now() - timedelta(seconds=250)
    schedule = {"interval_second": 60, "start_time": clock.format_utc(start)}
    trigger = {"periodic_schedule": schedule}
    create(asked, trigger=trigger, max_concurrency=10, no_catchup=no_catchup)
    runs = make(asked, 0)
    assert len(runs) == count
    last = datetime.fromisoformat(runs[-1]["scheduled_at"])
    assert last - start == pytest.approx(timedelta(seconds=after), abs=timedelta(seconds=1))
    every = {"cron_schedule": {"cron": "@every 60s", "start_time": schedule["start_time"]}}
    end_all(asked)
    other = create(asked, trigger=every, max_concurrency=10, no_catchup=True)["recurring_run_id"]
    [run] = [one for one in make(asked, 0) if one["recurring_run_id"] == other]
    last = datetime.fromisoformat(run["scheduled_at"])
    assert last - start == pytest.approx(timedelta(seconds=240), abs=timedelta(seconds=1))


def test_it_goes_on_with_the_next_server(asked):
    create(asked, max_concurrency=10)
    assert len(make(asked, 61)) == 1
    with Asked(asked.settings.folder) as other:
        assert len(other.ask("GET", "/recurringruns")[1]["recurringRuns"]) == 1
        assert len(make(other, 121)) == 2


def test_the_newest_version_is_run_where_none_is_named(asked):
    body = {"pipeline": {"display_name": "p"}, "pipeline_version": {"pipeline_spec": PACKAGE}}
    pipeline = asked.ask("POST", "/pipelines/create", body)[1]["pipeline_id"]
    reference = {"pipeline_id": pipeline}
    create(asked, pipeline_spec=None, pipeline_version_reference=reference)
    version = {"display_name": "second", "pipeline_spec": PACKAGE}
    newest = asked.ask("POST", f"/pipelines/{pipeline}/versions", version)[1]
    [run] = make(asked, 61)
    named = run["pipeline_version_reference"]
    assert named["pipeline_version_id"] == newest["pipeline_version_id"]


def test_what_hinders_a_run_is_told(asked):
    made = create(asked)
    asked.ask("DELETE", f"/experiments/{made['experiment_id']}")
    with asked.app.state.database.write() as session:
        session.query(db.Experiment).delete()
    assert make(asked, 61) == []
    answer = asked.ask("GET", f"/recurringruns/{made['recurring_run_id']}")[1]
    assert "experiment is not there" in answer["error"]["message"]


def at(time: str) -> dict:
    return {"periodic_schedule": {"interval_second": "60", "start_time": time}}


def test_one_whose_mode_is_not_given_makes_no_runs(asked):
    made = create(asked, mode=None)
    assert (made["mode"], made["status"]) == ("DISABLE", "DISABLED")
    assert make(asked, 61) == []


# No zone, no time, no T; Go's package time, which reads them on a Kubeflow, takes none.
NO_TIMES = ["2026-11-25T10:00:00", "2026-11-25", "2026-11-25 10:00:00Z", "20261125T100000Z"]


@pytest.mark.parametrize(
    "fields",
    [
        {"trigger": {"cron_schedule": {}}},
        {"trigger": {"periodic_schedule": {}}},
        {"trigger": {"periodic_schedule": {"interval_second": "0"}}},
        {"trigger": {"periodic_schedule": {"interval_second": "soon"}}},
        {"trigger": {"cron_schedule": {"cron": "every day"}}},
        {"trigger": {"cron_schedule": {"cron": "0 0 0 31 2 *"}}},
        {"trigger": {"cron_schedule": {"cron": "0 0 6 * * *", "zone": "CET"}}},
        {"max_concurrency": "11"},
        {"max_concurrency": 0},
        {"max_concurrency": None},
        *({"trigger": at(time)} for time in NO_TIMES),
        {"runtime_config": {"parameters": {"other": 1}}},
        {"pipeline_spec": None},
        {"display_name": ""},
    ],
)
def test_what_is_no_recurring_run(asked, fields):
    body = {"display_name": "never", "pipeline_spec": PACKAGE}
    body |= {"trigger": {"periodic_schedule": {"interval_second": "60"}}, "max_concurrency": 1}
    body |= fields
    status, answer = asked.ask("POST", "/recurringruns", body)
    assert (status, answer["code"]) == (400, 3), answer


def test_the_page_lists_them(asked):
    page = asked.client.get("/fragments/recurringruns")
    assert "No recurring runs yet" in page.text
    create(asked, display_name="<b>nightly")
    page = asked.client.get("/fragments/recurringruns")
    assert (page.status_code, "every 60 s" in page.text) == (200, True)
    assert "&lt;b&gt;nightly" in page.text
