// What every part of the script knows: the page that is shown, and the address that it is at.

const ROUTE = /^\/(runs|pipelines|experiments|compare|recurringruns?|artifacts|executions)(\/[\w.-]+)*$/;

export const $ = (id) => document.getElementById(id);
export const content = $("content");
export const shown = { path: "", tag: "", seconds: 0, said: "" };

export function route() {
  const [path, query = ""] = (location.hash.slice(1) || "/runs").split("?", 2);
  if (path === "/archive/runs") return { path: "/runs", query: "archived=1" };
  return { path: ROUTE.test(path) ? path : "/nowhere", query };
}

// The page is asked for again for as long as the run goes on.
export function isLive() {
  return shown.seconds > 0;
}
