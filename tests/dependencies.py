"""Checks licences and sources of all dependencies against deny.toml, where cargo-deny is not installed: to compile it takes
longer than most suites. Reads `cargo metadata` from standard input."""

import json
import sys
import tomllib

from license_expression import LicenseSymbol, get_spdx_licensing

licensing = get_spdx_licensing()


def allows(expression, allowed):
    """Whether an SPDX expression can be met with these licences."""
    if isinstance(expression, licensing.OR):
        return any(allows(part, allowed) for part in expression.args)
    if isinstance(expression, licensing.AND):
        return all(allows(part, allowed) for part in expression.args)
    return isinstance(expression, LicenseSymbol) and expression.key in allowed


def faults(metadata, rules):
    allowed = set(rules["licenses"]["allow"])
    own = set(metadata["workspace_members"])
    sources = {package["source"] for package in metadata["packages"]} - {None}
    if len(sources) > 1:
        yield f"more than one registry: {', '.join(sorted(sources))}"
    if len(metadata["packages"]) < 100:
        yield "the list of packages is not whole"
    for package in metadata["packages"]:
        name = f"{package['name']} {package['version']}"
        # Some packages have the older form with a slash.
        text = (package["license"] or "").replace("/", " OR ")
        if not text or not allows(licensing.parse(text, validate=True), allowed):
            yield f"{name}: the licence {text or 'is missing'}"
        if package["source"] and not package["source"].startswith("registry+"):
            yield f"{name}: the source {package['source']}"
        if package["id"] in own:
            for dependency in package["dependencies"]:
                if dependency["req"] == "*" and dependency["source"]:
                    yield f"{name}: any version of {dependency['name']}"


def main():
    with open("deny.toml", "rb") as file:
        found = list(faults(json.load(sys.stdin), tomllib.load(file)))
    for fault in found:
        print(f"Not allowed by deny.toml: {fault}", file=sys.stderr)
    print(f"Licences and sources of the dependencies: {len(found)} faults.")
    sys.exit(bool(found))


main()
