import createClient from "openapi-fetch";

import type { components, paths } from "./openapi_typescript";
import { alice, base, cookieOf, expect, need } from "./steps";

type Event = components["schemas"]["Event"];

const signingIn = await createClient<paths>({ baseUrl: base }).POST("/login/", { body: alice });
const me = need(signingIn.data, "the user");
const api = createClient<paths>({ baseUrl: base, headers: { Cookie: cookieOf(signingIn.response.headers) } });

const chats = need((await api.GET("/messages/api/chats/")).data, "the chats");
const chat = need(chats.results[0], "a chat").id;
const heads = need((await api.GET("/messages/api/sync/")).data, "where to begin").heads;

const path = { chat };
const body = { content: "Typed by openapi-typescript", client_id: crypto.randomUUID() };
const sent = need((await api.POST("/messages/api/chats/{chat}/messages/", { params: { path }, body })).data, "the message");
const message = sent.id;
const read = need((await api.GET("/messages/api/messages/{message}/", { params: { path: { message } } })).data, "it again");
expect(read.content === body.content && read.sender.id === me.id, "it is read as it was sent");

const reaction = { params: { path: { message } }, body: { emoji: "👍" } };
const reacted = need((await api.POST("/messages/api/messages/{message}/reactions/", reaction)).data, "the reaction");
expect(reacted.action === "added", "the reaction is added");

const events: Event[] = need((await api.POST("/messages/api/sync/", { body: { chats: heads } })).data, "the events").events;
expect(events.some((event) => event.type === "new_message" && event.message.id === message), "the message's event");

const own = need((await api.GET("/messages/api/users/{user}/", { params: { path: { user: me.id } } })).data, "the user");
expect("email" in own && own.email === me.email, "one's own user has an e-mail address");
const query = { search: "openapi-typescript" };
const found = await api.GET("/messages/api/chats/{chat}/messages/", { params: { path, query } });
const hit = need(need(found.data, "what was found").results[0], "a hit");
expect("highlights" in hit && hit.highlights.length > 0, "what was found is highlighted");

const refused = await api.GET("/messages/api/messages/{message}/", { params: { path: { message: 999_999 } } });
expect(refused.response.status === 404 && refused.error !== undefined && "detail" in refused.error, "a missing message is 404");
