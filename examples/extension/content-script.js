/*
 * Draws in a page of the AI site: types a prompt, clicks Send, waits for the picture.
 *
 * The service worker injects this before every drawing, so that tabs opened before the extension work too. It may
 * be killed while a picture is drawn; the page lives on. So the page remembers each drawing by its receipt, and
 * when the next service worker asks again for the same one, it gets the same drawing.
 */

(() => {
  // ┌──────────────────────────────────────────────────────────────────────────────────────────────────────────┐
  // │ THE SITE: what to adapt. These fit the stub page of the browser tests; look up the real site's own.      │
  // └──────────────────────────────────────────────────────────────────────────────────────────────────────────┘
  const SITE = {
    promptBox: '#prompt',
    sendButton: '#send',
    picture: 'img.picture',
    drawingSeconds: 240, // no picture takes longer; less than the service worker waits
  };

  if (globalThis.semantestDrawings) return; // already here
  const drawings = (globalThis.semantestDrawings = new Map()); // receipt → promise of what to report
  let latest = Promise.resolve();

  chrome.runtime.onMessage.addListener(({ type, id, prompt }, _sender, answer) => {
    if (type !== 'draw') return false;
    if (!drawings.has(id)) {
      latest = latest.then(() => draw(prompt)); // a page draws one picture after the other
      drawings.set(id, latest);
    }
    drawings.get(id).then(answer);
    return true; // the answer comes later
  });

  /** Draws one picture. Returns the report, also when it fails. */
  async function draw(prompt) {
    const box = document.querySelector(SITE.promptBox);
    if (!box) {
      // Signed out, say. Given back, it waits for a person; failed, it would use up its attempts.
      return { status: 'no_tabs', message: `${location.host} shows no prompt box.` };
    }
    try {
      const before = new Set(document.querySelectorAll(SITE.picture));
      type(box, prompt);
      document.querySelector(SITE.sendButton).click();
      const picture = await newPicture(before);
      return { status: 'completed', imageUrl: picture.src };
    } catch (error) {
      return { status: 'failed', message: error.message };
    }
  }

  function type(box, text) {
    box.focus();
    box.value = text; // in a box that is contenteditable: document.execCommand('insertText', false, text)
    box.dispatchEvent(new Event('input', { bubbles: true }));
  }

  /** The picture that was not there before, once it has loaded. Timers are slow in hidden tabs, observers are not. */
  function newPicture(before) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const pictures = [...document.querySelectorAll(SITE.picture)];
        const picture = pictures.find((candidate) => !before.has(candidate) && candidate.naturalWidth > 0);
        if (picture) done(() => resolve(picture));
      };
      const giveUp = () => done(() => reject(new Error(`No picture in ${SITE.drawingSeconds} s.`)));
      const observer = new MutationObserver(look);
      const timer = setTimeout(giveUp, SITE.drawingSeconds * 1000);
      const done = (settle) => {
        observer.disconnect();
        document.removeEventListener('load', look, true);
        clearTimeout(timer);
        settle();
      };
      observer.observe(document.body, { childList: true, subtree: true });
      document.addEventListener('load', look, true); // an image loads after it was added
      look();
    });
  }
})();
