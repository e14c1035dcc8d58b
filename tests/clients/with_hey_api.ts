import { addReaction, getMessage, getUser, listChats, listMessages, sendMessage, signIn, startSync, streamEvents, sync } from "./hey_api";
import type { Event } from "./hey_api";
import { createClient } from "./hey_api/client";
import { alice, base, cookieOf, expect, need } from "./steps";

const signedIn = await signIn({ client: createClient({ baseUrl: base }), body: alice, throwOnError: true });
const me = signedIn.data;
const headers = { Cookie: cookieOf(need(signedIn.response, "the answer").headers) };
const client = createClient({ baseUrl: base, headers });
const asked = { client, throwOnError: true } as const;

const chats = (await listChats(asked)).data;
const chat = need(chats.results[0], "a chat").id;
const heads = (await startSync(asked)).data.heads;

const ending = new AbortController();
const stream = await streamEvents({ client, signal: ending.signal });
const first: Event = need((await stream.stream.next()).value, "an event") as Event;
expect(first.type === "hello" && first.user_id === me.id, "the stream begins with hello");
ending.abort();

const body = { content: "Typed by hey-api", client_id: crypto.randomUUID() };
const sent = (await sendMessage({ ...asked, path: { chat }, body })).data;
const path = { message: sent.id };
const read = (await getMessage({ ...asked, path })).data;
expect(read.content === body.content && read.sender.id === me.id, "it is read as it was sent");
const reacted = (await addReaction({ ...asked, path: { ...path, emoji: "👍" } })).data;
expect(reacted.action === "added", "the reaction is added");

const events: Event[] = (await sync({ ...asked, body: { chats: heads } })).data.events;
expect(events.some((event) => event.type === "new_message" && event.message.id === sent.id), "the message's event");

const own = (await getUser({ ...asked, path: { user: me.id } })).data;
expect("email" in own && own.email === me.email, "one's own user has an e-mail address");
const hit = need((await listMessages({ ...asked, path: { chat }, query: { search: "hey-api" } })).data.results[0], "a hit");
expect("highlights" in hit && hit.highlights.length > 0, "what was found is highlighted");

const refused = await getMessage({ client, path: { message: 999_999 } });
expect(need(refused.response, "the answer").status === 404 && refused.error !== undefined, "a missing message is 404");
