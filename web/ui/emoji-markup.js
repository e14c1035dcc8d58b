/**
 * Parses the markup of the emoji picker's templates without the browser's parser, which pages that require Trusted Types
 * forbid.
 */

const TAG_OR_TEXT = /<(\/?)([a-z][a-z0-9-]*)((?:[^">]|"[^"]*")*)>|([^<]+)/gi;
const ATTRIBUTE = /([^\s=]+)(?:="([^"]*)"|=(\S+))?/g;
const WITHOUT_END = ["input", "img", "br"];

/** @param {string} markup well-formed, without comments and character references */
export function templateOf(markup) {
  const template = document.createElement("template");
  const open = [/** @type {ParentNode & Node} */ (template.content)];
  for (const [, end, name, attributes, text] of markup.matchAll(TAG_OR_TEXT)) {
    if (text !== undefined) {
      open[0].append(text);
    } else if (end) {
      open.shift();
    } else {
      const element = document.createElement(name);
      for (const [, key, quoted, plain] of attributes.matchAll(ATTRIBUTE)) element.setAttribute(key, quoted ?? plain ?? "");
      open[0].append(element);
      if (!WITHOUT_END.includes(name)) open.unshift(element);
    }
  }
  return template;
}
