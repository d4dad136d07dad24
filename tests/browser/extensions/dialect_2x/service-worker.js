/*
 * Speaks the dialect of the 2.x extension: polls every 2 s from a timer, sends a task to every tab of its site about
 * 1 s apart, reports by `id` and by `correlationId`, never says `completed`, and ignores every answer to a report.
 */

const SERVER = 'http://localhost:8080';
let lastId = '';

setInterval(poll, 2000);

async function poll() {
  try {
    const headers = {
      'Content-Type': 'application/json',
      'X-Extension-Id': chrome.runtime.id,
      'X-Last-Id': lastId,
    };
    const response = await fetch(`${SERVER}/pending-tasks`, { headers });
    for (const task of (await response.json()).tasks) await handle(task);
  } catch (error) {
    console.warn(error);
  }
}

async function handle(task) {
  const tabs = await chrome.tabs.query({ url: `https://${task.payload.domain}/*` });
  if (!tabs.length) await report(task.id, 'no_tabs', null);
  for (const tab of tabs) {
    await chrome.tabs.sendMessage(tab.id, task);
    await report(task.id, 'delivered', tab.id);
    await report(task.correlationId, 'sent', tab.id);
    await new Promise((done) => setTimeout(done, 1000));
  }
  lastId = task.id;
}

chrome.runtime.onMessage.addListener(({ correlationId, status }, sender) => {
  report(correlationId, status, sender.tab.id);
});

async function report(taskId, status, tabId) {
  await fetch(`${SERVER}/task-status`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ taskId, status, tabId, timestamp: Date.now() }),
  }).catch(() => {});
}
