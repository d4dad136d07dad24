/*
 * Polls a Semantest server, has its panels drawn, and reports what came of them.
 *
 * Chrome may kill this worker at any await. So all that matters is in chrome.storage.local, and every wake-up
 * carries on from there:
 *
 *   workerId         who we are, made up once
 *   pollAfter        the time before which the server wants no poll, in milliseconds
 *   panel:341.1      one panel that we hold, under its receipt:
 *                      { id, number, prompt, domain, order }    received
 *                      { …, tabId }                             given to a tab
 *                      { …, report }                            drawn; the server has yet to hear of it
 *                    and gone once the server has answered that report
 *
 * A panel is one entry, written in one step: a panel that has its report is never drawn again, however often the
 * report has to be sent.
 */

import { ALARM_MINUTES, SERVER, TOKEN } from './config.js';

const ALARM = 'checkServerTasks';
const PANELS_PER_POLL = 4; // a few: what one browser holds, another cannot draw
const REQUEST_SECONDS = 20; // an idle worker is killed after 30
const DRAWING_SECONDS = 300;

// --- Waking up ----------------------------------------------------------------------------------------------------

/** Makes the alarm unless it is there: a restart of the browser can lose it. */
async function keepAlarm() {
  if (!(await chrome.alarms.get(ALARM))) {
    await chrome.alarms.create(ALARM, { periodInMinutes: ALARM_MINUTES });
  }
}

/** Does whatever is due. What fails (no server, mostly) is left as it is for the next alarm. */
async function wakeUp() {
  for (const step of [deliverReports, checkServerTasks, drawPanels]) {
    await step().catch((error) => console.warn(`${error.message}; the next alarm tries again`));
  }
}

/** Makes `work` do nothing while it is already running: alarms go on firing while panels are drawn. */
function oneAtATime(work) {
  let running = false;
  return async () => {
    if (running) return;
    running = true;
    try {
      await work();
    } finally {
      running = false;
    }
  };
}

// --- The poll -----------------------------------------------------------------------------------------------------

/** Takes panels from the server, unless it asked to be left alone until later. */
const checkServerTasks = oneAtATime(async () => {
  const { pollAfter: notBefore = 0 } = await chrome.storage.local.get('pollAfter');
  if (Date.now() < notBefore) return;

  // Named on every poll, even if there are none: the server renews the leases of these, and sends again what it
  // gave us and we do not name, because its answer was lost or we were killed before we had saved it.
  const holding = new Set((await heldPanels()).map((panel) => panel.id));
  const response = await ask(`/tasks/pending?limit=${PANELS_PER_POLL}&holding=${[...holding].join(',')}`);
  if (!response.ok) console.warn(`No panels: ${response.headers.get('Problem') ?? response.status}`);
  const answer = await response.json(); // an array, whatever the status
  const handOuts = answer.filter(({ type }) => type === 'bulkImageGeneration');

  const seconds = Number(response.headers.get('Retry-After')) || 30;
  const pollAfter = Date.now() + seconds * 1000;
  const news = { pollAfter };
  let order = Date.now();
  for (const { payload } of handOuts) {
    for (const { id, number, prompt } of payload.panels) {
      if (holding.has(id)) continue;
      news[`panel:${id}`] = { id, number, prompt, domain: payload.options.domain, order: order++ };
    }
  }
  await chrome.storage.local.set(news);

  // The next alarm is at the time that the server named; the period is for a poll that fails.
  await chrome.alarms.create(ALARM, { when: pollAfter, periodInMinutes: ALARM_MINUTES });

  // Without a first report within 60 s, the server takes the panels back.
  for (const handOut of handOuts) await report(handOut.id, { status: 'delivered' });
});

// --- Drawing ------------------------------------------------------------------------------------------------------

/** Has the held panels drawn, one after the other, and polls for more in between. */
const drawPanels = oneAtATime(async () => {
  let panel;
  while ((panel = await nextPanel())) {
    await drawPanel(panel);
    await checkServerTasks();
  }
});

async function nextPanel() {
  return (await heldPanels()).find((panel) => !panel.report);
}

async function drawPanel(panel) {
  const tab = await findTab(panel);
  if (!tab) {
    return finish(panel, { status: 'no_tabs', message: `No tab of ${panel.domain} is open.` });
  }

  // The panel may have been cancelled, or given to somebody else while this computer slept. A server that does
  // not answer ends this round: only what it has just confirmed to be ours is drawn.
  if ((await report(panel.id, { status: 'running' })) === 'stop') return forget(panel.id);

  await save({ ...panel, tabId: tab.id });
  return finish(panel, await drawInTab(tab, panel));
}

/** The tab that this panel was given to before we were killed, if it is still there, or any one of the site. */
async function findTab({ domain, tabId }) {
  const tabs = await chrome.tabs.query({ url: `https://${domain}/*`, discarded: false }).catch(() => []);
  return tabs.find((tab) => tab.id === tabId) ?? tabs[0];
}

/** What to report about the panel. A tab that is asked again for the same receipt goes on with the same drawing. */
async function drawInTab(tab, { id, prompt }) {
  const answer = async () => {
    await chrome.tabs.update(tab.id, { autoDiscardable: false }); // Chrome unloads tabs that nobody looks at
    await chrome.scripting.executeScript({ target: { tabId: tab.id }, files: ['content-script.js'] });
    return chrome.tabs.sendMessage(tab.id, { type: 'draw', id, prompt });
  };
  const deadline = new Promise((_, reject) => {
    setTimeout(reject, DRAWING_SECONDS * 1000, new Error('The tab gave no answer in time.'));
  });
  try {
    return (await Promise.race([answer(), deadline])) ?? { status: 'failed', message: 'The tab gave no answer.' };
  } catch (error) {
    return { status: 'failed', message: error.message }; // the tab was closed, say
  }
}

// --- Reports ------------------------------------------------------------------------------------------------------

/** Saves what came of the panel, and tells the server. Should that fail, `deliverReports` does it later. */
async function finish(panel, outcome) {
  await save({ ...panel, report: outcome });
  await report(panel.id, outcome);
  await forget(panel.id);
}

/** Sends one report about a receipt or a hand-out, and returns the server's directive: `continue` or `stop`. */
async function report(id, fields) {
  const response = await ask(`/tasks/${id}`, { method: 'PATCH', body: JSON.stringify(fields) });
  if (!isFinal(response.status)) throw new Error(`A report was answered ${response.status}`);
  return response.ok ? (await response.json()).directive : 'stop';
}

/** Sends the reports that have not been answered yet, all in one request. */
const deliverReports = oneAtATime(async () => {
  const reported = (await heldPanels()).filter((panel) => panel.report).slice(0, 100);
  if (!reported.length) return;
  const reports = reported.map((panel) => ({ taskId: panel.id, ...panel.report }));
  const response = await ask('/tasks/status', { method: 'POST', body: JSON.stringify(reports) });
  if (!response.ok) throw new Error(`${reports.length} reports were answered ${response.status}`);
  for (const { taskId, status } of (await response.json()).results) {
    if (isFinal(status)) await forget(taskId);
  }
});

/** Whether a report was taken in or refused for good. A busy server, or one that wants a token, is asked again. */
function isFinal(status) {
  return (status >= 200 && status < 300) || [404, 409, 422].includes(status);
}

// --- The server and the storage -----------------------------------------------------------------------------------

/** One request, short, and under our name. */
async function ask(path, options = {}) {
  return fetch(SERVER + path, {
    ...options,
    headers: {
      'X-Worker-Id': await workerId(),
      'Content-Type': 'application/json',
      ...(TOKEN && { Authorization: `Bearer ${TOKEN}` }),
    },
    credentials: 'omit',
    signal: AbortSignal.timeout(REQUEST_SECONDS * 1000),
  });
}

/** Our name: not the extension's id, which is the same in every browser that has it. */
async function workerId() {
  const { workerId: known } = await chrome.storage.local.get('workerId');
  if (known) return known;
  const workerId = crypto.randomUUID();
  await chrome.storage.local.set({ workerId });
  return workerId;
}

/** The panels in storage, first received first. */
async function heldPanels() {
  const entries = Object.entries(await chrome.storage.local.get());
  const panels = entries.filter(([key]) => key.startsWith('panel:')).map(([, panel]) => panel);
  return panels.sort((one, other) => one.order - other.order);
}

function save(panel) {
  return chrome.storage.local.set({ [`panel:${panel.id}`]: panel });
}

function forget(id) {
  return chrome.storage.local.remove(`panel:${id}`);
}

// --- The start: on every start of this worker, whatever it was that woke it ---------------------------------------

chrome.alarms.onAlarm.addListener(wakeUp);
keepAlarm();
wakeUp();
