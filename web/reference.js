/** The documentation of the API, rendered from its OpenAPI and AsyncAPI descriptions. */

import { html, render, useEffect, useState } from "./ui/html.js";

const SCHEMA = "/messages/api/schema/";
const SOCKETS = "/messages/api/schema/websocket/";

/** Resolves a `$ref`, with its name. */
function resolved(document, schema) {
  if (!schema?.$ref) return { schema: schema ?? {}, name: null };
  const path = schema.$ref.slice(2).split("/");
  const found = path.reduce((value, key) => value[key.replaceAll("~1", "/")], document);
  return { schema: found, name: path.at(-1) };
}

/** Returns the alternatives of a schema other than null. */
const choices = (schema) => (schema.oneOf ?? schema.anyOf ?? []).filter(({ type }) => type !== "null");

const isId = ({ maximum }) => maximum === Number.MAX_SAFE_INTEGER;

/** Returns a type in words. */
function typeOf(document, given) {
  const { schema, name } = resolved(document, given);
  if (schema.oneOf ?? schema.anyOf) {
    const names = choices(schema).map((choice) => typeOf(document, choice));
    const isOptional = names.length < (schema.oneOf ?? schema.anyOf).length;
    return (name ?? names.join(" or ")) + (isOptional ? " or null" : "");
  }
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  const types = [schema.type ?? "any value"].flat();
  const words = types.map((type) => {
    if (type === "array") return `list of ${typeOf(document, schema.items)}`;
    if (type === "integer" && isId(schema)) return "id";
    if (type !== "object") return schema.format === "date-time" ? "time" : type;
    if (name) return name;
    return schema.additionalProperties ? `object of ${typeOf(document, schema.additionalProperties)}` : type;
  });
  return words.join(" or ");
}

/** Returns the schema that has a type's fields: the type itself, its items, or its only alternative. */
function insideOf(document, given) {
  const { schema } = resolved(document, given);
  if (schema.properties) return schema;
  if (schema.items) return insideOf(document, schema.items);
  const inside = choices(schema).map((choice) => insideOf(document, choice));
  return inside.length === 1 ? inside[0] : null;
}

/** Returns the limits of a value in words. */
function limits(schema) {
  const { minimum, maximum, minLength, maxLength, default: usual } = schema;
  const words = [];
  if (minimum !== undefined && !isId(schema)) words.push(maximum === undefined ? `from ${minimum}` : `${minimum} to ${maximum}`);
  if (maxLength !== undefined) words.push(`${minLength ?? 0} to ${maxLength} characters`);
  if (usual !== undefined) words.push(`${JSON.stringify(usual)} by default`);
  return words.join(", ");
}

/** Renders a text with `code` in it. */
function Line({ text }) {
  return text.split("`").map((part, index) => (index % 2 ? html`<code>${part}</code>` : part));
}

function Text({ text }) {
  return (text ?? "").split("\n\n").map((part) => html`<p><${Line} text=${part} /></p>`);
}

/** A field and its description. Nested fields are rendered when they are opened: types may be deep. */
function Field({ document, name, given, isNeeded, description }) {
  const [isOpen, setOpen] = useState(false);
  const { schema } = resolved(document, given);
  const inside = insideOf(document, given);
  const said = description ?? given.description ?? schema.description;
  const limit = limits(schema);
  return html`<div>
    <dt><span class="name">${name}</span> ${isNeeded && html`<span class="needed">needed</span>`}</dt>
    <dd>
      <span class="type">${typeOf(document, given)}${limit && `, ${limit}`}</span>
      ${said && html`<p><${Line} text=${said} /></p>`}
      ${inside && html`<details class="inner" onToggle=${(event) => setOpen(event.currentTarget.open)}>
        <summary>its fields</summary>
        ${isOpen && html`<${Fields} document=${document} schema=${inside} />`}
      </details>`}
    </dd>
  </div>`;
}

function Fields({ document, schema }) {
  return html`<dl class="fields">
    ${Object.entries(schema.properties).map(
      ([name, given]) =>
        html`<${Field}
          key=${name}
          document=${document}
          name=${name}
          given=${given}
          isNeeded=${schema.isTaken && schema.required?.includes(name)}
        />`,
    )}
  </dl>`;
}

function Example({ value, what }) {
  if (value === undefined) return null;
  // Lists of numbers are kept on one line.
  const text = JSON.stringify(value, null, 2).replace(/\[[\d,\s]+\]/g, (list) => list.replace(/\s+/g, " ").replace(/\[ | \]/g, (end) => end.trim()));
  return html`<pre tabindex="0" role="region" aria-label=${what}><code>${text}</code></pre>`;
}

function Body({ document, body }) {
  const [[, content]] = Object.entries(body.content);
  const schema = insideOf(document, content.schema);
  return html`<h4>Body</h4>
    <div class="columns">
      <div>
        <p class="type">${Object.keys(body.content).join(" or ")}</p>
        ${schema && html`<${Fields} document=${document} schema=${{ ...schema, isTaken: true }} />`}
      </div>
      <${Example} value=${content.example} what="An example of the body" />
    </div>`;
}

function Answer({ document, status, given }) {
  const { schema: answer } = resolved(document, given);
  const [[kind, content] = []] = Object.entries(answer.content ?? {});
  const schema = content && insideOf(document, content.schema);
  const isGood = Number(status) < 400;
  const head = html`<span class="status">${status}</span> <${Line} text=${answer.description} />
    ${content && html`<span class="type"> ${isGood ? typeOf(document, content.schema) : ""} ${kind !== "application/json" && kind}</span>`}`;
  if (!content) return html`<div class="answer"><p>${head}</p></div>`;
  const inner = html`<div class="columns">
    <div>${schema && html`<${Fields} document=${document} schema=${schema} />`}</div>
    <${Example} value=${content.example} what=${`An example of an answer with ${status}`} />
  </div>`;
  if (!isGood) return html`<div class="answer"><p>${head}</p></div>`;
  return html`<div class="answer"><p>${head}</p>${inner}</div>`;
}

/** A section that can be opened and linked to. */
function Operation({ id, method, label, path, what, children }) {
  const [isOpen, setOpen] = useState(false);
  return html`<details class="operation" id=${id} onToggle=${(event) => setOpen(event.currentTarget.open)}>
    <summary>
      <h3>
        <span class=${`method method-${method}`}>${label}</span>
        <span class="path">${path}</span>
        <span class="what">${what}</span>
      </h3>
    </summary>
    ${isOpen && html`<div class="body">${children()}</div>`}
  </details>`;
}

function Call({ document, call: { method, path, operation } }) {
  const { operationId, summary, description, security, parameters, requestBody, responses } = operation;
  const body = () => html`
    ${description && html`<${Text} text=${description} />`}
    ${security.length === 0 && html`<p class="type">Open to all.</p>`}
    ${parameters &&
    html`<h4>Parameters</h4>
      <dl class="fields">
        ${parameters.map(
          ({ name, in: place, required, schema, description }) =>
            html`<${Field}
              key=${name}
              document=${document}
              name=${place === "query" ? `?${name}` : name}
              given=${schema}
              isNeeded=${required && place !== "path"}
              description=${description}
            />`,
        )}
      </dl>`}
    ${requestBody && html`<${Body} document=${document} body=${requestBody} />`}
    <h4>Answers</h4>
    ${Object.entries(responses).map(
      ([status, given]) => html`<${Answer} key=${status} document=${document} status=${status} given=${given} />`,
    )}
  `;
  return html`<${Operation} id=${operationId} method=${method} label=${method.toUpperCase()} path=${path} what=${summary}>
    ${body}
  <//>`;
}

function Message({ document, message, isSent }) {
  const { schema } = resolved(document, message.payload);
  const kind = schema.properties.type.const;
  const [example] = message.examples;
  const body = () => html`<div class="columns">
    <${Fields} document=${document} schema=${{ ...schema, isTaken: !isSent }} />
    <${Example} value=${example.payload} what=${`An example of ${kind}`} />
  </div>`;
  const [method, label] = isSent ? ["sent", "EVENT"] : ["said", "COMMAND"];
  return html`<${Operation} id=${`socket-${message.name}`} method=${method} label=${label} path=${kind} what=${message.summary}>
    ${body}
  <//>`;
}

/** Opens the section that the URL names. */
function openTarget() {
  const target = window.document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  if (target instanceof HTMLDetailsElement) target.open = true;
  target.scrollIntoView();
}

const slug = (name) => name.toLowerCase().replace(/[^a-z]+/g, "-");

function Reference({ openapi, asyncapi }) {
  const [wanted, setWanted] = useState("");
  useEffect(() => {
    openTarget();
    addEventListener("hashchange", openTarget);
  }, []);
  const fits = (...texts) => texts.join(" ").toLowerCase().includes(wanted.trim().toLowerCase());
  const calls = Object.entries(openapi.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method, path, operation })),
  );
  const groups = openapi.tags.map(({ name, description }) => ({
    name,
    description,
    calls: calls.filter(
      ({ method, path, operation }) => operation.tags.includes(name) && fits(method, path, operation.summary),
    ),
  }));
  const shown = groups.filter(({ calls }) => calls.length > 0);
  const messages = (channel) =>
    Object.values(asyncapi.channels[channel].messages)
      .map((reference) => resolved(asyncapi, reference).schema)
      .filter(({ name, title, summary }) => fits(name, title, summary, "socket"));
  const [sent, said] = [[...messages("events"), ...messages("answers")], messages("commands")];
  const { title, version, description } = openapi.info;
  return html`<div class="page">
    <nav aria-label="Contents">
      <label>Find <input type="search" value=${wanted} onInput=${(event) => setWanted(event.target.value)} /></label>
      <ul>
        ${shown.map(({ name }) => html`<li key=${name}><a href=${`#${slug(name)}`}>${name}</a></li>`)}
        ${sent.length + said.length > 0 && html`<li><a href="#sockets">Over a socket</a></li>`}
      </ul>
    </nav>
    <main>
      <header>
        <h1>${title}’s API</h1>
        <p class="type">
          Version ${version}. For programs: <a href=${SCHEMA}>OpenAPI</a>, and for sockets <a href=${SOCKETS}>AsyncAPI</a>.
        </p>
        <div class="about"><${Text} text=${description} /></div>
        <div class="about">
          <h2>Who asks</h2>
          <p>
            <strong>By the cookie of a session.</strong> <${Line} text=${openapi.components.securitySchemes.session.description} />
          </p>
          <p>
            <strong>By a token in <code>Authorization</code>.</strong>
            ${" "}<${Line} text=${openapi.components.securitySchemes.token.description} />
          </p>
          <p>
            <strong>By a JSON Web Token in <code>Authorization: Bearer</code>.</strong>
            ${" "}<${Line} text=${openapi.components.securitySchemes.jwt.description} />
          </p>
        </div>
      </header>
      ${shown.map(
        ({ name, description, calls }) =>
          html`<section key=${name} id=${slug(name)} aria-label=${name}>
            <h2>${name}</h2>
            <p>${description}</p>
            ${calls.map((call) => html`<${Call} key=${call.operation.operationId} document=${openapi} call=${call} />`)}
          </section>`,
      )}
      ${sent.length + said.length > 0 &&
      html`<section id="sockets" aria-label="Over a socket">
        <h2>Over a socket</h2>
        <p><${Line} text=${asyncapi.info.description} /></p>
        ${sent.map((message) => html`<${Message} key=${message.name} document=${asyncapi} message=${message} isSent />`)}
        ${said.map((message) => html`<${Message} key=${message.name} document=${asyncapi} message=${message} />`)}
      </section>`}
      ${shown.length + sent.length + said.length === 0 && html`<p role="status">No results</p>`}
    </main>
  </div>`;
}

const load = async (address) => (await fetch(address)).json();

Promise.all([load(SCHEMA), load(SOCKETS)]).then(([openapi, asyncapi]) => {
  const page = window.document.getElementById("page");
  render(html`<${Reference} openapi=${openapi} asyncapi=${asyncapi} />`, page);
});
