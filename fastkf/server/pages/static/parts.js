// The parts of a page: only those that have changed are replaced, and what the reader does in the
// others goes on.

import { showTime, stamp, tick } from "./clock.js";
import { followLog } from "./log.js";
import { $, content } from "./state.js";

const sources = new WeakMap(); // part of the page to the HTML it was made from

export function replaceParts(fragment, all) {
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

function baseAddress() {
  return new URL(".", location.href).href.split("#")[0].replace(/\/$/, "");
}

// Reports are frames without scripts, loaded when they are opened.
export function openFrames(within) {
  for (const frame of within.querySelectorAll("details[open] iframe[data-src]")) {
    frame.addEventListener("load", () => {
      const height = frame.contentDocument?.documentElement?.getBoundingClientRect().height;
      if (height) frame.style.height = `${Math.min(height + 4, 1600)}px`;
    });
    frame.src = frame.dataset.src;
    frame.removeAttribute("data-src");
  }
}

export function countChosen() {
  for (const form of content.querySelectorAll("[data-compare]")) {
    const button = form.querySelector("button");
    const chosen = form.querySelectorAll(".pick :checked").length;
    if (button) button.disabled = chosen < 2 || chosen > Number(form.dataset.most || chosen);
  }
}
