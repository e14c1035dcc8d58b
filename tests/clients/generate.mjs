/** Checks the documents with AsyncAPI's own parser, and makes types of sockets with Modelina. */

import { readFileSync, writeFileSync } from "node:fs";

import { TypeScriptGenerator } from "@asyncapi/modelina";
import { Parser } from "@asyncapi/parser";

const [, , from, to] = process.argv;
const text = readFileSync(from, "utf8");
const { document, diagnostics } = await new Parser().parse(text);
// Most generators do not support the newest version of AsyncAPI.
const problems = diagnostics.filter(({ code }) => code !== "asyncapi-latest-version");
for (const { code, message, path } of problems) console.error(`${code}: ${message} at ${path.join(".")}`);
if (!document || problems.length > 0) process.exit(1);

const options = { modelType: "interface", enumType: "union", rawPropertyNames: true, mapType: "record" };
const models = await new TypeScriptGenerator(options).generate(JSON.parse(text));
const names = models.map(({ modelName }) => modelName);
const nameless = names.filter((name) => /anonymous|\d$/i.test(name));
if (nameless.length > 0) throw new Error(`without a name of their own: ${nameless.join(", ")}`);
writeFileSync(to, models.map(({ result }) => `export ${result}\n`).join(""));
