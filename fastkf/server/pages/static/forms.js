// Buttons and forms: what they ask of the API, and what they say when it refuses.

import { load } from "./page.js";
import { $, route } from "./state.js";

export async function act(button) {
  const { method, path, ask, text, then } = button.dataset;
  if (ask && !(await confirm(ask, text, button.textContent))) return;
  button.disabled = true;
  const { error } = await call(method, path);
  button.disabled = false;
  if (error) return complain(button, error);
  if (then) location.hash = then;
  else load({ fresh: true });
}

function complain(button, text) {
  const buttons = button.parentElement;
  const failure = document.createElement("p");
  failure.className = "failure";
  failure.setAttribute("role", "alert");
  failure.textContent = text;
  buttons.parentElement.querySelector(".failure")?.remove();
  buttons.after(failure);
}

function confirm(title, text, label) {
  $("ask-title").textContent = title;
  $("ask-text").textContent = text;
  $("ask-yes").textContent = label;
  $("ask").returnValue = "no";
  $("ask").showModal();
  return new Promise((resolve) =>
    $("ask").addEventListener("close", () => resolve($("ask").returnValue === "yes"), { once: true }),
  );
}

// The answer of the API: { error } when it went wrong, otherwise { answer }.
async function call(method, path, body) {
  const options = { method, body };
  if (typeof body === "string") options.headers = { "Content-Type": "application/json" };
  try {
    const response = await fetch(path, options);
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return { answer };
    return { error: answer.message || answer.error_message || `The server refused (${response.status}).` };
  } catch {
    return { error: "The server does not answer; is it still running?" };
  }
}

export function query(form) {
  const given = new URLSearchParams(new FormData(form));
  for (const [name, value] of [...given]) if (!value) given.delete(name);
  const text = given.toString();
  location.hash = `#${route().path}${text ? `?${text}` : ""}`;
}

const READERS = {
  int: (text) => (/^\s*[+-]?\d+\s*$/.test(text) ? Number(text) : undefined),
  float: (text) => (text.trim() && Number.isFinite(Number(text)) ? Number(text) : undefined),
  bool: (text) => ({ true: true, false: false })[text],
  str: (text) => text,
  list: (text) => readJson(text, Array.isArray),
  dict: (text) => readJson(text, (value) => value && typeof value === "object" && !Array.isArray(value)),
};

function readJson(text, fits) {
  try {
    const value = JSON.parse(text);
    return fits(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

// The parameters of a form; null, and the fields say why, when one does not fit.
function readParameters(form) {
  const parameters = {};
  let wrong = null;
  for (const field of form.querySelectorAll("[data-name]")) {
    const { name, kind } = field.dataset;
    const hint = $(field.getAttribute("aria-describedby"));
    const isEmpty = field.value === "" && kind !== "str";
    const value = isEmpty ? undefined : READERS[kind](field.value);
    const fits = value !== undefined || (isEmpty && !field.required);
    field.setAttribute("aria-invalid", String(!fits));
    hint.textContent = fits ? hint.dataset.hint : `takes ${hint.dataset.hint}${isEmpty ? "" : `, not “${field.value}”`}`;
    if (!fits) wrong ??= field;
    else if (value !== undefined) parameters[name] = value;
  }
  wrong?.focus();
  return wrong ? null : parameters;
}

// When a recurring run is due, and how many of its runs go at once.
function readSchedule() {
  const cron = $("repeat-cron").value.trim();
  const seconds = Number($("repeat-every").value) * Number($("repeat-unit").value);
  return {
    trigger: cron ? { cron_schedule: { cron } } : { periodic_schedule: { interval_second: String(seconds) } },
    max_concurrency: $("repeat-most").value.trim(),
    no_catchup: !$("repeat-all").checked,
    mode: "ENABLE",
  };
}

export async function startRun(form, button) {
  const repeats = button?.id === "repeat-run";
  const parameters = readParameters(form);
  if (!parameters) return "";
  const name = form.elements.display_name.value.trim();
  if (!name) {
    form.elements.display_name.focus();
    return "The run needs a name.";
  }
  const body = { display_name: name, runtime_config: { parameters } };
  if (form.elements.experiment_id.value) body.experiment_id = form.elements.experiment_id.value;
  if (form.dataset.package) {
    const { answer, error } = await call("GET", form.dataset.package);
    if (error) return error;
    body.pipeline_spec = answer;
  } else {
    const { pipeline, version } = form.dataset;
    body.pipeline_version_reference = { pipeline_id: pipeline, pipeline_version_id: version };
  }
  if (repeats) Object.assign(body, readSchedule());
  const place = repeats ? "recurringruns" : "runs";
  const { answer, error } = await call("POST", `apis/v2beta1/${place}`, JSON.stringify(body));
  if (!error) location.hash = repeats ? `#/recurringrun/details/${answer.recurring_run_id}` : `#/runs/details/${answer.run_id}`;
  return error;
}

export async function upload(form) {
  const file = form.elements.uploadfile.files[0];
  if (!file) {
    form.elements.uploadfile.focus();
    return "Choose a file first.";
  }
  const body = new FormData();
  body.append("uploadfile", file);
  const asked = new URLSearchParams();
  const { pipeline } = form.dataset;
  // The API calls a pipeline that is given no name as the file, ending and all.
  const name = form.elements.name.value.trim() || (pipeline ? "" : file.name.replace(/\.\w+$/, ""));
  if (name) asked.set("name", name);
  if (pipeline) asked.set("pipelineid", pipeline);
  const { answer, error } = await call("POST", `${form.dataset.upload}?${asked}`, body);
  if (!error) {
    const version = answer.pipeline_version_id ? `/version/${answer.pipeline_version_id}` : "";
    location.hash = `#/pipelines/details/${answer.pipeline_id}${version}`;
  }
  return error;
}

export async function saveTags(form) {
  const lines = form.elements.tags.value.split("\n").map((line) => line.trim()).filter(Boolean);
  const tags = Object.fromEntries(
    lines.map((line) => {
      const [name, ...rest] = line.split("=");
      return [name.trim(), rest.join("=").trim()];
    }),
  );
  const { error } = await call("PATCH", form.dataset.save, JSON.stringify({ tags }));
  if (!error) load({ fresh: true });
  return error;
}

export async function createExperiment(form) {
  const display_name = form.elements.name.value.trim();
  if (!display_name) {
    form.elements.name.focus();
    return "The experiment needs a name.";
  }
  const body = JSON.stringify({ display_name, description: form.elements.description.value.trim() });
  const { answer, error } = await call("POST", "apis/v2beta1/experiments", body);
  if (!error) location.hash = `#/experiments/details/${answer.experiment_id}`;
  return error;
}

export async function submit(form, action, pressed) {
  const button = pressed ?? form.querySelector("button:not([type])");
  const failure = form.querySelector(".failure");
  failure.hidden = true;
  button.disabled = true;
  const error = await action(form, button);
  button.disabled = false;
  failure.textContent = error || "";
  failure.hidden = !error;
}
