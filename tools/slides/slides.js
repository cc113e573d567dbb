// Arrow keys, space, Home and End turn the slides; N shows the speaker's notes.
"use strict";
const slides = [...document.querySelectorAll(".slide")];
const notes = document.getElementById("notes");
let current = 0;

// A slide that has a little too much is made smaller, so that nothing is cut.
function fit(slide) {
  const room = slide.querySelector(".content");
  const inner = slide.querySelector(".fit");
  for (let size = 1; size > 0.4; size -= 0.04) {
    inner.style.zoom = size;
    slide.dataset.size = size.toFixed(2);
    const fits = inner.getBoundingClientRect().height <= room.clientHeight + 1;
    if (fits && room.scrollWidth <= room.clientWidth + 1) return;
  }
}

function show(number) {
  current = Math.max(0, Math.min(slides.length - 1, number));
  slides.forEach((slide, place) => slide.classList.toggle("current", place === current));
  const scale = Math.min(innerWidth / 1280, innerHeight / 720);
  slides[current].style.transform = `scale(${scale}) translate(-50%, -50%)`;
  notes.innerHTML = slides[current].querySelector("aside").innerHTML;
  history.replaceState(null, "", `#${current + 1}`);
}

const KEYS = {
  ArrowRight: () => current + 1, ArrowDown: () => current + 1, PageDown: () => current + 1,
  " ": () => current + 1, ArrowLeft: () => current - 1, ArrowUp: () => current - 1,
  PageUp: () => current - 1, Home: () => 0, End: () => slides.length - 1,
};

addEventListener("keydown", (event) => {
  if (event.key === "n" || event.key === "N") notes.hidden = !notes.hidden;
  else if (KEYS[event.key] && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    show(KEYS[event.key]());
  }
});
addEventListener("resize", () => show(current));
addEventListener("hashchange", () => show(Number(location.hash.slice(1)) - 1 || 0));
addEventListener("load", () => {
  slides.forEach(fit);
  document.body.classList.add("shown");
  show(Number(location.hash.slice(1)) - 1 || 0);
});
