// Tests act as users of the client: a real server on a free port with a database of its own, and a proxy before it that
// can break. They wait for events, never for time to pass.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";

import { Greenroom } from "../../web/greenroom.js";

const PROGRAM =
  process.env.GREENROOM_PROGRAM ?? fileURLToPath(new URL("../../target/debug/greenroom", import.meta.url));
const PASSWORD = "correct horse";

/** The deadline of every wait in tests, in milliseconds. */
export const DEADLINE = Number(process.env.GREENROOM_TEST_DEADLINE ?? 20_000);

/** Node's own WebSocket, which Node 20 has behind a flag. */
export const { WebSocket } = globalThis;

/** Short pauses, for tests. */
const TIMING = { backoff: 20, backoffMax: 200, steadyAfter: 50 };

/** Rejects if a promise does not settle before the deadline. */
export function inTime(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not happen in time`)), DEADLINE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Waits until a condition holds. Checks it after each change of the client's state. */
export function until(client, isSo, what = String(isSo)) {
  let stop;
  const seen = new Promise((resolve, reject) => {
    const look = () => {
      try {
        if (isSo()) resolve();
      } catch (error) {
        reject(error);
      }
    };
    stop = client.on("change", look);
    look();
  });
  return inTime(seen, what).finally(stop);
}

export const untilStatus = (client, status) => until(client, () => client.status === status, `status ${status}`);

/** Waits until a client's state equals another view of it; fails with the difference. */
export async function untilSame(client, shown, known) {
  const isSettled = () => client.status === "live" && client.outgoing.every(({ status }) => status === "failed");
  await until(client, isSettled, "nothing under way");
  const expected = await shown();
  const isSame = () => isDeepStrictEqual(known(client), expected);
  await until(client, isSame, "the same").catch(() => assert.deepEqual(known(client), expected));
}

/** Returns the texts of a chat's messages in the client. */
export const texts = (client, chatId) => client.state.messages(chatId).map((message) => message.content);

/** A running server. */
export class Server {
  #process;
  #folder;
  #clients = [];
  #roads = [];

  static async start(t, ...args) {
    const server = new Server();
    server.#folder = await mkdtemp(join(tmpdir(), "greenroom-"));
    t.after(() => server.#clear());
    await server.#serve("127.0.0.1:0", args);
    return server;
  }

  /** Starts one with the demo's people and chats. */
  static async demo(t) {
    const server = new Server();
    server.#folder = await mkdtemp(join(tmpdir(), "greenroom-"));
    t.after(() => server.#clear());
    await server.run("demo");
    await server.#serve("127.0.0.1:0");
    return server;
  }

  get #database() {
    return ["--database-url", `sqlite://${join(this.#folder, "test.db")}`];
  }

  async #serve(bind, args = []) {
    this.args = args;
    this.#process = program("serve", "--bind", bind, "--workers", "1", ...args, ...this.#database);
    const [, address] = await this.#process.says(/Listening on http:\/\/(\S+)/);
    this.address = address;
    this.url = `http://${address}`;
  }

  /** Stops it in order, or as in a power failure. */
  async stop(signal = "SIGTERM") {
    this.#process.child.kill(signal);
    await inTime(this.#process.ended, "the server's end");
  }

  /** Restarts it at the same address. */
  async startAgain() {
    await this.#serve(this.address, this.args);
  }

  async run(...args) {
    const { ended, output } = program(...args, ...this.#database);
    const code = await inTime(ended, `greenroom ${args[0]}`);
    if (code !== 0) throw new Error(`greenroom ${args.join(" ")} ended with ${code}: ${output()}`);
    return output().trim();
  }

  /** Creates a user with a token. */
  async user(name, ...options) {
    const made = await this.run("user", "create", name, "--password", PASSWORD, ...options);
    return { name, id: Number(made.match(/\d+/)[0]), token: await this.run("token", "create", name) };
  }

  /** Returns a client that is stopped when the test ends. */
  client(user, options = {}) {
    const { timing, ...others } = options;
    const client = new Greenroom({
      baseUrl: this.url,
      token: user.token,
      WebSocket,
      timing: { ...TIMING, ...timing },
      ...others,
    });
    this.#clients.push(client);
    return client;
  }

  /** Returns a live client. */
  async live(user, options) {
    const client = this.client(user, options);
    await inTime(client.start(), "the start");
    await untilStatus(client, "live");
    return client;
  }

  /** Returns a proxy before the server that can break. */
  async road() {
    const road = await Road.open(this.address);
    this.#roads.push(road);
    return road;
  }

  async #clear() {
    for (const client of this.#clients) client.stop();
    await Promise.all(this.#roads.map((road) => road.close()));
    await this.stop("SIGKILL");
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Runs `greenroom`. */
function program(...args) {
  // Settings from the environment of the test run do not apply.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("GREENROOM_")));
  const child = spawn(PROGRAM, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let onOutput = () => {};
  const ended = new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  child.stdout.setEncoding("utf8").on("data", (text) => onOutput((output += text)));
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (complaints += text));
  const says = (pattern) => {
    const said = new Promise((resolve, reject) => {
      onOutput = () => pattern.test(output) && resolve(output.match(pattern));
      onOutput();
      ended.then((code) => reject(new Error(`greenroom ended with ${code}: ${complaints}`)), reject);
    });
    return inTime(said, `greenroom to say ${pattern}`);
  };
  return { child, ended, says, output: () => output || complaints };
}

/** A TCP proxy before the server: it can cut connections, drop data, and refuse. */
export class Road {
  /** Whether handshakes of sockets are answered with 403, as some companies' proxies answer. */
  refusesSockets = false;
  /**
   * What is silently dropped on sockets: the `handshake`, the server's `greeting`, the client's `commands` after the
   * handshake, or `everything` after it.
   * @type {null | "handshake" | "greeting" | "commands" | "everything"}
   */
  swallowsOfSockets = null;
  /** Whether all data is dropped while connections stay open. */
  swallows = false;
  /** The delay of data from the server, in milliseconds. */
  lag = () => 0;
  /** May return a promise that data from the server waits for. */
  holds = () => undefined;
  /** May return how many bytes of data from the server pass before the connection is cut. */
  passesOf = () => undefined;
  /** Whether new connections are refused. */
  isClosed = false;
  /** Inspects the client's data. If it returns true, the connection is cut before or after that data is forwarded. */
  cutsBefore = () => false;
  cutsAfter = () => false;
  #awaited = new Map();
  #connections = new Set();
  #server;

  static open(address) {
    const road = new Road();
    const [host, port] = address.split(":");
    road.#server = net.createServer((client) => road.#connect(client, { host, port: Number(port) }));
    return new Promise((resolve) => {
      road.#server.listen(0, "127.0.0.1", () => {
        road.url = `http://127.0.0.1:${road.#server.address().port}`;
        resolve(road);
      });
    });
  }

  #connect(client, to) {
    if (this.isClosed) return client.destroy();
    const server = net.connect(to);
    const both = { client, server };
    let isSocket = false;
    this.#connections.add(both);
    const end = () => {
      client.destroy();
      server.destroy();
      this.#connections.delete(both);
    };
    for (const side of [client, server]) side.setNoDelay(true).on("error", end).on("close", end);
    client.on("data", (data) => {
      const text = unmasked(data);
      for (const [words, resolve] of this.#awaited) if (text.includes(words)) resolve();
      if (this.swallows) return;
      const swallowed = this.swallowsOfSockets;
      if (isSocket && ["commands", "everything"].includes(swallowed)) return;
      isSocket ||= /^upgrade: websocket/im.test(text);
      if (isSocket && swallowed === "handshake") return;
      if (this.refusesSockets && /^upgrade: websocket/im.test(text)) {
        return client.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      }
      if (this.cutsBefore(text)) return end();
      // With `cutsAfter` the server gets the data, but its answer is lost.
      if (this.cutsAfter(text)) {
        server.removeAllListeners("data");
        client.destroy();
        client.removeListener("close", end);
        server.write(data);
        return;
      }
      server.write(data);
    });
    // In order, whatever the delay of each.
    let before = Promise.resolve();
    server.on("data", (data) => {
      if (this.swallows) return;
      if (isSocket && ["greeting", "everything"].includes(this.swallowsOfSockets)) {
        if (data.toString("latin1").startsWith("HTTP/1.1 101")) client.write(data.subarray(0, data.indexOf("\r\n\r\n") + 4));
        return;
      }
      const [lag, held] = [this.lag(data), this.holds(data)];
      before = before.then(() => (lag > 0 ? new Promise((resolve) => setTimeout(resolve, lag)) : undefined));
      before = before.then(() => held);
      const passed = this.passesOf(data);
      if (passed !== undefined) server.removeAllListeners("data");
      before = before.then(() => {
        if (client.destroyed) return;
        if (passed === undefined) client.write(data);
        else client.end(data.subarray(0, passed));
      });
    });
  }

  /** Waits until the client sends certain words. */
  carries(words) {
    return inTime(new Promise((resolve) => this.#awaited.set(words, resolve)), `the client's ${words}`);
  }

  /** Cuts all connections. */
  cut() {
    for (const { client, server } of this.#connections) {
      client.destroy();
      server.destroy();
    }
    this.#connections.clear();
  }

  async close() {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Returns a client's data as text: requests as they are, a small frame without its mask. */
function unmasked(data) {
  const isFrame = data[0] === 0x81 && (data[1] & 0x80) !== 0;
  if (!isFrame) return data.toString("latin1");
  const length = data[1] & 0x7f;
  const start = length === 126 ? 4 : length === 127 ? 10 : 2;
  const mask = data.subarray(start, start + 4);
  return data
    .subarray(start + 4)
    .map((byte, index) => byte ^ mask[index % 4])
    .toString("latin1");
}
