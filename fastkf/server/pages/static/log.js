// The log of a step: it grows while the step runs.

import { $, isLive, route } from "./state.js";

const SECONDS_OF_LOG = 0.7;
const LOG_LETTERS = 2_000_000;

let log = null;

export function followLog(part) {
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
  const lines = found.text.split(/(?<=\n)/);
  for (const { lines: count, own } of found.passages) addPassage(mine, lines.splice(0, count).join(""), own);
  if (lines.length) addPassage(mine, lines.join(""), true);
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

// What the framework wrote is folded: the author's own lines are what a reader looks for.
function addPassage(mine, text, own) {
  const last = mine.tail.previousSibling;
  if (own) return mine.pre.insertBefore(document.createTextNode(text), mine.tail);
  const goesOn = last?.nodeName === "DETAILS";
  const fold = goesOn ? last : document.createElement("details");
  if (!goesOn) {
    fold.append(document.createElement("summary"));
    mine.pre.insertBefore(fold, mine.tail);
  }
  fold.append(text);
  const lines = fold.textContent.split("\n").length - 1;
  // Not as text, which would be copied with the log.
  const label = `${lines.toLocaleString()} line${lines === 1 ? "" : "s"} of the framework`;
  fold.firstChild.dataset.label = label;
  fold.firstChild.setAttribute("aria-label", label);
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

function note(text) {
  if ($("log-note") && $("log-note").textContent !== text) $("log-note").textContent = text;
}

// Who reads a log is not moved on to the next step that starts.
export function stayWithStep() {
  const { path, query } = route();
  const address = `#${path}?step=${encodeURIComponent(log.part.dataset.step)}`;
  if (!new URLSearchParams(query).get("step")) history.replaceState(null, "", address);
}

export function pauseLog(button) {
  log.paused = !log.paused;
  stayWithStep();
  button.setAttribute("aria-pressed", String(log.paused));
  button.textContent = log.paused ? "Go on" : "Pause";
  if (!log.paused) readLog(log);
}

export async function copyLog() {
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

export function toEndOfLog() {
  log.pre.scrollTop = log.pre.scrollHeight;
}
