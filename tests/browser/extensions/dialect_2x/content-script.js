/* Types what it is sent, and takes any picture that appears for the one it was last asked for. */

let correlationId = null;

chrome.runtime.onMessage.addListener((task, _sender, answer) => {
  answer({ taken: true });
  correlationId = task.payload.correlationId;
  setTimeout(() => {
    document.querySelector('#prompt').value = task.payload.prompt;
    document.querySelector('#send').click();
    chrome.runtime.sendMessage({ correlationId, status: 'sent' });
  }, 300);
});

document.addEventListener(
  'load',
  (event) => {
    if (event.target.matches('img.picture')) chrome.runtime.sendMessage({ correlationId, status: 'image_found' });
  },
  true,
);
