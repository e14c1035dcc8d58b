/** The messages page. */

import { Greenroom } from "./greenroom.js";
import { Page } from "./ui/page.js";
import { html, render } from "./ui/html.js";
import { loadTexts } from "./ui/texts.js";

await loadTexts();
const client = new Greenroom();
render(html`<${Page} client=${client} />`, document.querySelector("#page"));
