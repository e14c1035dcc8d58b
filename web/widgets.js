/**
 * Widgets for other pages, from one script tag:
 *
 *     <script type="module" src="https://chat.example.com/messages/widgets.js"></script>
 *     <greenroom-dm user="5"></greenroom-dm>
 *     <greenroom-room object-type="video" object-id="42" title="Discussion"></greenroom-room>
 *     <greenroom-inbox></greenroom-inbox>
 *
 * Their content is in the page's own document, in an element of class `greenroom`, so that its styles and scripts reach it.
 */

import { DmWidget } from "./ui/widget-dm.js";
import { WidgetElement } from "./ui/widget-element.js";
import { InboxWidget } from "./ui/widget-inbox.js";
import { RoomWidget } from "./ui/widget-room.js";

export { connect } from "./ui/widget-page.js";

const kinds = { "greenroom-dm": DmWidget, "greenroom-room": RoomWidget, "greenroom-inbox": InboxWidget };
for (const [name, Component] of Object.entries(kinds)) {
  if (customElements.get(name)) continue;
  customElements.define(
    name,
    class extends WidgetElement {
      static Component = Component;
    },
  );
}
