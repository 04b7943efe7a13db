//! The floors of the house: imports go down only, each driver is named in one place, every file says what lives in it.
//! A rule that is broken is printed with the file, the line and what to do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A module may name those on lower floors only. Modules of one floor may name each other where it says so here.
const FLOORS: &[(u32, &[&str])] = &[
    (0, &["domain"]),
    (1, &["batcher", "config", "telemetry", "shutdown", "embedded"]),
    (2, &["db", "gate"]),
    (3, &["app"]),
    (4, &["http", "worker"]),
    (5, &["commands"]),
];
/// Floors whose modules are one subject and may name each other: db and gate, http and worker never do.
const FLOORS_OF_FRIENDS: &[u32] = &[1];
const LINES_MAX: usize = 450;
const NAMES_THAT_SAY_NOTHING: &[&str] = &["util", "utils", "helper", "helpers", "manager", "common", "misc", "shared"];
const POSTGRES_DRIVERS: &[&str] = &["tokio_postgres", "sqlx", "deadpool_postgres", "deadpool", "pgmq"];

struct Source {
    /// Below the folder it was looked for in, with slashes.
    name: String,
    text: String,
}

impl Source {
    /// The module at the top: `db` for db/orders.rs, `config` for config.rs.
    fn module(&self) -> &str {
        self.name.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    /// Line number and code without comments and without what only tests compile.
    fn code(&self) -> Vec<(usize, String)> {
        let mut lines = Vec::new();
        let mut test_module_depth: Option<usize> = None;
        let mut depth = 0_usize;
        let mut awaiting_test_item = false;
        for (number, line) in self.text.lines().enumerate() {
            let code = without_literals_and_comments(line);
            let opens = code.matches('{').count();
            let closes = code.matches('}').count();
            if code.trim_start().starts_with("#[cfg(test)]") {
                awaiting_test_item = true;
            }
            let in_tests = test_module_depth.is_some() || awaiting_test_item;
            if !in_tests {
                lines.push((number + 1, code.clone()));
            }
            if awaiting_test_item && !code.trim_start().starts_with("#[") {
                awaiting_test_item = false;
                if opens > closes {
                    test_module_depth = Some(depth);
                }
            }
            depth = (depth + opens).saturating_sub(closes);
            if test_module_depth.is_some_and(|outer| depth <= outer) {
                test_module_depth = None;
            }
        }
        lines
    }
}

/// Keeps the code of a line: what stands in quotes becomes empty, a comment is cut off.
fn without_literals_and_comments(line: &str) -> String {
    let mut code = String::new();
    let mut characters = line.chars().peekable();
    let mut in_string = false;
    while let Some(character) = characters.next() {
        match character {
            '\\' if in_string => drop(characters.next()),
            '"' => {
                in_string = !in_string;
                code.push('"');
            }
            _ if in_string => {}
            '\'' => {
                // A character literal; a lifetime has no quote after its first character.
                let rest: Vec<char> = characters.clone().take(3).collect();
                if rest.get(1) == Some(&'\'') {
                    characters.nth(1);
                } else if rest.first() == Some(&'\\') && rest.get(2) == Some(&'\'') {
                    characters.nth(2);
                }
            }
            '/' if characters.peek() == Some(&'/') => break,
            _ => code.push(character),
        }
    }
    code
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &str, extension: &str) -> Vec<Source> {
    fn walk(directory: &Path, extension: &str, top: &Path, found: &mut Vec<Source>) {
        let entries = std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                walk(&path, extension, top, found);
            } else if path.extension().is_some_and(|found| found == extension) {
                let name = path.strip_prefix(top).unwrap().to_string_lossy().replace('\\', "/");
                found.push(Source { name, text: std::fs::read_to_string(&path).unwrap() });
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), extension, &root().join(folder), &mut found);
    found.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(!found.is_empty(), "no .{extension} files below {folder}");
    found
}

fn floor_of(module: &str) -> Option<u32> {
    FLOORS.iter().find(|(_, modules)| modules.contains(&module)).map(|(floor, _)| *floor)
}

#[track_caller]
fn expect_none(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}\n  {}", broken.join("\n  "));
}

/// The modules of this crate that a line names: `crate::db`, `crate::{db, gate::x}`, `flashsale::db`.
fn modules_named(code: &str) -> Vec<String> {
    let mut named = Vec::new();
    for start in ["crate::", "flashsale::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|character| character.is_alphanumeric() || character == '_') {
                continue;
            }
            let rest = &code[at + start.len()..];
            if let Some(list) = rest.strip_prefix('{') {
                named.extend(first_segments(list));
            } else {
                named.push(identifier(rest));
            }
        }
    }
    named
}

/// The first segment of each path in `a::b, c::{d, e}, f}`.
fn first_segments(list: &str) -> Vec<String> {
    let mut segments = Vec::new();
    let mut depth = 0_usize;
    let mut at_start = true;
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            _ if at_start && depth == 0 && !character.is_whitespace() => {
                segments.push(identifier(&list[at..]));
                at_start = false;
            }
            _ => {}
        }
    }
    segments
}

fn identifier(text: &str) -> String {
    text.trim_start().chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}

/// Imports that are spread over several lines, joined, each with the number of its first line.
fn statements(source: &Source) -> Vec<(usize, String)> {
    let mut joined: Vec<(usize, String)> = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, code) in source.code() {
        match &mut open {
            Some((_, text)) => text.push_str(&code),
            None if code.trim_start().trim_start_matches("pub ").starts_with("use ") => open = Some((number, code)),
            None => joined.push((number, code)),
        }
        if open.as_ref().is_some_and(|(_, text)| text.contains(';')) {
            joined.extend(open.take());
        }
    }
    joined.extend(open);
    joined
}

#[test]
fn imports_go_down_only() {
    let mut broken = Vec::new();
    let mut imports = 0;
    for source in files_below("src", "rs") {
        let module = source.module().to_owned();
        if ["main", "lib"].contains(&module.as_str()) {
            continue;
        }
        let Some(floor) = floor_of(&module) else {
            broken.push(format!("src/{}: module {module} is on no floor; put it on one in tests/tidy.rs", source.name));
            continue;
        };
        for (line, code) in statements(&source) {
            for named in modules_named(&code).into_iter().filter(|named| *named != module) {
                let Some(other) = floor_of(&named) else { continue };
                imports += 1;
                if other > floor || (other == floor && !FLOORS_OF_FRIENDS.contains(&floor)) {
                    broken.push(format!(
                        "src/{}:{line}: {module} (floor {floor}) names {named} (floor {other})",
                        source.name
                    ));
                }
            }
        }
    }
    expect_none("a module names lower floors only (see FLOORS):", &broken);
    assert!(imports > 20, "only {imports} imports between modules were found: the test has gone blind");
}

#[test]
fn drivers_are_named_in_one_place() {
    let mut broken = Vec::new();
    let mut seen = BTreeMap::new();
    for source in files_below("src", "rs") {
        for (line, code) in source.code() {
            for word in POSTGRES_DRIVERS.iter().chain(&["redis"]) {
                if !names_crate(&code, word) {
                    continue;
                }
                let home = if *word == "redis" { "gate" } else { "db" };
                *seen.entry(home).or_insert(0) += 1;
                if source.module() != home {
                    broken.push(format!("src/{}:{line}: {word} is named outside src/{home}", source.name));
                }
            }
        }
    }
    expect_none("only src/db names the drivers of PostgreSQL, only src/gate names redis:", &broken);
    assert!(seen.len() == 2, "no driver was found where it belongs: the test has gone blind: {seen:?}");
}

/// Whether code uses a crate: `redis::…`, `use redis`, `extern crate redis`. A module or variable of that name is none.
fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = &code[..at];
        let after = &code[at + name.len()..];
        let is_whole = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
            && !after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        // `super::redis::` and `gate::redis::` are modules.
        is_whole && after.starts_with("::") && (!before.ends_with("::") || before.ends_with(" ::"))
    })
}

#[test]
fn every_file_opens_with_what_lives_in_it() {
    let mut broken = Vec::new();
    for (folder, extension, opening) in
        [("src", "rs", "//!"), ("tests", "rs", "//!"), ("sql", "sql", "--"), ("migrations", "sql", "--")]
    {
        for source in files_below(folder, extension) {
            let first = source.text.lines().next().unwrap_or_default();
            if !first.starts_with(opening) || first.trim_start_matches(opening).trim().len() < 10 {
                broken.push(format!("{folder}/{}: opens with {first:?}", source.name));
            }
        }
    }
    expect_none("every .rs file opens with //! and every .sql file with --, saying what lives in it and why:", &broken);
}

#[test]
fn nothing_unwraps_outside_tests() {
    let mut broken = Vec::new();
    for source in files_below("src", "rs").into_iter().filter(|source| !source.name.ends_with("tests.rs")) {
        for (line, code) in source.code() {
            for word in [".unwrap()", ".expect(", "panic!(", "todo!(", "unimplemented!(", "dbg!("] {
                if code.contains(word) {
                    broken.push(format!("src/{}:{line}: {word}: {}", source.name, code.trim()));
                }
            }
        }
    }
    expect_none("errors are returned, not unwrapped (outside #[cfg(test)]):", &broken);
}

#[test]
fn no_file_is_longer_than_a_subject() {
    let mut broken = Vec::new();
    for folder in ["src", "tests"] {
        for source in files_below(folder, "rs") {
            let lines = source.text.lines().count();
            if lines > LINES_MAX {
                broken.push(format!("{folder}/{}: {lines} lines", source.name));
            }
        }
    }
    expect_none(&format!("no file is longer than {LINES_MAX} lines: split it by subject:"), &broken);
}

#[test]
fn no_module_is_named_after_nothing() {
    let mut broken = Vec::new();
    for folder in ["src", "tests"] {
        for source in files_below(folder, "rs") {
            for part in source.name.trim_end_matches(".rs").split('/') {
                if NAMES_THAT_SAY_NOTHING.contains(&part) {
                    broken.push(format!("{folder}/{}: {part}", source.name));
                }
            }
        }
    }
    expect_none("a module is named after its subject:", &broken);
}

#[test]
fn every_sql_function_has_a_file_of_its_name() {
    let mut broken = Vec::new();
    for source in files_below("sql/functions", "sql") {
        let stem = source.name.trim_end_matches(".sql");
        let statements = source.text.lines().filter(|line| !line.trim_start().starts_with("--"));
        let created: Vec<String> = statements
            .filter_map(|line| {
                let line = line.trim();
                line.strip_prefix("create or replace function ").or(line.strip_prefix("create or replace procedure "))
            })
            .map(|rest| rest.split('(').next().unwrap_or_default().trim().to_owned())
            .collect();
        // What processes call is in flashsale, what people call in ops.
        if created != [format!("flashsale.{stem}")] && created != [format!("ops.{stem}")] {
            broken.push(format!("sql/functions/{}: creates {created:?}", source.name));
        }
        let pins = source.text.contains("set search_path") || source.text.contains("language sql immutable");
        if !pins {
            broken.push(format!("sql/functions/{}: search_path is not pinned", source.name));
        }
        let makes_more = |line: &str| line.starts_with("create function") || line.starts_with("create table");
        if source.text.lines().any(makes_more) {
            broken.push(format!("sql/functions/{}: holds more than one `create or replace function`", source.name));
        }
    }
    expect_none("a file of sql/functions holds one function, schema-qualified and named like the file:", &broken);
}

#[test]
fn migrations_call_no_function_that_is_applied_after_them() {
    let functions = files_below("sql/functions", "sql");
    let names: Vec<String> =
        functions.iter().map(|source| format!("flashsale.{}(", source.name.trim_end_matches(".sql"))).collect();
    let mut broken = Vec::new();
    for source in files_below("migrations", "sql") {
        for (number, line) in source.text.lines().enumerate() {
            let code = line.split("--").next().unwrap_or_default();
            for name in names.iter().filter(|name| code.contains(name.as_str())) {
                broken.push(format!("migrations/{}:{}: {name}", source.name, number + 1));
            }
        }
    }
    expect_none("migrations are applied before sql/functions and never call them:", &broken);
}

#[test]
fn every_planted_bug_fits_its_lines() {
    let patches: Vec<_> = std::fs::read_dir("tests/planted").unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(patches.len() >= 12, "{patches:?}");
    let tried = std::process::Command::new("git").args(["apply", "--check"]).args(&patches).output().unwrap();
    let wrong = String::from_utf8_lossy(&tried.stderr);
    assert!(tried.status.success(), "write these again, by what `git diff` says of the bug planted anew:\n{wrong}");
}

/// The last column of the table in docs/SECURITY.md: functions, files of tests, and targets of make.
#[test]
fn every_test_that_security_rests_on_exists() {
    let page = std::fs::read_to_string(root().join("docs/SECURITY.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ASVS"));
    let named: Vec<&str> = rows
        .flat_map(|row| row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap().split('`').skip(1).step_by(2))
        .filter(|name| !name.starts_with("make "))
        .collect();
    assert!(named.len() > 30, "the table names {} tests", named.len());
    let sources: Vec<Source> = ["src", "tests"].iter().flat_map(|folder| files_below(folder, "rs")).collect();
    let others: Vec<Source> = [("sql/tests", "sql"), ("web/tests", "ts"), ("deploy/checks", "py")]
        .iter()
        .flat_map(|(folder, extension)| files_below(folder, extension))
        .collect();
    let exists = |name: &str| {
        sources.iter().any(|source| source.text.contains(&format!("fn {name}(")))
            || others.iter().any(|source| source.name.rsplit('/').next() == Some(name))
    };
    let missing: Vec<String> = named.iter().filter(|name| !exists(name)).map(|name| (*name).to_owned()).collect();
    expect_none("docs/SECURITY.md names tests that do not exist", &missing);
}

#[test]
fn tests_wait_for_conditions() {
    let mut broken = Vec::new();
    for source in files_below("tests", "rs").into_iter().filter(|source| source.name.starts_with("it/")) {
        let waits = source.name == "it/harness/wait.rs";
        for (line, code) in source.code() {
            let polls =
                ["it/harness/crowd.rs", "it/harness/monitor.rs", "it/harness/proxy.rs"].contains(&source.name.as_str());
            if code.contains("sleep(") && !waits && !polls {
                broken.push(format!("tests/{}:{line}: {}", source.name, code.trim()));
            }
        }
    }
    expect_none("a test waits for a condition with `eventually`, it does not sleep:", &broken);
}

#[test]
fn the_rules_see_what_they_should() {
    let source = |text: &str| Source { name: "db/x.rs".into(), text: text.into() };
    let numbered = |text: &str| source(text).code().into_iter().map(|(number, _)| number).collect::<Vec<_>>();
    assert_eq!(numbered("a\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nc"), [1, 6]);
    assert_eq!(numbered("a\n#[cfg(test)]\nuse b;\nc"), [1, 4]);
    assert_eq!(without_literals_and_comments(r#"let a = "x.unwrap() \" // {"; // b"#).trim(), r#"let a = "";"#);
    assert_eq!(without_literals_and_comments("f('{', 'a: &'b str)"), "f(, a: &b str)");
    assert_eq!(modules_named("use crate::{db::{a, b}, gate::c, http};"), ["db", "gate", "http"]);
    assert_eq!(modules_named("let x = crate::worker::run(flashsale::app::y);"), ["worker", "app"]);
    assert!(modules_named("use subcrate::db;").is_empty());
    assert!(names_crate("use redis::Client;", "redis") && names_crate("let x = redis::cmd(a);", "redis"));
    assert!(!names_crate("use super::redis::RedisGate;", "redis") && !names_crate("mod redis;", "redis"));
    assert_eq!(statements(&source("use crate::{\n    db,\n    gate,\n};\nx"))[0].1, "use crate::{    db,    gate,};");
    assert!(floor_of("app") > floor_of("db") && floor_of("db") == floor_of("gate"));
}
