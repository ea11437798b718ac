// Keyboard, clickable rows, local times and the sign that says whether the page is live. Everything works without it.
"use strict";

const rows = () => [...document.querySelectorAll("tr[data-href]")];
let selected = null; // the address of the selected row: a live list moves, the selection stays with its row

function select(row) {
  for (const each of document.querySelectorAll("tr[data-selected]")) delete each.dataset.selected;
  if (!row) return;
  row.dataset.selected = "";
  selected = row.dataset.href;
  row.scrollIntoView({ block: "nearest" });
}

function move(step) {
  const all = rows();
  const at = all.findIndex((row) => row.dataset.href === selected);
  select(all[Math.min(Math.max(at + step, 0), all.length - 1)]);
}

function onKey(event) {
  if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    const search = document.querySelector("[data-search]");
    if (search) { event.preventDefault(); search.focus(); search.select(); }
  } else if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "Enter" && !event.target.closest("a, button, summary")) {
    // Not the row that is drawn as selected: a live update has just replaced it when the key meets its new rows.
    const row = rows().find((each) => each.dataset.href === selected);
    if (row) location.assign(row.dataset.href);
  }
}

function onClick(event) {
  const row = event.target.closest("tr[data-href]");
  if (row && !event.target.closest("a, button, input, label") && !String(getSelection())) location.assign(row.dataset.href);
}

// Times come as UTC, and are shown as this browser's local time. The title keeps the exact moment.
function localize(root) {
  for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
    const moment = new Date(time.dateTime);
    if (isNaN(moment)) continue;
    const today = moment.toDateString() === new Date().toDateString();
    const clock = moment.toLocaleTimeString([], { hour12: false });
    const exact = time.dataset.form === "exact" ? `.${String(moment.getMilliseconds()).padStart(3, "0")}` : "";
    time.title = time.dateTime;
    time.textContent = today || exact ? clock + exact : `${moment.toLocaleDateString([], { month: "short", day: "numeric" })} ${clock.slice(0, 5)}`;
    time.dataset.local = "";
  }
}

const seen = new Set();
function markFresh(root) {
  const known = seen.size > 0;
  for (const row of root.querySelectorAll("tr[data-href]")) {
    if (known && !seen.has(row.dataset.href)) row.classList.add("fresh");
    seen.add(row.dataset.href);
  }
}

function showConnection(state, text) {
  const sign = document.querySelector(".live");
  if (sign) { sign.dataset.state = state; sign.textContent = text; }
}

async function onCopy(event) {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.previousElementSibling.textContent);
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

document.addEventListener("keydown", onKey);
document.addEventListener("click", onCopy);
document.addEventListener("click", onClick);
document.addEventListener("htmx:sseOpen", () => showConnection("live", "live"));
document.addEventListener("htmx:sseClose", (event) => { if (event.detail.type === "message") showConnection("done", "complete"); });
document.addEventListener("htmx:sseError", () => showConnection("lost", "connection lost, trying again"));
document.addEventListener("htmx:afterSettle", (event) => {
  localize(document);
  markFresh(document);
  select(rows().find((row) => row.dataset.href === selected));
});
document.addEventListener("htmx:sseMessage", () => { localize(document); markFresh(document); });
localize(document);
markFresh(document);
