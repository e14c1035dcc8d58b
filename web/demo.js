/** The demo page: it lists the events of its widgets. */

const list = document.querySelector("#events");

function note(text) {
  if (list.dataset.isUsed === undefined) list.replaceChildren();
  list.dataset.isUsed = "";
  list.prepend(Object.assign(document.createElement("li"), { textContent: text }));
  while (list.childElementCount > 8) list.lastElementChild.remove();
}

document.addEventListener("greenroom:message", ({ target, detail }) => {
  note(`${target.localName}: message, ${detail.change}: ${detail.message.is_deleted ? "deleted" : detail.message.content || detail.message.forwarded_from?.content}`);
});
document.addEventListener("greenroom:unread", ({ target, detail }) => {
  note(`${target.localName}: unread, ${detail.total ?? detail.unread}`);
});
