// Shows at #/runs/details/ID what the server answers at fragments/runs/details/ID, and looks again
// while something goes on.

import { setClock } from "./clock.js";
import { replaceParts } from "./parts.js";
import { $, content, route, shown } from "./state.js";

const SECONDS_WHEN_HIDDEN = 5;
const SECONDS_WHEN_LOST = 2;

let timer = 0;
let asking = null;
let reveal = false;

export function navigate() {
  if (location.hash && !location.hash.startsWith("#/")) return; // a place in this page
  const moved = route().path !== shown.path;
  if (moved) content.setAttribute("aria-busy", "true");
  // Who chooses a step in a tall graph sees its log without losing the graph.
  const step = new URLSearchParams(route().query).get("step");
  reveal = !moved && step && step !== shown.step;
  shown.step = step;
  load({ moved, fresh: true });
}

export async function load({ moved = false, fresh = false } = {}) {
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
    return JSON.parse(text).message || `The server answered ${response.status}.`;
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
  Object.assign(shown, {
    path,
    tag: response.headers.get("ETag") || "",
    seconds: Number(facts.seconds),
    said: facts.said,
  });
  content.removeAttribute("aria-busy");
  if (moved && !first) {
    scrollTo({ top: 0, behavior: "instant" });
    content.querySelector("h1")?.focus({ preventScroll: true });
  }
  if (reveal && !target) content.querySelector("[data-log]")?.scrollIntoView({ block: "nearest" });
  reveal = false;
  goTo();
}

// A link to a place in the page, such as the log of the step that failed.
let target = "";

export function aimAt(place) {
  target = place;
}

export function goTo() {
  if (!target) return;
  const heading = $(`${target}-title`) ?? content.querySelector("h1");
  target = "";
  heading?.scrollIntoView({ block: "start" });
  heading?.focus({ preventScroll: true });
}
