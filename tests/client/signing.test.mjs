import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import test from "node:test";

import { Greenroom } from "../../web/greenroom.js";
import { Server, WebSocket, inTime, texts, until, untilStatus } from "./support.mjs";

/** Ann, a staff user, issues bob's tokens, as a host's server does. */
async function hostAndBob(t) {
  const server = await Server.start(t);
  const [ann, bob] = [await server.user("ann", "--staff"), await server.user("bob")];
  const host = await server.live(ann);
  const { id: chat } = await host.api.createChat({ chat_type: "dm", member_ids: [bob.id] });
  const given = [];
  const token = async () => {
    const { key } = await host.api.createToken(bob.id, { expires_in: 3600 });
    given.push(key);
    return key;
  };
  return { server, ann, bob, host, chat, given, token };
}

test("a token that ends is asked for anew, and nothing is missed meanwhile", async (t) => {
  const { server, bob, host, chat, given, token } = await hostAndBob(t);
  const client = await server.live(bob, { token });
  await client.open(chat);
  assert.equal(given.length, 1);
  const statuses = [];
  client.on("status", ({ status }) => statuses.push(status));
  await host.api.deleteTokens(bob.id);
  await host.send(chat, "meanwhile").sent;
  await until(client, () => given.length === 2 && client.status === "live" && texts(client, chat).length === 1);
  await host.api.deleteTokens(bob.id);
  // The next request detects an expired token. Simultaneous requests fetch one new token together.
  await Promise.all([client.api.me(), client.api.unread(), client.api.chats()]);
  await until(client, () => client.status === "live");
  await client.send(chat, "Hello").sent;
  assert.equal(given.length, 3);
  assert.ok(!statuses.includes("signedOut"), `${statuses}`);
});

test("a token that expires while the socket is open is renewed", async (t) => {
  const { server, bob, host, chat } = await hostAndBob(t);
  let given = 0;
  const token = async () => (await host.api.createToken(bob.id, { expires_in: given++ === 0 ? 1 : 3600 })).key;
  const client = await server.live(bob, { token });
  await until(client, () => given === 2 && client.status === "live");
  await client.send(chat, "Hello").sent;
});

test("who is signed out is told so, and goes on once signed in again", async (t) => {
  const { server, bob, host, chat } = await hostAndBob(t);
  const { key } = await host.api.createToken(bob.id);
  let current = key;
  const asked = [];
  const client = await server.live(bob, { token: () => (asked.push(current), current) });
  await client.open(chat);
  await host.api.deleteTokens(bob.id);
  await untilStatus(client, "signedOut");
  const waiting = client.send(chat, "waits");
  await assert.rejects(client.start(), { status: 401 });
  assert.equal(client.status, "signedOut");
  current = (await host.api.createToken(bob.id)).key;
  await inTime(client.start(), "the start");
  await inTime(waiting.sent, "the message");
  await untilStatus(client, "live");
  assert.deepEqual(texts(client, chat), ["waits"]);
});

test("a token that is no good, or none, ends the start", async (t) => {
  const { server, bob } = await hostAndBob(t);
  for (const token of ["wrong", () => "wrong", async () => null]) {
    const client = server.client(bob, { token });
    await assert.rejects(inTime(client.start(), "the start"), { name: "GreenroomError", status: 401 });
    assert.equal(client.status, "signedOut");
  }
  const failing = server.client(bob, { token: async () => Promise.reject(new Error("The host is away.")) });
  failing.start().catch(() => {});
  await untilStatus(failing, "connecting");
  assert.equal(failing.state.me, null);
});

test("a host that is away for a moment when a token is needed is asked again", async (t) => {
  const { server, bob, token } = await hostAndBob(t);
  let asked = 0;
  const client = server.client(bob, {
    token: async () => {
      if (++asked < 3) throw new Error("The host is away.");
      return token();
    },
  });
  await inTime(client.start(), "the start");
  assert.equal(asked, 3);
});

test("with the session's cookie a browser needs no token, and its end signs out", async (t) => {
  const { server, bob, chat } = await hostAndBob(t);
  // Browsers send the cookie with each request; here a jar does.
  let cookie = "";
  const fetch = async (url, { headers, credentials, ...init }) => {
    assert.equal(credentials, "include");
    const response = await globalThis.fetch(url, { ...init, headers: { ...headers, Cookie: cookie } });
    cookie = response.headers.get("set-cookie")?.split(";")[0] ?? cookie;
    return response;
  };
  // Node's sockets send no cookies, so this client polls.
  const client = server.client(bob, { token: undefined, fetch, WebSocket: null });
  await assert.rejects(client.start(), { status: 401 });
  await assert.rejects(client.api.login("bob", "wrong"), { status: 401, detail: "Invalid username or password." });
  assert.equal((await client.api.login("bob", "correct horse")).id, bob.id);
  await inTime(client.start(), "the start");
  await untilStatus(client, "polling");
  await client.send(chat, "Hello").sent;
  await client.api.logout();
  await untilStatus(client, "signedOut");
});

test("another user who signs in on the same page sees nothing of the first one's", async (t) => {
  const { server, ann, bob, host, chat } = await hostAndBob(t);
  const { id: own } = await host.api.createChat({ chat_type: "group", title: "Ann's own" });
  let token = ann.token;
  const client = await server.live(ann, { token: () => token });
  await client.open(own);
  await client.send(own, "secret").sent;
  client.stop();
  const unsent = client.send(chat, "typed by ann");
  token = bob.token;
  client.api.renew();
  await inTime(client.start(), "the start");
  await until(client, () => client.state.me?.id === bob.id && client.status === "live");
  assert.deepEqual([...client.state.chats.keys()], [chat]);
  assert.deepEqual([client.state.messages(own), client.outgoing], [[], []]);
  assert.equal(unsent.status, "sending");
  assert.equal((await client.api.messages(chat)).count, 0);
});

test("what one user typed is not sent, changed or read as another one whose cookie the browser has by now", async (t) => {
  const { server, ann, bob, host, chat } = await hostAndBob(t);
  const cookies = {};
  for (const [name, { id }] of Object.entries({ ann, bob })) {
    const answer = await globalThis.fetch(`${server.url}/login/`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ username: name, password: "correct horse" }),
    });
    assert.equal((await answer.json()).id, id);
    cookies[name] = answer.headers.get("set-cookie").split(";")[0];
  }
  const { id: stored } = await host.send(chat, "Hello").sent;
  let cookie = cookies.bob;
  const fetch = async (url, { headers, ...init }) => {
    // The waiting poll does not end before the client aborts it.
    const ended = () => new Promise((_, reject) => init.signal.addEventListener("abort", () => reject(new Error("ended"))));
    if (/"wait":25/.test(init.body)) await ended();
    return globalThis.fetch(url, { ...init, headers: { ...headers, Cookie: cookie } });
  };
  const client = server.client(bob, { token: undefined, fetch, WebSocket: null });
  await inTime(client.start(), "the start");
  await untilStatus(client, "polling");
  await client.open(chat);
  cookie = cookies.ann;
  const sent = client.send(chat, "typed by bob");
  await Promise.all([
    assert.rejects(client.react(stored, "👍"), { status: 0 }),
    assert.rejects(client.markAsRead(chat), { status: 0 }),
  ]);
  assert.equal(sent.status, "sending");
  await until(client, () => client.state.me === null || client.state.me.id === ann.id);
  const { results } = await host.api.messages(chat);
  assert.deepEqual(results.map(({ content, reactions }) => [content, reactions]), [["Hello", []]]);
});

test("the address of the server has to be known, and only it gets the token", async (t) => {
  const { server, bob } = await hostAndBob(t);
  assert.throws(() => new Greenroom({ token: bob.token }), TypeError);
  const client = server.client(bob);
  for (const path of ["//example.com/", "http://example.com/messages/api/chats/", "http://127.0.0.1:1/"]) {
    await assert.rejects(client.api.request("GET", path), TypeError);
  }
  const { next } = await client.api.chats({ page_size: 1 });
  assert.equal(next, null);
  const { id } = await client.api.createChat({ chat_type: "group" });
  const link = (await client.api.chats({ page_size: 1 })).next;
  assert.equal((await client.api.request("GET", link)).results.length, 1);
  // An invalid id is refused without a request to another path.
  for (const wrong of ["..", ".", ""]) await assert.rejects(client.api.chat(wrong), { status: 404 });
  const message = await client.api.sendMessage(id, { content: "stays" });
  await assert.rejects(client.api.removeReaction(message.id, ".."), { status: 404 });
  assert.equal((await client.api.message(message.id)).content, "stays");
});

const SECRET = "a secret of the identity provider, of 32 bytes";

/** Signs a JSON Web Token that ends in so many seconds. */
function jwt(subject, seconds) {
  const now = Math.floor(Date.now() / 1000);
  const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { sub: subject, preferred_username: subject, iat: now - 600, exp: now + seconds };
  const message = `${encoded({ alg: "HS256" })}.${encoded(claims)}`;
  return `${message}.${createHmac("sha256", SECRET).update(message).digest("base64url")}`;
}

/** Returns a function that gives a token that ends soon, then one that does not. */
function provider(subject) {
  const given = [];
  const token = () => {
    given.push(jwt(subject, given.length === 0 ? 10 : 3600));
    return given.at(-1);
  };
  return { given, token };
}

test("a socket gets a new JSON Web Token before its own ends, and stays open", async (t) => {
  const server = await Server.start(t, "--jwt-secret", SECRET);
  const { given, token } = provider("eve");
  let sockets = 0;
  const refreshed = [];
  class Counted extends WebSocket {
    constructor(...args) {
      super(...args);
      sockets++;
    }
    send(text) {
      const frame = JSON.parse(text);
      if (frame.type === "refresh") refreshed.push(frame.token);
      super.send(text);
    }
  }
  const client = await server.live({}, { token, WebSocket: Counted });
  const { id: chat } = await client.api.createChat({ chat_type: "group", title: "Team", member_ids: [] });
  await until(client, () => refreshed.length === 1 && given.length === 2);
  await client.send(chat, "Hello").sent;
  assert.deepEqual([sockets, client.status, client.state.me.username], [1, "live", "eve"]);
  assert.deepEqual(refreshed, [given[1]]);
});

test("polls get a new JSON Web Token before theirs ends", async (t) => {
  const server = await Server.start(t, "--jwt-secret", SECRET);
  const { given, token } = provider("eve");
  const client = server.client({}, { token, WebSocket: null });
  await inTime(client.start(), "the start");
  await until(client, () => given.length === 2 && client.status === "polling");
  await client.api.createChat({ chat_type: "group", title: "Team", member_ids: [] });
  await until(client, () => client.state.chats.size === 1);
  assert.equal(given.length, 2);
});
