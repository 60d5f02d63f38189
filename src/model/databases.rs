//! IndexedDB, in the JSON form of Playwright's `storageState`. What is in the records is for browsers alone:
//! it is carried as it came, and told by no `Debug`.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::error::Error;

/// The greatest version of a database that JSON holds exactly.
const VERSION_MAX: f64 = 9_007_199_254_740_991.0;

/// One database.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoredDatabase {
    /// Its name.
    pub name: String,
    /// Its version, 1 or more.
    #[serde(deserialize_with = "whole")]
    pub version: u64,
    /// Its object stores.
    #[serde(default)]
    pub stores: Vec<ObjectStore>,
}

/// One object store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectStore {
    /// Its name.
    pub name: String,
    /// Where a value has its key. Without it, and without `keyPathArray`, keys are beside the values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_path: Option<String>,
    /// Where a value has the parts of its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_path_array: Option<Vec<String>>,
    /// Whether the browser makes keys.
    #[serde(default)]
    pub auto_increment: bool,
    /// What is in it.
    #[serde(default)]
    pub records: Vec<StoreRecord>,
    /// Its indexes.
    #[serde(default)]
    pub indexes: Vec<StoreIndex>,
}

/// One record of an object store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreRecord {
    /// Its key, where JSON holds that as it is.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<serde_json::Value>)]
    pub key: Option<Opaque>,
    /// Its key in the form in which Playwright writes what JSON cannot hold.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<serde_json::Value>)]
    pub key_encoded: Option<Opaque>,
    /// Its value, where JSON holds that as it is.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<serde_json::Value>)]
    pub value: Option<Opaque>,
    /// Its value in the form in which Playwright writes what JSON cannot hold.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<serde_json::Value>)]
    pub value_encoded: Option<Opaque>,
}

/// One index of an object store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreIndex {
    /// Its name.
    pub name: String,
    /// Where a value has what it is found by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_path: Option<String>,
    /// Where a value has the parts of what it is found by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_path_array: Option<Vec<String>>,
    /// Whether each item of an array is an entry of its own.
    #[serde(default)]
    pub multi_entry: bool,
    /// Whether no two records are found by the same.
    #[serde(default)]
    pub unique: bool,
}

/// JSON that is carried as it came.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Opaque(Box<RawValue>);

impl PartialEq for Opaque {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl StoredDatabase {
    /// Checks what no browser could make a database of.
    pub(super) fn check(&self, origin: &str) -> Result<(), Error> {
        let wrong = |why: &str| {
            let name: String = self.name.chars().take(64).collect();
            Err(Error::invalid_input(format!(
                "the database \"{name}\" of {origin} in storage_state {why}"
            )))
        };
        if self.version == 0 {
            return wrong("has version 0");
        }
        let is_whole = |record: &StoreRecord| {
            let keys = [&record.key, &record.key_encoded];
            record.value.is_some() != record.value_encoded.is_some()
                && keys.iter().filter(|key| key.is_some()).count() < 2
        };
        if !self
            .stores
            .iter()
            .all(|store| store.records.iter().all(is_whole))
        {
            return wrong("has a record without one of value and valueEncoded, or with two keys");
        }
        Ok(())
    }
}

/// `null` is a value.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Opaque>, D::Error> {
    Opaque::deserialize(deserializer).map(Some)
}

/// A whole number, also where it came as 3.0: gRPC knows no other.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = f64::deserialize(deserializer)?;
    if number.fract() != 0.0 || !(0.0..=VERSION_MAX).contains(&number) {
        return Err(D::Error::custom("a version is a whole number of 1 or more"));
    }
    Ok(number as u64)
}

impl fmt::Debug for StoredDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredDatabase({})", self.name)
    }
}

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opaque")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(json: &str) -> Result<StoredDatabase, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn what_is_in_a_record_stays_as_it_came() {
        let json = r#"{"name":"d","version":2,"stores":[{"name":"s","autoIncrement":false,"records":[{"key":1e21,"value":null},{"keyEncoded":{"d":"2026-01-01T00:00:00.000Z"},"valueEncoded":{"id":1,"o":[{"k":"b","v":{"bi":"1"}}]}}],"indexes":[{"name":"i","keyPathArray":["a","b"],"multiEntry":false,"unique":true}]}]}"#;
        let read = database(json).unwrap();
        assert!(read.check("https://a.test").is_ok());
        assert_eq!(serde_json::to_string(&read).unwrap(), json);
        assert_eq!(format!("{read:?}"), "StoredDatabase(d)");
        let by_value = serde_json::from_str::<serde_json::Value>(json).unwrap();
        let by_value: StoredDatabase = serde_path_to_error::deserialize(by_value).unwrap();
        assert_eq!(by_value.stores[0].records[1], read.stores[0].records[1]);
    }

    #[test]
    fn what_no_browser_takes_is_refused() {
        for version in ["1.5", "-1", "1e300", "\"1\""] {
            let json = format!(r#"{{"name":"d","version":{version}}}"#);
            assert!(database(&json).is_err(), "{json}");
        }
        assert_eq!(
            database(r#"{"name":"d","version":3.0}"#).unwrap().version,
            3
        );
        let with = |record: &str| {
            format!(r#"{{"name":"d","version":1,"stores":[{{"name":"s","records":[{record}]}}]}}"#)
        };
        for wrong in [
            r#"{"name":"d","version":0}"#.to_owned(),
            with(r#"{"key":1}"#),
            with(r#"{"value":1,"valueEncoded":1}"#),
            with(r#"{"key":1,"keyEncoded":1,"value":1}"#),
        ] {
            assert!(
                database(&wrong).unwrap().check("https://a.test").is_err(),
                "{wrong}"
            );
        }
    }
}
