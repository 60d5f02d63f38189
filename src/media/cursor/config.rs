//! How the cursor looks and how long it takes: [`Config`] and the types of its fields.

use std::{fmt, ops::RangeInclusive, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Heights a cursor may have, CSS px: below, it is a speck; above, it hides what it points at.
pub const SIZE_RANGE_PX: RangeInclusive<f32> = 8.0..=128.0;

/// The longest lead, ms: an action waits this long at most for its cursor.
pub const LEAD_MS_MAX: u64 = 2_000;

/// The longest time a resting cursor may stay, ms: an hour is as good as for ever.
pub const IDLE_MS_MAX: u64 = 3_600_000;

/// The settings of the ghost cursor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether a cursor is drawn at all.
    pub enabled: bool,
    /// What it looks like.
    pub shape: Shape,
    /// Its height, CSS px, within [`SIZE_RANGE_PX`].
    #[serde(deserialize_with = "size_px")]
    pub size_px: f32,
    /// What it is filled with.
    pub color: Color,
    /// The line round it, which keeps it apart from a page of its own colour.
    pub outline: Color,
    /// The ripple of a click and the marks of typing and scrolling.
    pub accent: Color,
    /// The bound on the motion before a click; `lead_ms` in a file.
    #[serde(
        rename = "lead_ms",
        serialize_with = "as_ms",
        deserialize_with = "lead_ms"
    )]
    pub lead: Duration,
    /// A cursor at rest is gone after this; `idle_ms` in a file.
    #[serde(
        rename = "idle_ms",
        serialize_with = "as_ms",
        deserialize_with = "idle_ms"
    )]
    pub idle: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            shape: Shape::Arrow,
            size_px: 28.0,
            color: Color::rgb(0x16, 0x18, 0x1d),
            outline: Color::rgb(0xff, 0xff, 0xff),
            accent: Color::rgb(0x3b, 0x82, 0xf6),
            lead: Duration::from_millis(120),
            idle: Duration::from_secs(3),
        }
    }
}

impl Config {
    /// The part of the settings that decides pixels.
    pub fn look(&self) -> Look {
        Look {
            shape: self.shape,
            size_px: self.size_px,
            color: self.color,
            outline: self.outline,
            accent: self.accent,
        }
    }
}

/// What the cursor looks like: all that its sprites depend on besides the scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// The outline of the pointer.
    pub shape: Shape,
    /// Its height, CSS px.
    pub size_px: f32,
    /// What it is filled with.
    pub color: Color,
    /// The line round it.
    pub outline: Color,
    /// The ripple and the marks.
    pub accent: Color,
}

impl Look {
    /// The height, within its range even if it was set by hand: sprites grow with its square.
    pub(crate) fn height_px(&self) -> f32 {
        self.size_px
            .clamp(*SIZE_RANGE_PX.start(), *SIZE_RANGE_PX.end())
    }
}

/// The shape of the pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// The usual arrow, its tip on the target.
    #[default]
    Arrow,
    /// A pointing hand, the fingertip on the target.
    Hand,
    /// A round spot, its centre on the target.
    Dot,
    /// A beam between letters, its middle on the target; only over text.
    #[serde(skip)]
    Beam,
}

/// An opaque colour; `"#rrggbb"` in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Color {
    /// Red, full range.
    pub red: u8,
    /// Green, full range.
    pub green: u8,
    /// Blue, full range.
    pub blue: u8,
}

impl Color {
    /// The colour of three full-range components.
    pub const fn rgb(red: u8, green: u8, blue: u8) -> Self {
        Self { red, green, blue }
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

impl FromStr for Color {
    type Err = ParseColorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseColorError { text: text.into() };
        let digits = text.strip_prefix('#').ok_or_else(error)?;
        // `from_str_radix` takes a sign, which is no part of a colour.
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(error());
        }
        let value = u32::from_str_radix(digits, 16).map_err(|_| error())?;
        let [_, red, green, blue] = value.to_be_bytes();
        Ok(Self::rgb(red, green, blue))
    }
}

impl Serialize for Color {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Color {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// A text that is no colour.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a colour: write \"#rrggbb\", such as \"#16181d\"")]
pub struct ParseColorError {
    text: Box<str>,
}

fn size_px<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    let size_px = f32::deserialize(deserializer)?;
    if SIZE_RANGE_PX.contains(&size_px) {
        return Ok(size_px);
    }
    Err(de::Error::custom(format_args!(
        "a cursor is {} to {} px high, not {size_px}",
        SIZE_RANGE_PX.start(),
        SIZE_RANGE_PX.end()
    )))
}

fn as_ms<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(duration.as_millis() as u64)
}

fn lead_ms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    millis(deserializer, "lead_ms", LEAD_MS_MAX)
}

fn idle_ms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    millis(deserializer, "idle_ms", IDLE_MS_MAX)
}

fn millis<'de, D: Deserializer<'de>>(
    deserializer: D,
    name: &str,
    max: u64,
) -> Result<Duration, D::Error> {
    let millis = u64::deserialize(deserializer)?;
    if millis <= max {
        return Ok(Duration::from_millis(millis));
    }
    Err(de::Error::custom(format_args!(
        "{name} is {max} at most, not {millis}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_parsed_or_refused_with_a_reason() {
        let cases = [
            (r#"{}"#, Ok(Config::default())),
            (
                r##"{"shape":"dot","color":"#FF8000","lead_ms":80,"idle_ms":0,"size_px":40}"##,
                Ok(Config {
                    shape: Shape::Dot,
                    color: Color::rgb(255, 128, 0),
                    lead: Duration::from_millis(80),
                    idle: Duration::ZERO,
                    size_px: 40.0,
                    ..Config::default()
                }),
            ),
            (r#"{"color":"red"}"#, Err("write \"#rrggbb\"")),
            (r##"{"color":"#12345"}"##, Err("\"#12345\" is not a colour")),
            (r##"{"outline":"#+12345"}"##, Err("is not a colour")),
            (r##"{"accent":"#äöü"}"##, Err("is not a colour")),
            (r#"{"size_px":4}"#, Err("8 to 128 px high, not 4")),
            (r#"{"lead_ms":2001}"#, Err("lead_ms is 2000 at most")),
            (r#"{"idle_ms":-1}"#, Err("invalid value")),
            (r#"{"shape":"star"}"#, Err("unknown variant `star`")),
            (r#"{"colour":"x"}"#, Err("unknown field `colour`")),
        ];
        for (text, wanted) in cases {
            match (serde_json::from_str::<Config>(text), wanted) {
                (Ok(config), Ok(wanted)) => assert_eq!(config, wanted, "{text}"),
                (Err(error), Err(wanted)) => {
                    assert!(error.to_string().contains(wanted), "{text}: {error}");
                }
                (got, _) => panic!("{text}: {got:?}"),
            }
        }
    }

    #[test]
    fn a_colour_prints_as_it_is_written() {
        for text in ["#000000", "#3b82f6", "#ffffff"] {
            assert_eq!(
                text.parse::<Color>().map(|c| c.to_string()),
                Ok(text.into())
            );
        }
    }
}
