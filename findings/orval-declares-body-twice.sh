#!/bin/sh
# A fetch client of orval does not compile where a body's schema is named `Body`.
#
# Seen with orval 8.38.0 and TypeScript 6.0.3. The parameter is named after the schema, `body`, and the function keeps the
# answer's text in a constant of that name: "Duplicate identifier 'body'". orval itself reports success. The same document
# with another name of the schema compiles.
#
# Needs Node 20 with npm. Exits with 0 while that is so, and with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private": true, "type": "module"}' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts orval@8.38.0 typescript@6.0.3
cat >Body.json <<'JSON'
{
  "openapi": "3.1.0",
  "info": {"title": "A schema named Body", "version": "1"},
  "paths": {
    "/things": {"post": {
      "operationId": "makeThing",
      "requestBody": {"required": true, "content": {
        "application/json": {"schema": {"$ref": "#/components/schemas/Body"}}
      }},
      "responses": {"204": {"description": "made"}}
    }}
  },
  "components": {"schemas": {
    "Body": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
  }}
}
JSON
sed 's/schemas\/Body/schemas\/Thing/; s/"Body": {/"Thing": {/' Body.json >Thing.json
for name in Body Thing; do
    npx orval --input $name.json --output $name.ts --client fetch >log 2>&1 || { cat log; exit 1; }
    npx tsc --noEmit --strict --target es2022 --module es2022 --lib es2022,dom,dom.iterable $name.ts >$name.said 2>&1 || true
    echo "the schema is named $name:"
    cat $name.said
done
if grep -q "Duplicate identifier 'body'" Body.said && ! [ -s Thing.said ]; then exit 0; fi
echo "this has changed"
exit 1
