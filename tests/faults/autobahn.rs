//! Autobahn's fuzzing client against our frames: `make autobahn`, if it is installed. It needs Python 2.

use std::{collections::BTreeMap, process::Command};

use serde_json::{Value, json};

use crate::echo::Echo;

/// All cases except compression, which the server does not offer.
const CASES: [&str; 9] = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"];

/// Returns the close codes for messages that Autobahn expects to be echoed: binary ones, and those over 64
/// KiB.
fn refusals(case: &str) -> &'static [u64] {
    let parts: Vec<u32> = case.split('.').map(|part| part.parse().unwrap()).collect();
    match parts[..] {
        [9, 1, 1] => &[],
        [1, 2, _] | [9, 2, 1] | [9, 8, _] => &[1003],
        // A large binary message is closed for whichever is detected first.
        [9, 4, _] => &[1003, 1009],
        [9, 1 | 2 | 3 | 5 | 6, _] => &[1009],
        _ => &[],
    }
}

fn passes(case: &str, result: &Value) -> bool {
    let refusals = refusals(case);
    if !refusals.is_empty() {
        return result["remoteCloseCode"].as_u64().is_some_and(|code| refusals.contains(&code));
    }
    // Invalid UTF-8 is detected at the end of its frame or message, not within. RFC 6455 allows both.
    let fine = if case.starts_with("6.4.") { ["OK", "NON-STRICT"] } else { ["OK", "INFORMATIONAL"] };
    [&result["behavior"], &result["behaviorClose"]]
        .iter()
        .all(|verdict| fine.contains(&verdict.as_str().unwrap()))
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs Autobahn's wstest, on the path or named by WSTEST"]
async fn autobahn() {
    let echo = Echo::start();
    let folder = tempfile::tempdir().unwrap();
    let spec = json!({
        "outdir": folder.path().join("report"),
        "servers": [{"agent": "greenroom", "url": format!("ws://{}", echo.address)}],
        "cases": CASES, "exclude-cases": [], "exclude-agent-cases": {},
    });
    let file = folder.path().join("spec.json");
    std::fs::write(&file, spec.to_string()).unwrap();
    let mut wstest = Command::new(std::env::var("WSTEST").unwrap_or_else(|_| "wstest".to_owned()));
    wstest.args(["-m", "fuzzingclient", "-s"]).arg(&file).current_dir(&folder);
    let done = actix_web::rt::task::spawn_blocking(move || wstest.output()).await.unwrap();
    let done = done.expect("wstest runs");
    assert!(done.status.success(), "{done:?}");
    let report = std::fs::read(folder.path().join("report/index.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    let results = report["greenroom"].as_object().unwrap();
    let failed: Vec<_> = results.iter().filter(|(case, result)| !passes(case, result)).collect();
    let mut verdicts = BTreeMap::new();
    for (_, result) in results.iter().filter(|(case, _)| refusals(case).is_empty()) {
        *verdicts.entry(format!("{} {}", result["behavior"], result["behaviorClose"])).or_insert(0) += 1;
    }
    let refused = results.keys().filter(|case| !refusals(case).is_empty()).count();
    println!("{} cases, {} passed", results.len(), results.len() - failed.len());
    println!("{refused} refused; of the others {verdicts:?}");
    assert!(failed.is_empty() && results.len() > 290, "{failed:#?}");
}
