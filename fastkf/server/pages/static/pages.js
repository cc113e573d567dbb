// What the reader does, and the parts of the script that do it.

import { act, createExperiment, query, saveTags, startRun, submit, upload } from "./forms.js";
import { copyLog, pauseLog, stayWithStep, toEndOfLog } from "./log.js";
import { aimAt, goTo, load, navigate } from "./page.js";
import { countChosen, openFrames } from "./parts.js";
import { content, shown } from "./state.js";

document.addEventListener("click", (event) => {
  const link = event.target.closest("a, button");
  if (!link) return;
  if (link.id === "skip") {
    event.preventDefault();
    content.focus();
  } else if (link.dataset.method) act(link);
  else if (link.id === "repeat-run") submit(link.form, startRun, link);
  else if (link.id === "log-pause") pauseLog(link);
  else if (link.id === "log-copy") copyLog();
  else if (link.dataset.to) {
    aimAt(link.dataset.to);
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
    const chosen = [...form.querySelectorAll(".pick :checked")].map((one) => one.value);
    location.hash = `${form.dataset.compare}${chosen.join(",")}`;
  } else if ("start" in form.dataset) submit(form, startRun);
  else if ("save" in form.dataset) submit(form, saveTags);
  else if ("create" in form.dataset) submit(form, createExperiment);
  else if ("upload" in form.dataset) submit(form, upload);
});

document.addEventListener("change", (event) => {
  const one = event.target;
  if (one.closest(".pick")) countChosen();
  else if (one.dataset.toggles) document.querySelector("table.compare").classList.toggle(one.dataset.toggles, one.checked);
  else if (one.form && "query" in one.form.dataset && one.type !== "search") query(one.form);
  else if (one.id === "log-follow") {
    if (one.checked) toEndOfLog();
    else stayWithStep();
  }
});

document.addEventListener("toggle", (event) => event.target.open && openFrames(event.target.parentElement), true);
document.addEventListener("visibilitychange", () => document.hidden || (shown.seconds && load()));
addEventListener("hashchange", navigate);
navigate();
