//! The files that `run` and `sweep` have written, read leniently: members that are not known here are passed over, and
//! what is missing is missing from the page.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::sweep::series::Series;

/// What is shown of latest.json.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Latest {
    #[serde(flatten)]
    pub origin: Origin,
    #[serde(deserialize_with = "readable")]
    pub ratios: Vec<Ratio>,
    #[serde(deserialize_with = "readable")]
    pub cpu: Vec<CpuShare>,
}

/// What is shown of sweeps.json.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Sweeps {
    #[serde(flatten)]
    pub origin: Origin,
    #[serde(deserialize_with = "readable")]
    pub series: Vec<Series>,
}

/// What figures come from: when, of which commit, on what.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Origin {
    pub generated_at: Option<String>,
    pub commit: Option<String>,
    pub took_seconds: Option<u64>,
    pub hardware: Map<String, Value>,
    pub versions: Map<String, Value>,
    pub servers: Vec<Map<String, Value>>,
    pub settings: Map<String, Value>,
    pub books: Option<Books>,
}

#[derive(Debug, Deserialize)]
pub struct Books {
    pub balanced: bool,
    #[serde(default)]
    pub audits: u64,
    #[serde(default)]
    pub violations: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub struct Ratio {
    pub name: String,
    pub value: f64,
    pub bound: f64,
    pub direction: Direction,
    pub holds: bool,
    pub min: Option<f64>,
    pub max: Option<f64>,
    /// Null where a round had no figure.
    #[serde(default)]
    pub rounds: Vec<Option<f64>>,
    pub numerator: Option<Side>,
    pub denominator: Option<Side>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    AtLeast,
    AtMost,
}

impl Direction {
    pub const fn sign(self) -> &'static str {
        match self {
            Self::AtLeast => "≥",
            Self::AtMost => "≤",
        }
    }
}

/// One of the two figures of a ratio.
#[derive(Debug, Deserialize)]
pub struct Side {
    pub what: String,
    pub unit: String,
    pub median: f64,
}

#[derive(Debug, Deserialize)]
pub struct CpuShare {
    pub measurement: String,
    pub process: String,
    pub cores_busy: Option<f64>,
    pub cpu_us_per_request: Option<f64>,
}

/// Reads a file of results; `None` when there is none.
pub fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => {
            let read = serde_json::from_slice(&bytes);
            Ok(Some(read.with_context(|| format!("{} is not what `run` or `sweep` writes", path.display()))?))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// The entries that can be read; the others are named and left out.
fn readable<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let entries = Vec::<Value>::deserialize(deserializer)?;
    let read = entries.into_iter().filter_map(|entry| {
        let name =
            ["name", "measurement"].into_iter().find_map(|member| entry[member].as_str()).unwrap_or("?").to_owned();
        serde_json::from_value(entry).map_err(|error| eprintln!("left out: {name}: {error}")).ok()
    });
    Ok(read.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_or_unreadable_is_passed_over() {
        let text = r#"{
            "commit": "abc", "surprise": [1], "books": { "balanced": true, "audits": 3 },
            "ratios": [
                { "name": "a", "value": 2.0, "bound": 1, "direction": "at_least", "holds": true, "new": {} },
                { "name": "b", "value": null, "bound": 1, "direction": "at_least", "holds": false }
            ]
        }"#;
        let latest: Latest = serde_json::from_str(text).unwrap();
        assert_eq!(latest.ratios.iter().map(|ratio| ratio.name.as_str()).collect::<Vec<_>>(), ["a"]);
        assert_eq!((latest.origin.commit.as_deref(), latest.cpu.len()), (Some("abc"), 0));
    }

    #[test]
    fn a_missing_file_is_none_and_a_broken_one_an_error() {
        assert!(read::<Latest>(Path::new("/nowhere/latest.json")).unwrap().is_none());
        assert!(read::<Latest>(Path::new("/proc/self/status")).is_err());
    }
}
