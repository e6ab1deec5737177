//! The house's one structural rule: bridge → {adapters, plugins} → core, and never sideways.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on must say where"
)]

use std::{collections::BTreeMap, path::Path, process::Command};

use serde_json::Value;

/// The room that each of our packages lives in: the first folder of its path.
fn rooms(metadata: &Value) -> BTreeMap<&str, String> {
    let root = metadata["workspace_root"].as_str().unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| {
            let manifest = Path::new(package["manifest_path"].as_str().unwrap());
            let inside = manifest.strip_prefix(root).unwrap();
            let room = inside.iter().next().unwrap().to_str().unwrap();
            (package["name"].as_str().unwrap(), room.to_owned())
        })
        .collect()
}

fn allowed(room: &str) -> &'static [&'static str] {
    match room {
        "core" => &[],
        "adapters" | "plugins" => &["core"],
        "bridge" => &["core", "adapters", "plugins"],
        _ => &["core", "adapters", "plugins", "bridge"],
    }
}

#[test]
fn dependencies_point_at_core() {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rooms = rooms(&metadata);
    assert!(rooms.len() >= 8, "{rooms:?}");
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        for dependency in package["dependencies"].as_array().unwrap() {
            let needs = dependency["name"].as_str().unwrap();
            let Some(room) = rooms.get(needs) else {
                continue;
            };
            let kit = needs == "standpipe-conformance" && dependency["kind"] == "dev";
            assert!(
                kit || allowed(&rooms[name]).contains(&room.as_str()),
                "{name} ({}) depends on {needs} ({room})",
                rooms[name]
            );
        }
    }
}
