// Selecting rows: buttons say how many of the selected panels they are for, and are hidden when there are none.

const picks = () => [...document.querySelectorAll("input[data-pick]")];

function showSelection() {
  const all = picks();
  const checked = all.filter((pick) => pick.checked);
  for (const group of document.querySelectorAll("[data-bulk]")) {
    group.hidden = (group.dataset.bulk === "selected") !== checked.length > 0;
  }
  for (const one of document.querySelectorAll("[data-states]")) {
    const states = one.dataset.states.split(" ");
    const count = checked.filter((pick) => states.includes(pick.dataset.state)).length;
    one.hidden = count === 0;
    if (one.dataset.says) one.textContent = one.dataset.says.replace("{}", count.toLocaleString());
  }
  const page = document.querySelector("input[data-pick-page]");
  if (!page) return;
  page.closest("label").hidden = false;
  page.checked = checked.length > 0 && checked.length === all.length;
  page.indeterminate = checked.length > 0 && checked.length < all.length;
}

// Shift and a click select all rows from the last one that was clicked.

let lastPicked = null;

document.addEventListener("click", (event) => {
  if (!event.target.matches?.("input[data-pick]")) return;
  const all = picks();
  const [from, to] = [all.indexOf(lastPicked), all.indexOf(event.target)].sort((one, other) => one - other);
  if (event.shiftKey && from >= 0) {
    for (const pick of all.slice(from, to + 1)) pick.checked = event.target.checked;
  }
  lastPicked = event.target;
  showSelection();
});

document.addEventListener("change", (event) => {
  if (event.target.matches("input[data-pick-page]")) {
    for (const pick of picks()) pick.checked = event.target.checked;
  }
  if (event.target.matches("input[data-pick], input[data-pick-page]")) showSelection();
});

document.addEventListener("htmx:afterSettle", showSelection);
window.addEventListener("pageshow", showSelection); // a browser that goes back may have kept what was selected
