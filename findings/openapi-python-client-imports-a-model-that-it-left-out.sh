#!/bin/sh
# openapi-python-client writes models that import a model which it has left out, where a component and an inline schema
# come to the same class name.
#
# Seen with openapi-python-client 0.29.1: a component `ThingOther`, and a component `Thing` with an inline property `other`,
# both of which would be a class ThingOther. Such a document is valid. The generator warns, leaves out `ThingOther`, `Thing` and the
# answer that bears a `Thing`, and ends with 0. `ThingPart`, which refers to `ThingOther`, is written all the same: the
# package is imported without a fault, and the first ThingPart that is parsed raises ModuleNotFoundError.
#
# Exits with 0 while that is so, and with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check openapi-python-client==0.29.1
cat >document.json <<'JSON'
{
  "openapi": "3.1.0",
  "info": {"title": "things", "version": "1"},
  "paths": {
    "/things/": {
      "get": {
        "operationId": "list",
        "responses": {
          "200": {"description": "All", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
          "404": {"description": "None", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ThingPart"}}}}
        }
      }
    }
  },
  "components": {
    "schemas": {
      "Thing": {"type": "object", "properties": {"other": {"type": "object", "properties": {"x": {"type": "integer"}}}}},
      "ThingOther": {"type": "object", "properties": {"y": {"type": "integer"}}},
      "ThingPart": {"type": "object", "properties": {"z": {"$ref": "#/components/schemas/ThingOther"}}}
    }
  }
}
JSON
venv/bin/openapi-python-client generate --path document.json --meta none --output-path things >log 2>&1 || {
    echo "the generator ends with $?, which has changed"
    exit 1
}
ls things/models
cat >try.py <<'PYTHON'
import importlib.metadata

from things.models import ThingPart

print("openapi-python-client", importlib.metadata.version("openapi-python-client"))
try:
    ThingPart.from_dict({"z": {"y": 1}})
except ModuleNotFoundError as error:
    print("ThingPart.from_dict:", error)
else:
    raise SystemExit("this has changed")
PYTHON
venv/bin/python try.py
