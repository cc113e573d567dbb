for (const frame of document.querySelectorAll("iframe")) {
  const fit = () => {
    const height = frame.contentDocument?.documentElement?.getBoundingClientRect().height;
    if (height) frame.style.height = `${Math.min(height + 4, 1600)}px`;
  };
  frame.addEventListener("load", fit);
  frame.closest("details").addEventListener("toggle", () => requestAnimationFrame(fit));
  fit();
}
const reveal = () => {
  const target = document.getElementById(location.hash.slice(1));
  if (target?.tagName === "DETAILS") target.open = true;
};
addEventListener("hashchange", reveal);
reveal();
