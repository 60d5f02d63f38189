//! One entry more in a JSON file that is somebody else's: what stands there stays, to the byte.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// An object as it stands in a file: its members in their order, each as it is written.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Walk)
    }
}

struct Walk;

impl<'de> Visitor<'de> for Walk {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

impl Members {
    /// The member of that name; of several the last, as all readers take it.
    fn find(&mut self, name: &str) -> Option<&mut Box<RawValue>> {
        let found = self.0.iter_mut().rev().find(|(given, _)| given == name);
        found.map(|(_, value)| value)
    }

    /// Puts a member in its place, or after all others.
    fn put(&mut self, name: &str, value: Box<RawValue>) {
        match self.find(name) {
            Some(place) => *place = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// The object, whose members stand so deep.
    fn write(&self, depth: usize) -> serde_json::Result<String> {
        let indent = INDENT.repeat(depth);
        let members = self.0.iter().map(|(name, value)| {
            let name = serde_json::to_string(name)?;
            Ok(format!("{indent}{name}: {}", value.get()))
        });
        let members: Vec<_> = members.collect::<serde_json::Result<_>>()?;
        let end = INDENT.repeat(depth - 1);
        Ok(format!("{{\n{}\n{end}}}", members.join(",\n")))
    }
}

const INDENT: &str = "  ";

/// The text with `entry` in the object `section` under `name`; nothing where it stands there already.
pub(super) fn put(
    text: &str,
    section: &str,
    name: &str,
    entry: &Value,
) -> serde_json::Result<Option<String>> {
    let text = match text.trim() {
        "" => "{}",
        text => text,
    };
    let mut all: Members = serde_json::from_str(text)?;
    let mut entries: Members = match all.find(section) {
        Some(found) => serde_json::from_str(found.get())?,
        None => Members(Vec::new()),
    };
    if let Some(there) = entries.find(name)
        && serde_json::from_str::<Value>(there.get())? == *entry
    {
        return Ok(None);
    }
    let pretty = serde_json::to_string_pretty(entry)?;
    let pretty = pretty.replace('\n', &format!("\n{}", INDENT.repeat(2)));
    entries.put(name, RawValue::from_string(pretty)?);
    all.put(section, RawValue::from_string(entries.write(2)?)?);
    let mut text = all.write(1)?;
    text.push('\n');
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_stands_there_stays_to_the_byte() {
        let theirs = "{ \"z\": 1e400, \"mcpServers\": {\"other\": {\"b\":  [1,\n 2], \"a\": 0.10}},\n\"a\": null }";
        let entry = json!({"url": "http://127.0.0.1:8765/mcp"});
        let put_in = put(theirs, "mcpServers", "ghostcast", &entry)
            .unwrap()
            .unwrap();
        assert_eq!(
            put_in,
            "{\n  \"z\": 1e400,\n  \"mcpServers\": {\n    \"other\": {\"b\":  [1,\n 2], \"a\": 0.10},\n    \
             \"ghostcast\": {\n      \"url\": \"http://127.0.0.1:8765/mcp\"\n    }\n  },\n  \"a\": null\n}\n"
        );
        assert_eq!(
            put(&put_in, "mcpServers", "ghostcast", &entry).unwrap(),
            None
        );
        let other = put(&put_in, "mcpServers", "ghostcast", &json!({"url": "x"}))
            .unwrap()
            .unwrap();
        assert!(
            other.contains("\"url\": \"x\"") && !other.contains("8765"),
            "{other}"
        );
    }

    #[test]
    fn a_file_that_is_not_there_yet_begins_with_it() {
        for empty in ["", " \n", "{}"] {
            let text = put(empty, "servers", "a", &json!({"url": "x"}))
                .unwrap()
                .unwrap();
            let value: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value, json!({"servers": {"a": {"url": "x"}}}));
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for broken in [
            "{",
            "[]",
            "{\"servers\": []}",
            "{\"servers\": {}} // mine",
            "null",
        ] {
            assert!(put(broken, "servers", "a", &json!({})).is_err(), "{broken}");
        }
    }
}
