// Queueing: files that are dropped, styles that are shown while they are chosen, changes that are not saved yet.

const MOST_SAMPLE = 300; // characters of a prompt that go into an address

// A file that is dropped on a form goes where a chosen one would.

for (const form of document.querySelectorAll("form[data-drop]")) {
  const input = form.elements[form.dataset.drop];
  const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  form.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    form.classList.add("over");
  });
  form.addEventListener("dragleave", (event) => {
    if (!form.contains(event.relatedTarget)) form.classList.remove("over");
  });
  form.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    form.classList.remove("over");
    const files = new DataTransfer();
    files.items.add(event.dataTransfer.files[0]);
    input.files = files.files;
    input.focus();
  });
}

// Of a prompt, only its beginning is asked about: an address has little room.

function sampleOf(text) {
  const lines = text.split("\n").map((line) => line.trim());
  return (lines.find((line) => line && !line.startsWith("#")) ?? "").slice(0, MOST_SAMPLE);
}

document.addEventListener("htmx:configRequest", (event) => {
  const sent = event.detail.parameters;
  for (const name of Object.keys(sent)) {
    if (name.endsWith("prompts")) sent[name] = sampleOf(String(sent[name]));
    else sent[name] = String(sent[name]).slice(0, MOST_SAMPLE);
  }
});

// Who leaves with changes that are not saved is asked first.

for (const form of document.querySelectorAll("form[data-warn-unsaved]")) {
  let isChanged = false;
  form.addEventListener("input", () => (isChanged = true));
  form.addEventListener("submit", () => (isChanged = false));
  window.addEventListener("beforeunload", (event) => {
    if (isChanged) event.preventDefault();
  });
}
