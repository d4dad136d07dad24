// Tries the tricks of attacks.js, which is loaded before this, from an extension's world within a hostile page.

'use strict';

addEventListener('message', async ({ data }) => {
  if (data.attack) postMessage({ outcomes: await attack(...data.attack) }, '*');
});
document.documentElement.dataset.ready = 'yes';
