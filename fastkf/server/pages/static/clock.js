// Times, and what runs goes on counting.

let behind = 0; // milliseconds that this clock is behind the server's

export function setClock(response) {
  const server = Date.parse(response.headers.get("Date") || "");
  if (server && Math.abs(server - Date.now()) > 2000) behind = server - Date.now();
}

export function tick() {
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

export function showTime(time) {
  const moment = new Date(time.getAttribute("datetime"));
  if (Number.isNaN(moment.getTime())) return;
  const style = "seconds" in time.dataset ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" };
  time.title = time.textContent;
  time.textContent = new Intl.DateTimeFormat(undefined, style).format(moment);
}

// Runs of one pipeline are told apart by when they were started.
export function stamp(field) {
  const now = new Date(Date.now() - new Date().getTimezoneOffset() * 60000);
  const text = now.toISOString().slice(0, 16).replace("T", " ");
  field.value = `${field.value.replace(/ \d{4}-\d\d-\d\d \d\d:\d\d$/, "")} ${text}`;
}
