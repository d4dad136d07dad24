// What HTML cannot do by itself. Everything works without it, only less comfortably.

// Parts of pages that renew themselves rest while nobody looks, and while somebody is busy in them.

function isBusy(part) {
  const selection = document.getSelection();
  return (
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

// Show times in the reader's own zone.

function tellTime(event) {
  const time = event.target.closest?.("time");
  if (time) time.title = new Date(time.dateTime).toLocaleString(undefined, { dateStyle: "full", timeStyle: "medium" });
}

document.addEventListener("pointerover", tellTime);

// Escape closes a question that was not meant.

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  document.querySelectorAll("details.confirm[open]").forEach((details) => {
    details.open = false;
    details.querySelector("summary").focus();
  });
});
