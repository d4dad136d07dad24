// What HTML cannot do by itself. Everything works without it, only less comfortably.

// Parts of pages that renew themselves rest while nobody looks, and while somebody is busy on the page.

const OPEN = "dialog[open], details.confirm[open], input[data-pick]:checked";

function isBusy(part) {
  const selection = document.getSelection();
  return (
    document.querySelector(OPEN) !== null ||
    part.querySelector("details[open]") !== null ||
    (part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")) ||
    (!selection.isCollapsed && part.contains(selection.anchorNode))
  );
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target.matches("[data-live]") && (document.hidden || isBusy(event.target))) event.preventDefault();
});

document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.target.matches("[data-live]") && isBusy(event.target)) event.detail.shouldSwap = false;
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) document.querySelectorAll("[data-live]").forEach((part) => htmx.trigger(part, "refresh"));
});

// Say when the server does not answer.

document.addEventListener("htmx:afterRequest", (event) => {
  document.getElementById("offline").hidden = event.detail.successful;
});

// Say aloud what has changed, and only that.

let said = null;

function announce() {
  const texts = [...document.querySelectorAll("[data-announce]")].map((one) => one.dataset.announce);
  const news = said === null ? [] : texts.filter((text) => !said.has(text));
  said = new Set(texts);
  if (news.length) document.getElementById("announced").textContent = news.join(". ");
}

// Show times in the reader's own zone.

function tellTimes() {
  for (const time of document.querySelectorAll("time[data-local]")) {
    const at = new Date(time.dateTime);
    const isToday = at.toDateString() === new Date().toDateString();
    const day = isToday ? {} : { weekday: "short", day: "numeric", month: "short" };
    time.textContent = at.toLocaleString(undefined, { ...day, hour: "2-digit", minute: "2-digit" });
    delete time.dataset.local;
  }
}

document.addEventListener("pointerover", (event) => {
  const time = event.target.closest?.("time");
  if (time) time.title = new Date(time.dateTime).toLocaleString(undefined, { dateStyle: "full", timeStyle: "medium" });
});

function renewed() {
  tellTimes();
  announce();
}

document.addEventListener("htmx:afterSettle", renewed);
renewed();

// Escape closes a question that was not meant.

function closeQuestions() {
  document.querySelectorAll("details.confirm[open]").forEach((details) => {
    details.open = false;
    details.querySelector("summary").focus();
  });
}

// Keys: `j` and `k` walk over rows; others press what has that key, in the row that has the focus or else on the page.

const help = document.getElementById("help");
const keysAreOn = document.getElementById("keys-are-on");
const KEYS_ARE_OFF = "semantest-keys-are-off";

function isVisible(element) {
  return element.offsetParent !== null && !element.disabled;
}

function walk(step) {
  const rows = [...document.querySelectorAll("[data-row]")].filter(isVisible);
  const at = rows.indexOf(document.activeElement.closest("[data-row]"));
  const row = at < 0 ? rows[step > 0 ? 0 : rows.length - 1] : rows[at + step];
  row?.focus();
  row?.scrollIntoView({ block: "nearest" });
}

function press(key) {
  const named = `[data-key="${CSS.escape(key)}"]`;
  const inRow = document.activeElement.closest("[data-row]")?.querySelectorAll(named) ?? [];
  const onPage = [...document.querySelectorAll(named)].filter((one) => !one.closest("[data-row]"));
  const found = [...inRow, ...onPage].find(isVisible);
  if (!found) return false;
  if (found.matches("input, select, textarea")) found.focus();
  else found.click();
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeQuestions();
  const isTyping = event.target.matches?.("input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]");
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key === "?") help.showModal();
  else if (!keysAreOn.checked || help.open) return;
  else if (event.key === "j" || event.key === "k") walk(event.key === "j" ? 1 : -1);
  else if (!/^[a-z/]$/.test(event.key) || !press(event.key)) return;
  event.preventDefault();
});

keysAreOn.checked = localStorage.getItem(KEYS_ARE_OFF) === null;
keysAreOn.addEventListener("change", () => {
  if (keysAreOn.checked) localStorage.removeItem(KEYS_ARE_OFF);
  else localStorage.setItem(KEYS_ARE_OFF, "");
});

const opener = document.getElementById("show-help");
opener.hidden = false;
opener.addEventListener("click", () => help.showModal());
help.addEventListener("click", (event) => {
  if (event.target === help) help.close(); // beside it
});
