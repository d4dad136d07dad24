// The service worker of the hostile site: it fetches what its pages want, and tells them what it could read.

'use strict';

self.addEventListener('install', () => self.skipWaiting());

self.addEventListener('message', async ({ data: { url, options }, ports: [port] }) => {
  try {
    const answer = await fetch(url, options);
    port.postMessage({ ok: answer.ok, text: answer.type === 'opaque' ? '' : await answer.text() });
  } catch (error) {
    port.postMessage({ ok: false, text: '', error: String(error) });
  }
});
