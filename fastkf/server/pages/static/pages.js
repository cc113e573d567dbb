// Shows at #/runs/details/ID what the server answers at fragments/runs/details/ID, and looks again
// while something goes on. Only the parts of a page that have changed are replaced.
"use strict";

const ROUTE = /^\/(runs|pipelines|experiments|compare)(\/[\w.-]+)*$/;
const SECONDS_WHEN_HIDDEN = 5;
const SECONDS_WHEN_LOST = 2;
const SECONDS_OF_LOG = 0.7;
const LOG_LETTERS = 2_000_000;
const $ = (id) => document.getElementById(id);
const content = $("content");
const sources = new WeakMap(); // part of the page to the HTML it was made from

let shown = { path: "", tag: "", seconds: 0, said: "" };
let timer = 0;
let asking = null;
let reveal = false;
let behind = 0; // milliseconds that this clock is behind the server's

// ---- which page

function route() {
  const [path, query = ""] = (location.hash.slice(1) || "/runs").split("?", 2);
  if (path === "/archive/runs") return { path: "/runs", query: "archived=1" };
  return { path: ROUTE.test(path) ? path : "/nowhere", query };
}

function navigate() {
  if (location.hash && !location.hash.startsWith("#/")) return; // a place in this page
  const moved = route().path !== shown.path;
  if (moved) content.setAttribute("aria-busy", "true");
  // Who chooses a step in a tall graph sees its log without losing the graph.
  reveal = !moved && new URLSearchParams(route().query).has("step");
  load({ moved, fresh: true });
}

async function load({ moved = false, fresh = false } = {}) {
  clearTimeout(timer);
  asking?.abort();
  const mine = (asking = new AbortController());
  const { path, query } = route();
  try {
    const headers = fresh || !shown.tag ? {} : { "If-None-Match": shown.tag };
    const address = `fragments${path}${query ? `?${query}` : ""}`;
    const response = await fetch(address, { headers, signal: mine.signal, cache: "no-store" });
    const html = response.status === 304 ? null : await response.text();
    if (mine !== asking) return;
    setClock(response);
    const refusal = html === null ? "" : readRefusal(response, html);
    if (html !== null && !refusal) show(html, response, path, moved);
    setLost(refusal);
    later(refusal ? SECONDS_WHEN_LOST : shown.seconds);
  } catch (error) {
    if (error.name === "AbortError") return;
    setLost("Disconnected from the server; trying again…");
    later(SECONDS_WHEN_LOST);
  }
}

// Why the server answered with no page: it wants a token, or it has a fault.
function readRefusal(response, text) {
  if ((response.headers.get("Content-Type") || "").startsWith("text/html")) return "";
  try {
    return JSON.parse(text).error || `The server answered ${response.status}.`;
  } catch {
    return `The server answered ${response.status}.`;
  }
}

function later(seconds) {
  clearTimeout(timer);
  if (!seconds) return;
  const pause = document.hidden ? Math.max(seconds, SECONDS_WHEN_HIDDEN) : seconds;
  timer = setTimeout(load, pause * 1000);
}

function setLost(text) {
  if ($("lost").textContent !== text) $("lost").textContent = text;
  $("lost").hidden = !text;
}

function setClock(response) {
  const server = Date.parse(response.headers.get("Date") || "");
  if (server && Math.abs(server - Date.now()) > 2000) behind = server - Date.now();
}

// ---- putting a page, or what has changed of it, in place

function show(html, response, path, moved) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const fragment = template.content.firstElementChild;
  const facts = fragment.dataset;
  document.title = `${facts.title} – Fast-Kubeflow`;
  document.body.className = facts.body || "";
  for (const link of document.querySelectorAll("[data-nav]")) {
    if (link.dataset.nav === facts.nav) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  replaceParts(fragment, moved || shown.path !== path);
  if (facts.said && shown.path === path && facts.said !== shown.said) $("said").textContent = facts.said;
  const first = shown.path === "";
  shown = {
    path,
    tag: response.headers.get("ETag") || "",
    seconds: Number(facts.seconds),
    said: facts.said,
  };
  content.removeAttribute("aria-busy");
  if (moved && !first) {
    scrollTo({ top: 0, behavior: "instant" });
    content.querySelector("h1")?.focus({ preventScroll: true });
  }
  if (reveal && !target) content.querySelector("[data-log]")?.scrollIntoView({ block: "nearest" });
  reveal = false;
  goTo();
}

function replaceParts(fragment, all) {
  const focus = all ? null : rememberFocus();
  const old = new Map();
  if (!all) for (const part of content.children) old.set(part.dataset.part, part);
  const wanted = [...fragment.children].map((part) => {
    const known = old.get(part.dataset.part);
    const html = part.outerHTML;
    if (known && sources.get(known) === html) return known;
    sources.set(part, html);
    prepare(part, known);
    return part;
  });
  for (const part of [...content.children]) if (!wanted.includes(part)) part.remove();
  let next = content.firstElementChild;
  for (const part of wanted) {
    if (part === next) next = next.nextElementSibling;
    else content.insertBefore(part, next);
  }
  for (const part of wanted) {
    if (part.dataset.log) followLog(part);
    if (part !== old.get(part.dataset.part)) openFrames(part);
    if (part.dataset.part === "graph" && part !== old.get("graph")) showCurrent(part, old.get("graph"));
  }
  tick();
  countChosen();
  if (focus && document.activeElement === document.body) {
    (focus() ?? content.querySelector("h1"))?.focus({ preventScroll: true });
  }
}

// In a graph that is wider than the page: the step that is shown, or where the reader has moved to.
function showCurrent(part, before) {
  const scroller = part.querySelector(".graph");
  const current = part.querySelector("[aria-current]");
  if (!scroller || !current) return;
  const same = before?.querySelector("[aria-current]")?.getAttribute("href") === current.getAttribute("href");
  const box = current.getBoundingClientRect();
  const middle = box.left + box.width / 2 - scroller.getBoundingClientRect().left;
  scroller.scrollLeft = same ? before.dataset.moved : middle - scroller.clientWidth / 2;
  part.dataset.moved = scroller.scrollLeft;
  scroller.addEventListener("scroll", () => (part.dataset.moved = scroller.scrollLeft));
}

function rememberFocus() {
  const one = document.activeElement;
  if (!one || one === document.body || !content.contains(one)) return null;
  if (one.id) return () => $(one.id);
  const address = one.getAttribute("href");
  const part = one.closest("[data-part]")?.dataset.part;
  return () =>
    [...content.querySelectorAll("[data-part]")]
      .find((other) => other.dataset.part === part)
      ?.querySelector(address ? `a[href=${JSON.stringify(address)}]` : "[tabindex]");
}

// Makes a new part ready; keeps what the reader has opened, ticked and typed in the one before.
function prepare(part, known) {
  for (const time of part.querySelectorAll("time")) showTime(time);
  for (const host of part.querySelectorAll("[data-host]")) host.textContent = baseAddress();
  if (!known) for (const field of part.querySelectorAll("[data-stamp]")) stamp(field);
  if (!known) return;
  for (const one of known.querySelectorAll("details[id]")) {
    const same = part.querySelector(`#${CSS.escape(one.id)}`);
    if (same) same.open = one.open;
  }
  if ("query" in known.dataset) return; // what it filters by is in the address
  for (const one of known.querySelectorAll("input[id], select[id], textarea[id]")) {
    const same = part.querySelector(`#${CSS.escape(one.id)}`);
    if (!same || one.type === "file") continue;
    if (one.type === "checkbox") same.checked = one.checked;
    else same.value = one.value;
  }
}

function showTime(time) {
  const moment = new Date(time.getAttribute("datetime"));
  if (Number.isNaN(moment.getTime())) return;
  const style = "seconds" in time.dataset ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" };
  time.title = time.textContent;
  time.textContent = new Intl.DateTimeFormat(undefined, style).format(moment);
}

// Runs of one pipeline are told apart by when they were started.
function stamp(field) {
  const now = new Date(Date.now() - new Date().getTimezoneOffset() * 60000);
  const text = now.toISOString().slice(0, 16).replace("T", " ");
  field.value = `${field.value.replace(/ \d{4}-\d\d-\d\d \d\d:\d\d$/, "")} ${text}`;
}

function baseAddress() {
  return new URL(".", location.href).href.split("#")[0].replace(/\/$/, "");
}

// A link to a place in the page, such as the log of the step that failed.
let target = "";
function goTo() {
  if (!target) return;
  const heading = $(`${target}-title`) ?? content.querySelector("h1");
  target = "";
  heading?.scrollIntoView({ block: "start" });
  heading?.focus({ preventScroll: true });
}

// ---- what runs goes on counting

function tick() {
  for (const one of document.querySelectorAll(".ticking")) {
    const seconds = (Date.now() + behind - Date.parse(one.dataset.since)) / 1000;
    one.textContent = formatSeconds(Math.max(0, seconds));
  }
}
setInterval(tick, 1000);

function formatSeconds(seconds) {
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  const [minutes, hours] = [Math.floor(whole / 60), Math.floor(whole / 3600)];
  return hours ? `${hours} h ${minutes % 60} min` : `${minutes} min ${whole % 60} s`;
}

// ---- the log of a step

let log = null;

function followLog(part) {
  if (log?.part === part) return;
  clearTimeout(log?.timer);
  const pre = part.querySelector("pre");
  const tail = document.createElement("span");
  pre.append(tail);
  const mine = (log = { part, pre, tail, next: 0, paused: false, timer: 0, empty: true });
  pre.addEventListener("scroll", () => {
    const atEnd = pre.scrollHeight - pre.scrollTop - pre.clientHeight < 24;
    if (!atEnd && mine.wasAtEnd && !mine.moving && mine === log) {
      $("log-follow").checked = false;
      stayWithStep();
    }
    mine.wasAtEnd = atEnd;
    mine.moving = false;
  });
  readLog(mine);
}

async function readLog(mine) {
  if (mine !== log || !mine.part.isConnected || mine.paused) return;
  let more = false;
  try {
    const response = await fetch(`${mine.part.dataset.log}&start=${mine.next}`, { cache: "no-store" });
    if (!response.ok) return;
    const found = await response.json();
    if (mine !== log || mine.paused) return;
    if (found.reset) {
      mine.pre.replaceChildren(mine.tail);
      mine.empty = true;
    }
    if (found.text || found.tail !== mine.tail.textContent) addToLog(mine, found);
    mine.next = found.next;
    more = found.more;
  } catch {
    // The page itself says that the server is away.
  }
  if (!mine.empty) note("");
  else note(isLive() ? "Nothing written yet." : "This step wrote nothing.");
  if (more) readLog(mine);
  else if (isLive() || !mine.read) mine.timer = setTimeout(() => readLog(mine), SECONDS_OF_LOG * 1000);
  mine.read = !isLive();
}

function addToLog(mine, found) {
  if (found.skipped) {
    const left = document.createElement("i");
    left.textContent = `… ${Math.round(found.skipped / 1000).toLocaleString()} kB before this are only in the whole log: Download.\n`;
    mine.pre.insertBefore(left, mine.tail);
  }
  if (found.text) mine.pre.insertBefore(document.createTextNode(found.text), mine.tail);
  mine.tail.textContent = found.tail;
  mine.empty = !mine.pre.textContent.trim();
  let letters = mine.pre.textContent.length;
  while (letters > LOG_LETTERS && mine.pre.firstChild !== mine.tail) {
    letters -= mine.pre.firstChild.textContent.length;
    mine.pre.firstChild.remove();
  }
  if (markError(mine)) return;
  if ($("log-follow").checked) {
    const before = mine.pre.scrollTop;
    mine.pre.scrollTop = mine.pre.scrollHeight;
    mine.moving = mine.pre.scrollTop !== before;
  }
}

// Kale goes on after a failing cell, so the end of a log is often not the cause: shows the cause.
function markError(mine) {
  const words = mine.part.dataset.find;
  if (!words || mine.marked) return false;
  for (const piece of mine.pre.childNodes) {
    const at = piece.nodeType === Node.TEXT_NODE ? piece.data.indexOf(words) : -1;
    if (at < 0) continue;
    const found = piece.splitText(at);
    found.splitText(words.length);
    const mark = document.createElement("mark");
    mark.textContent = words;
    found.replaceWith(mark);
    mine.marked = true;
    $("log-follow").checked = false;
    mine.pre.scrollTop = mark.offsetTop - mine.pre.offsetTop - mine.pre.clientHeight / 2;
    return true;
  }
  return false;
}

// The page is asked for again for as long as the run goes on.
function isLive() {
  return shown.seconds > 0;
}

function note(text) {
  if ($("log-note") && $("log-note").textContent !== text) $("log-note").textContent = text;
}

// Who reads a log is not moved on to the next step that starts.
function stayWithStep() {
  const { path, query } = route();
  const address = `#${path}?step=${encodeURIComponent(log.part.dataset.step)}`;
  if (!new URLSearchParams(query).get("step")) history.replaceState(null, "", address);
}

function pauseLog(button) {
  log.paused = !log.paused;
  stayWithStep();
  button.setAttribute("aria-pressed", String(log.paused));
  button.textContent = log.paused ? "Go on" : "Pause";
  if (!log.paused) readLog(log);
}

async function copyLog() {
  try {
    await navigator.clipboard.writeText(log.pre.textContent);
  } catch {
    const range = document.createRange(); // not allowed here: select it, for the reader to copy
    range.selectNodeContents(log.pre);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    if (!document.execCommand("copy")) return note("Selected: press Ctrl+C.");
  }
  note("Copied.");
}

// ---- reports: frames without scripts, loaded when they are opened

function openFrames(within) {
  for (const frame of within.querySelectorAll("details[open] iframe[data-src]")) {
    frame.addEventListener("load", () => {
      const height = frame.contentDocument?.documentElement?.getBoundingClientRect().height;
      if (height) frame.style.height = `${Math.min(height + 4, 1600)}px`;
    });
    frame.src = frame.dataset.src;
    frame.removeAttribute("data-src");
  }
}

// ---- buttons and forms

async function act(button) {
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
    return { error: answer.error || answer.message || `The server refused (${response.status}).` };
  } catch {
    return { error: "The server does not answer; is it still running?" };
  }
}

function query(form) {
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

async function startRun(form) {
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
  const { answer, error } = await call("POST", "apis/v2beta1/runs", JSON.stringify(body));
  if (!error) location.hash = `#/runs/details/${answer.run_id}`;
  return error;
}

async function upload(form) {
  const file = form.elements.uploadfile.files[0];
  if (!file) {
    form.elements.uploadfile.focus();
    return "Choose a file first.";
  }
  const body = new FormData();
  body.append("uploadfile", file);
  const asked = new URLSearchParams();
  const name = form.elements.name.value.trim();
  if (name) asked.set("name", name);
  if (form.dataset.pipeline) asked.set("pipelineid", form.dataset.pipeline);
  const { answer, error } = await call("POST", `${form.dataset.upload}?${asked}`, body);
  if (!error) {
    const version = answer.pipeline_version_id ? `/version/${answer.pipeline_version_id}` : "";
    location.hash = `#/pipelines/details/${answer.pipeline_id}${version}`;
  }
  return error;
}

async function submit(form, action) {
  const button = form.querySelector("button:not([type])");
  const failure = form.querySelector(".failure");
  failure.hidden = true;
  button.disabled = true;
  const error = await action(form);
  button.disabled = false;
  failure.textContent = error || "";
  failure.hidden = !error;
}

function countChosen() {
  const button = $("compare");
  if (button) button.disabled = button.form.querySelectorAll("[name=run]:checked").length < 2;
}

// ---- what the reader does

document.addEventListener("click", (event) => {
  const link = event.target.closest("a, button");
  if (!link) return;
  if (link.id === "skip") {
    event.preventDefault();
    content.focus();
  } else if (link.dataset.method) act(link);
  else if (link.id === "log-pause") pauseLog(link);
  else if (link.id === "log-copy") copyLog();
  else if (link.dataset.to) {
    target = link.dataset.to;
    const address = link.getAttribute("href");
    if (!address.startsWith("#/") || address === location.hash) {
      event.preventDefault();
      goTo();
    }
  }
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method === "dialog") return;
  event.preventDefault();
  if ("query" in form.dataset) query(form);
  else if ("compare" in form.dataset) {
    const chosen = [...form.querySelectorAll("[name=run]:checked")].map((one) => one.value);
    location.hash = `#/compare?runlist=${chosen.join(",")}`;
  } else if ("start" in form.dataset) submit(form, startRun);
  else if ("upload" in form.dataset) submit(form, upload);
});

document.addEventListener("change", (event) => {
  const one = event.target;
  if (one.name === "run") countChosen();
  else if (one.dataset.toggles) document.querySelector("table.compare").classList.toggle(one.dataset.toggles, one.checked);
  else if (one.form && "query" in one.form.dataset && one.type !== "search") query(one.form);
  else if (one.id === "log-follow") {
    if (one.checked) log.pre.scrollTop = log.pre.scrollHeight;
    else stayWithStep();
  }
});

document.addEventListener("toggle", (event) => event.target.open && openFrames(event.target.parentElement), true);
document.addEventListener("visibilitychange", () => document.hidden || (shown.seconds && load()));
addEventListener("hashchange", navigate);
navigate();
