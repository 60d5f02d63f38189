//! What a page asks a person to choose from, which a browser shows in a window of its own.

use serde::Serialize;

/// It is there until something is chosen, or it is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// Counts what the session's pages have offered; a choice names it.
    pub number: u64,
    /// What there is to choose.
    #[serde(flatten)]
    pub offered: Offered,
}

/// What there is to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Offered {
    /// One option of a select element.
    List {
        /// What the element is called.
        label: String,
        /// Its options, in their order.
        options: Vec<Choosable>,
    },
    /// Files of the person's own.
    Files {
        /// Whether several may be chosen.
        multiple: bool,
        /// Of what kinds, as HTML has it; empty for any.
        accept: String,
    },
    /// Something that a person permits or not.
    Permission {
        /// Who asks: the host of the page, and its port where that is not the usual one.
        site: String,
        /// What for.
        permissions: Vec<Permission>,
    },
}

/// What a page asks permission for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Where the person is.
    Geolocation,
    /// To show notifications.
    Notifications,
    /// The camera.
    Camera,
    /// The microphone.
    Microphone,
}

/// What a person has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PermissionAnswer {
    /// It is permitted.
    Granted,
    /// It is forbidden.
    Denied,
    /// Nothing: it may be asked again.
    Left,
}

/// What was asked, and answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PermissionAsked {
    /// Who asks: the host of the page, and its port where that is not the usual one.
    pub site: String,
    /// What for.
    pub permissions: Vec<Permission>,
    /// What the person has answered.
    pub answer: PermissionAnswer,
}

impl PermissionAnswer {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Left => "left",
        }
    }
}

impl Permission {
    /// Its name, as the Permissions API has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Geolocation => "geolocation",
            Self::Notifications => "notifications",
            Self::Camera => "camera",
            Self::Microphone => "microphone",
        }
    }
}

/// One option of a select element.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Choosable {
    /// What it reads.
    pub label: String,
    /// What the group is called that it stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Whether it cannot be chosen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
    /// Whether it is chosen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub selected: bool,
}
