#!/bin/sh
# A fetch client of orval sends JSON as text/plain where an operation takes two kinds of body.
#
# Seen with orval 8.38.0. Where an operation's body may be `application/json` or `application/x-www-form-urlencoded`, with a
# schema each, the function that is made for it writes JSON and sets no Content-Type. fetch then says
# `text/plain;charset=UTF-8`, and a server that reads both kinds by that header refuses the body. With one kind of body, or
# one schema for both, the header is `application/json`.
#
# Needs Node 20 with npm. Exits with 0 while that is so, and with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private": true, "type": "module"}' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts orval@8.38.0 typescript@6.0.3
cat >openapi.json <<'JSON'
{
  "openapi": "3.1.0",
  "info": {"title": "Two kinds of body", "version": "1"},
  "paths": {
    "/one": {"post": {
      "operationId": "takesOneKind",
      "requestBody": {"required": true, "content": {
        "application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}
      }},
      "responses": {"204": {"description": "taken"}}
    }},
    "/two": {"post": {
      "operationId": "takesTwoKinds",
      "requestBody": {"required": true, "content": {
        "application/json": {"schema": {"$ref": "#/components/schemas/Thing"}},
        "application/x-www-form-urlencoded": {"schema": {"$ref": "#/components/schemas/Form"}}
      }},
      "responses": {"204": {"description": "taken"}}
    }}
  },
  "components": {"schemas": {
    "Thing": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
    "Form": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
  }}
}
JSON
npx orval --input openapi.json --output client.ts --client fetch >log 2>&1 || { cat log; exit 1; }
npx tsc --target es2022 --module es2022 --lib es2022,dom,dom.iterable client.ts
cat >try.js <<'JS'
import { createServer } from "node:http";
import { takesOneKind, takesTwoKinds } from "./client.js";

const seen = [];
const server = createServer(async (request, response) => {
  let body = "";
  for await (const part of request) body += part;
  seen.push(`${request.url}: ${request.headers["content-type"]}, ${body}`);
  response.writeHead(204).end();
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const plain = globalThis.fetch;
globalThis.fetch = (path, options) => plain(`http://127.0.0.1:${server.address().port}${path}`, options);
await takesOneKind({ name: "a" });
await takesTwoKinds({ name: "a" });
server.close();
server.closeAllConnections();
console.log(seen.join("\n"));
const expected = ['/one: application/json, {"name":"a"}', '/two: text/plain;charset=UTF-8, {"name":"a"}'];
if (seen.join() !== expected.join()) {
  console.log("this has changed");
  process.exit(1);
}
JS
node try.js
