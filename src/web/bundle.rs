//! Bundles the JavaScript client: joins `web/greenroom.js` and the modules that it imports into the one file that
//! is served.
//!
//! `build.rs` includes this file. It reads plain ES modules line by line, and fails on every form that it does not
//! know. At top level a module has comments, `import { a, b } from "./file.js";`, and declarations (`function`,
//! `class`, `const`, `let`), with or without `export`. The entry also has `export { a } from "./file.js";`.
//!
//! The modules of a bundle share one scope: a top-level name is declared once, and must not hide a global that another
//! module uses. Comments, empty lines and indentation are removed.

use std::collections::{BTreeMap, BTreeSet};

/// A joined file, and the paths of the modules in it: each after the modules that it imports.
#[derive(Debug)]
pub(crate) struct Bundle {
    pub text: String,
    pub modules: Vec<String>,
}

/// Joins a module and all modules that it imports. `read` returns the text of a module by its path. Fails with a
/// sentence that names the module and, where there is one, the line.
pub(crate) fn bundle(entry: &str, read: impl Fn(&str) -> Option<String>) -> Result<Bundle, String> {
    let mut modules = BTreeMap::new();
    let mut order = Vec::new();
    collect(entry, &read, &mut Vec::new(), &mut modules, &mut order)?;
    let mut declared_in = BTreeMap::new();
    for path in &order {
        for name in &modules[path].declared {
            if let Some(other) = declared_in.insert(name, path) {
                return Err(format!(
                    "{other} and {path} both declare `{name}` at top level: rename one of them"
                ));
            }
        }
    }
    let mut text: String = order.iter().map(|path| modules[path].text.as_str()).collect();
    let exported: Vec<_> = modules[entry].exported.iter().map(String::as_str).collect();
    if !exported.is_empty() {
        text.push_str(&format!("export {{ {} }};\n", exported.join(", ")));
    }
    Ok(Bundle { text, modules: order })
}

/// The code of a module, without its imports and the word `export`.
#[derive(Default)]
struct Module {
    text: String,
    declared: BTreeSet<String>,
    exported: BTreeSet<String>,
    imports: Vec<Import>,
}

/// The names that a module takes from another one.
struct Import {
    names: Vec<String>,
    path: String,
    line: usize,
}

/// Reads a module and those that it imports, depth first. `importers` leads from the entry to this module.
fn collect(
    path: &str,
    read: &impl Fn(&str) -> Option<String>,
    importers: &mut Vec<String>,
    modules: &mut BTreeMap<String, Module>,
    order: &mut Vec<String>,
) -> Result<(), String> {
    if importers.iter().any(|importer| importer == path) {
        return Err(format!("modules import each other in a cycle: {} > {path}", importers.join(" > ")));
    }
    if modules.contains_key(path) {
        return Ok(());
    }
    let text = read(path).ok_or_else(|| format!("{path} does not exist"))?;
    let module = Module::parse(path, &text, importers.is_empty())?;
    importers.push(path.to_owned());
    for Import { names, path: imported, line } in &module.imports {
        collect(imported, read, importers, modules, order).map_err(|error| {
            if read(imported).is_some() { error } else { format!("{path}:{line}: {error}") }
        })?;
        if let Some(name) = names.iter().find(|name| !modules[imported].exported.contains(*name)) {
            return Err(format!("{path}:{line}: {imported} does not export `{name}`"));
        }
    }
    importers.pop();
    modules.insert(path.to_owned(), module);
    order.push(path.to_owned());
    Ok(())
}

impl Module {
    fn parse(path: &str, text: &str, is_entry: bool) -> Result<Self, String> {
        let mut module = Self::default();
        let mut is_in_comment = false;
        let mut lines = text.lines().zip(1..);
        while let Some((line, number)) = lines.next() {
            let fail = |problem: &str| Err(format!("{path}:{number}: {problem}: {line}"));
            let code = line.trim();
            if is_in_comment || code.starts_with("/*") {
                let after = code.split_once("*/").map(|(_, after)| after);
                is_in_comment = after.is_none();
                if after.is_none_or(str::is_empty) {
                    continue;
                }
                if !line.starts_with([' ', '\t']) {
                    return fail("a comment before code at top level needs a line of its own");
                }
            }
            if code.is_empty() || code.starts_with("//") {
                continue;
            }
            if is_import(line) || line.starts_with("export {") || line.starts_with("export *") {
                let mut statement = line.to_owned();
                while !statement.contains(';') {
                    let Some((line, _)) = lines.next() else { return fail("the statement has no end") };
                    statement.push_str(line);
                }
                let Some(import) = Import::parse(path, &statement, number) else {
                    return fail("unknown form of import or export, known is `{ name } from \"./file.js\";`");
                };
                if !is_import(line) && !is_entry {
                    return fail("only the entry exports what other modules declare");
                }
                if !is_import(line) {
                    module.exported.extend(import.names.iter().cloned());
                }
                module.imports.push(import);
                continue;
            }
            if line.contains("import(") || line.contains("import.meta") {
                return fail("the bundle has no `import(` and no `import.meta`");
            }
            if line.matches('`').count() % 2 == 1 {
                return fail("a text over several lines would lose its indentation");
            }
            if line.starts_with([' ', '\t', '}', ')', ']']) {
                module.push(code);
                continue;
            }
            let declaration = code.strip_prefix("export ").unwrap_or(code);
            let Some(name) = declared(declaration) else { return fail("not a declaration of one name") };
            if declaration != code {
                module.exported.insert(name.to_owned());
            }
            if !module.declared.insert(name.to_owned()) {
                return fail("declared twice");
            }
            module.push(declaration);
        }
        Ok(module)
    }

    fn push(&mut self, code: &str) {
        self.text.push_str(code);
        self.text.push('\n');
    }
}

impl Import {
    /// Reads `import { a, b } from "./file.js";`, or the same with `export`; `None` for any other form.
    fn parse(importer: &str, statement: &str, line: usize) -> Option<Self> {
        let rest = statement.strip_prefix("import").or_else(|| statement.strip_prefix("export"))?;
        let (names, rest) = rest.trim_start().strip_prefix('{')?.split_once('}')?;
        let path = rest.trim().strip_prefix("from \"./")?.strip_suffix("\";")?;
        let names: Vec<_> =
            names.trim().trim_end_matches(',').split(',').map(|name| name.trim().to_owned()).collect();
        let is_known = names.iter().all(|name| is_identifier(name)) && !path.contains("..");
        let folder = importer.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        is_known.then(|| Self { names, path: format!("{folder}{path}"), line })
    }
}

fn is_import(line: &str) -> bool {
    line.strip_prefix("import").is_some_and(|rest| !rest.starts_with(is_identifier_part))
}

/// Returns the name that a top-level line declares.
fn declared(line: &str) -> Option<&str> {
    let line = line.strip_prefix("async ").unwrap_or(line);
    let keywords = ["function* ", "function ", "class ", "const ", "let "];
    let rest = keywords.iter().find_map(|keyword| line.strip_prefix(keyword))?;
    let name = rest.split(|character| !is_identifier_part(character)).next()?;
    is_identifier(name).then_some(name)
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| is_identifier_part(first) && !first.is_ascii_digit())
        && text.chars().all(is_identifier_part)
}

fn is_identifier_part(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_' || character == '$'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundled(modules: &[(&str, &str)]) -> Result<Bundle, String> {
        let read =
            |path: &str| modules.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned());
        bundle("main.js", read)
    }

    /// Expects a bundle to fail, with this in its message.
    fn assert_fails(modules: &[(&str, &str)], message: &str) {
        let error = bundled(modules).expect_err(message);
        assert!(error.contains(message), "{error}");
    }

    const A: (&str, &str) = ("parts/a.js", "/** One. */\nexport const A = 1;\n");

    #[test]
    fn modules_are_joined_after_those_that_they_import() {
        let b = ("parts/b.js", "import {\n  A,\n} from \"./a.js\";\n\nexport class B {\n  a = A;\n}\n");
        let main = "export { B } from \"./parts/b.js\";\nexport { A } from \"./parts/a.js\";\n";
        let Bundle { text, modules } = bundled(&[A, b, ("main.js", main)]).unwrap();
        assert_eq!(modules, ["parts/a.js", "parts/b.js", "main.js"]);
        assert_eq!(text, "const A = 1;\nclass B {\na = A;\n}\nexport { A, B };\n");
    }

    #[test]
    fn a_module_that_two_import_is_in_the_bundle_once() {
        let b = ("parts/b.js", "import { A } from \"./a.js\";\nexport const B = A;\n");
        let main = "import { A } from \"./parts/a.js\";\nimport { B } from \"./parts/b.js\";\nexport let C = A + B;\n";
        let text = bundled(&[A, b, ("main.js", main)]).unwrap().text;
        assert_eq!(text, "const A = 1;\nconst B = A;\nlet C = A + B;\nexport { C };\n");
    }

    #[test]
    fn comments_are_removed_and_code_is_not() {
        let main = "/**\n * const a = 0;\n */\n\nconst a = 1; // one\n// two\nconst b = {\n  /** three */\n  \
                    c: /** @type {any} */ (a),\n  /* four */ d: `//`,\n};\n";
        let text = bundled(&[("main.js", main)]).unwrap().text;
        assert_eq!(
            text,
            "const a = 1; // one\nconst b = {\nc: /** @type {any} */ (a),\n/* four */ d: `//`,\n};\n"
        );
    }

    #[test]
    fn a_name_that_two_modules_declare_is_refused() {
        let main = ("main.js", "import { A } from \"./parts/a.js\";\nimport { B } from \"./b.js\";\n");
        let b = ("b.js", "function A() {}\nexport const B = A;\n");
        assert_fails(&[A, b, main], "parts/a.js and b.js both declare `A` at top level");
        assert_fails(&[("main.js", "const A = 1;\nclass A {}\n")], "main.js:2: declared twice: class A {}");
    }

    #[test]
    fn a_cycle_is_refused() {
        let a = ("a.js", "import { B } from \"./b.js\";\nexport const A = () => B;\n");
        let b = ("b.js", "import { A } from \"./a.js\";\nexport const B = () => A;\n");
        let main = ("main.js", "import { A } from \"./a.js\";\n");
        assert_fails(&[a, b, main], "in a cycle: main.js > a.js > b.js > a.js");
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_fails(&[("main.js", "\nimport { A } from \"./a.js\";\n")], "main.js:2: a.js does not exist");
        let main = ("main.js", "import { B } from \"./parts/a.js\";\n");
        assert_fails(&[A, main], "main.js:1: parts/a.js does not export `B`");
    }

    #[test]
    fn forms_that_are_not_known_are_refused() {
        for statement in [
            "import \"./a.js\";",
            "import A from \"./a.js\";",
            "import * as a from \"./a.js\";",
            "import { A as B } from \"./a.js\";",
            "import { A } from \"preact\";",
            "import { A } from \"../a.js\";",
            "import { A } from './a.js';",
            "import(\"./a.js\");",
            "export * from \"./a.js\";",
            "export { A };",
            "export { A as default } from \"./a.js\";",
            "import { A }",
        ] {
            assert_fails(&[("main.js", statement), ("a.js", "export const A = 1;")], "main.js:1: ");
        }
        assert_fails(&[("main.js", "/** One. */ export const A = 1;")], "a comment before code");
        for statement in ["export default class {}", "const { A } = globalThis;", "start();", "if (true) {"] {
            assert_fails(&[("main.js", statement)], "not a declaration of one name");
        }
        assert_fails(
            &[("main.js", "const a = () =>\n  import(\"./a.js\");")],
            "main.js:2: the bundle has no `import(`",
        );
        assert_fails(&[("main.js", "const a = `one\n  two`;")], "main.js:1: a text over several lines");
        let main = ("main.js", "import { A } from \"./b.js\";\n");
        let b = ("b.js", "export { A } from \"./parts/a.js\";\n");
        assert_fails(&[A, b, main], "b.js:1: only the entry");
    }
}
