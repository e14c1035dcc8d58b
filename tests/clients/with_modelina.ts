import type { Commands, ErrorAnswer, Events, HelloEvent, MessageAck, ReactionAck } from "./modelina";
import { base, expect, need } from "./steps";

type Frame = Events | MessageAck | ReactionAck | ErrorAnswer;

const token = need(process.env.GREENROOM_TOKEN, "the token");
const socket = new WebSocket(`${base.replace("http", "ws")}/messages/ws/`, ["greenroom", `greenroom.token.${token}`]);
const frames: Frame[] = [];
let wake = () => {};
socket.onmessage = ({ data }) => {
  frames.push(JSON.parse(String(data)) as Frame);
  wake();
};

/** The next frame of some kind; others are left out. */
async function next<T extends Frame>(fits: (frame: Frame) => frame is T): Promise<T> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const frame = frames.shift();
    if (frame && fits(frame)) return frame;
    if (Date.now() > deadline) throw new Error("no such frame came");
    if (!frame) {
      await new Promise<void>((resolve) => {
        wake = resolve;
        setTimeout(resolve, 100);
      });
    }
  }
}

const say = (command: Commands) => socket.send(JSON.stringify(command));

const hello = await next((frame): frame is HelloEvent => frame.type === "hello");
const chat = Number(need(Object.keys(hello.chats)[0], "a chat"));
say({ type: "send_message", id: 1, chat_id: chat, content: "Typed by Modelina", client_id: crypto.randomUUID() });
const ack = await next((frame): frame is MessageAck => frame.type === "ack" && "message" in frame);
expect(ack.id === 1 && ack.message.content === "Typed by Modelina", "the message is acknowledged");
say({ type: "react", id: 2, message_id: ack.message.id, emoji: "👍", action: "add" });
const reacted = await next((frame): frame is ReactionAck => frame.type === "ack" && "emoji" in frame);
expect(reacted.action === "added", "the reaction is added");
say({ type: "edit_message", id: 3, message_id: 999_999, content: "Nothing" });
const refused = await next((frame): frame is ErrorAnswer => frame.type === "error");
expect(refused.status === 404 && refused.id === 3, "a missing message is 404");
socket.close();
