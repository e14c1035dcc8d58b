import { getMessage, getUser, listChats, listMessages, sendMessage, signIn, startSync, sync, toggleReaction } from "./orval";
import type { Event } from "./orval";
import { alice, base, cookieOf, expect, need } from "./steps";

// orval's client requests relative paths, as a page of the server does.
const ask = globalThis.fetch;
globalThis.fetch = (input, init) => ask(new URL(String(input), base), init);

const signedIn = await signIn(alice);
if (signedIn.status !== 200) throw new Error(`signing in is ${signedIn.status}`);
const me = signedIn.data;
const options = { headers: { Cookie: cookieOf(signedIn.headers) } };

const chats = await listChats({}, options);
if (chats.status !== 200) throw new Error(`the chats are ${chats.status}`);
const chat = need(chats.data.results[0], "a chat").id;
const start = await startSync(options);
if (start.status !== 200) throw new Error(`the start is ${start.status}`);

const sent = await sendMessage(chat, { content: "Typed by orval", client_id: crypto.randomUUID() }, options);
if (sent.status !== 201) throw new Error(`sending is ${sent.status}`);
const read = await getMessage(sent.data.id, options);
expect(read.status === 200 && read.data.content === "Typed by orval" && read.data.sender.id === me.id, "it is read as it was sent");
const reacted = await toggleReaction(sent.data.id, { emoji: "👍" }, options);
expect(reacted.status === 200 && reacted.data.action === "added", "the reaction is added");

const synced = await sync({ chats: start.data.heads }, options);
if (synced.status !== 200) throw new Error(`the events are ${synced.status}`);
const events: Event[] = synced.data.events;
const isIt = (event: Event) => event.type === "new_message" && event.message.id === sent.data.id;
expect(events.some(isIt), "the message's event");

const own = await getUser(me.id, options);
expect(own.status === 200 && "email" in own.data && own.data.email === me.email, "one's own user has an e-mail address");
const found = await listMessages(chat, { search: "orval" }, options);
if (found.status !== 200) throw new Error(`searching is ${found.status}`);
const hit = need(found.data.results[0], "a hit");
expect("highlights" in hit && hit.highlights.length > 0, "what was found is highlighted");
expect((await getMessage(999_999, options)).status === 404, "a missing message is 404");
