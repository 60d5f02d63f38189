//! The queue of jobs, logins that are kept, and the platforms that they are for.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::Error;
use crate::model::Secret;

const DAY_S: f64 = 86_400.0;

/// The queue of jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Jobs {
    /// Where the queue is, for services that share one: `postgres://…`, or `redis://…`; empty for each its own, in its
    /// registry. It may hold a password.
    pub queue_url: Secret,
    /// A service that is silent in a shared queue for this long has ended, and others do what it ran, seconds.
    pub lost_after_s: u32,
    /// Jobs that run at once in the queue `automation`.
    pub automation: usize,
    /// Likewise in the queue `maintenance`.
    pub maintenance: usize,
    /// Starts in the queue `automation` within `rate_window_s`, further attempts among them; 0 for no bound.
    pub rate: u32,
    /// The time in which they are counted, seconds.
    pub rate_window_s: u32,
    /// Attempts of a job that names none.
    pub attempts_max: u32,
    /// The pauses after the first attempt, the second and so on, seconds; the last holds for all further ones.
    pub backoff_s: Vec<u32>,
    /// The same job is not taken twice within this time, seconds.
    pub unique_s: u32,
    /// One attempt takes this long at most, seconds.
    pub timeout_s: u32,
    /// Jobs that are over are known for this long, hours.
    pub kept_h: f64,
    /// A job that has waited for a login or a person for this long has failed, hours; 0 for never.
    pub held_h: f64,
    /// Notes that were posted or have failed are known for this long after it, hours; 0 for ever.
    pub notes_kept_h: f64,
}

/// Logins that are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Connections {
    /// A login that was not used for this long has expired, days.
    pub expire_after_days: f64,
    /// A login that was neither used nor visited for this long is visited, days.
    pub keep_alive_after_days: f64,
    /// When that is looked for each day, UTC, `HH:MM`.
    pub keep_alive_at: String,
    /// What is kept of a login that has expired is deleted after this time, days.
    pub expired_kept_days: f64,
    /// A link by which a user logs in is good for this long, seconds.
    pub link_s: u32,
}

/// A platform that users log in at: an app profile.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Platform {
    /// What people call it; without it, its name in the settings.
    pub label: String,
    /// Where it is looked whether somebody is logged in.
    pub url: String,
    /// Where a user logs in; without it, `url`.
    pub login_url: String,
    /// A CSS selector of what is shown to those only who are logged in.
    pub logged_in: String,
    /// A CSS selector of what is shown where a login is asked for; empty for none that is known.
    pub login_page: String,
    /// A CSS selector of what only a person passes: a captcha. A job that meets it waits for one; empty for none
    /// that is known.
    pub challenge: String,
    /// A text by which the platform says that it wants fewer requests; empty for none. Status 429 says so too.
    pub slow_down: String,
    /// Host patterns that its pages may reach; empty for no restriction of its own.
    pub allowed_domains: Vec<String>,
    /// What can be done there, by name.
    pub workflows: BTreeMap<String, Workflow>,
}

/// What can be done at a platform.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Workflow {
    /// The page that it begins on; `${name}` stands for what the job was given by that name.
    pub page: String,
    /// Whether it can be done only by somebody who is logged in.
    pub needs_login: bool,
    /// JavaScript, with the job's `args`, that returns what the workflow has left on the page, and null when
    /// that is not there: it says whether the effect is to be seen, and what the job's result is.
    pub seen: String,
    /// The page where `seen` is asked; without it, the page that the steps end on, and at first `page`.
    pub seen_on: String,
    /// What is done, one after the other.
    pub steps: Vec<Step>,
}

/// A step of a workflow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// `navigate`, `wait`, `execute`, or what can be done to an element: `click`, `fill`, `type`, `press`,
    /// `hover`, `select`, `check`, `uncheck`, `focus`, `scroll`; or `request_human`, which lets the job wait for a
    /// person.
    pub action: String,
    /// Selectors of the element, of which the first that is there is taken: CSS, `text=…`, `role=…[name="…"]`.
    pub on: Vec<String>,
    /// What the element is, in a few words, for whoever is asked when no selector finds it any more: "the button
    /// that posts the comment".
    pub about: String,
    /// Its parameters; `${name}` in a text stands for what the job was given by that name.
    pub params: Map<String, Value>,
    /// Whether others see what it does, so that it must not be done twice.
    pub effect: bool,
    /// How long its element is waited for, milliseconds.
    pub timeout_ms: Option<u64>,
}

/// What can be done to an element in a step.
const ON_ELEMENTS: [&str; 10] = [
    "click", "fill", "type", "press", "hover", "select", "check", "uncheck", "focus", "scroll",
];

impl Default for Jobs {
    fn default() -> Self {
        Self {
            queue_url: Secret::default(),
            lost_after_s: 30,
            automation: 3,
            maintenance: 1,
            rate: 10,
            rate_window_s: 60,
            attempts_max: 3,
            backoff_s: vec![10, 30, 90],
            unique_s: 60,
            timeout_s: 300,
            kept_h: 720.0,
            held_h: 2_160.0,
            notes_kept_h: 2_160.0,
        }
    }
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            expire_after_days: 30.0,
            keep_alive_after_days: 20.0,
            keep_alive_at: "03:00".to_owned(),
            expired_kept_days: 7.0,
            link_s: 3_600,
        }
    }
}

impl Jobs {
    /// The pauses between attempts.
    pub fn pauses(&self) -> Vec<Duration> {
        let seconds = self.backoff_s.iter();
        seconds
            .map(|s| Duration::from_secs(u64::from(*s)))
            .collect()
    }

    /// A service that is silent for so long has ended.
    pub fn lost_after(&self) -> Duration {
        Duration::from_secs(u64::from(self.lost_after_s))
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let counts = [self.automation, self.maintenance];
        if counts.iter().any(|count| !(1..=100).contains(count)) {
            return Err(Error::invalid_input(
                "jobs.automation and jobs.maintenance are out of range",
            )
            .hint("Use 1 to 100: so many browsers may run at once."));
        }
        if self.rate_window_s == 0 || self.attempts_max == 0 || self.timeout_s == 0 {
            return Err(Error::invalid_input(
                "jobs.rate_window_s, jobs.attempts_max and jobs.timeout_s must be at least 1",
            ));
        }
        if !(3..=3_600).contains(&self.lost_after_s) {
            return Err(Error::invalid_input("jobs.lost_after_s is out of range")
                .hint("Use 3 to 3600 seconds."));
        }
        let is_known = |url: &str| {
            let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
            ["postgres", "postgresql", "redis", "rediss"].contains(&scheme)
        };
        if !self.queue_url.is_empty() && !is_known(self.queue_url.reveal()) {
            // It may hold a password.
            return Err(
                Error::invalid_input("jobs.queue_url is no address of a database")
                    .hint("It begins with postgres://, redis:// or rediss://."),
            );
        }
        if self.backoff_s.is_empty() || self.backoff_s.len() > 20 {
            return Err(Error::invalid_input(
                "jobs.backoff_s must hold 1 to 20 pauses",
            ));
        }
        let ages = [self.held_h, self.notes_kept_h];
        if !ages.iter().all(|age| age.is_finite() && *age >= 0.0) {
            return Err(Error::invalid_input(
                "jobs.held_h and jobs.notes_kept_h must be 0 or more",
            ));
        }
        match self.kept_h.is_finite() && self.kept_h > 0.0 {
            true => Ok(()),
            false => Err(Error::invalid_input("jobs.kept_h must be more than 0")),
        }
    }
}

impl Connections {
    /// How long a login is kept that is not used.
    pub fn expire_after(&self) -> Duration {
        Duration::from_secs_f64(self.expire_after_days * DAY_S)
    }

    /// How long after its last use what is left of a login is kept.
    pub fn worthless_after(&self) -> Duration {
        self.expire_after() + Duration::from_secs_f64(self.expired_kept_days * DAY_S)
    }

    /// How long a login is left alone.
    pub fn keep_alive_after(&self) -> Duration {
        Duration::from_secs_f64(self.keep_alive_after_days * DAY_S)
    }

    /// The second of the day at which logins are looked after.
    pub fn keep_alive_second(&self) -> Option<u32> {
        let (hour, minute) = self.keep_alive_at.split_once(':')?;
        let of = |text: &str, max: u32| {
            let is_plain =
                (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
            text.parse().ok().filter(|n: &u32| is_plain && *n <= max)
        };
        Some(of(hour, 23)? * 3_600 + of(minute, 59)? * 60)
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let days = [
            self.expire_after_days,
            self.keep_alive_after_days,
            self.expired_kept_days,
        ];
        if days.iter().any(|days| !(0.0..=36_500.0).contains(days)) {
            return Err(Error::invalid_input(
                "connections.expire_after_days, keep_alive_after_days or expired_kept_days is out of range",
            )
            .hint("Use 0 to 36500 days."));
        }
        if self.keep_alive_second().is_none() {
            return Err(
                Error::invalid_input("connections.keep_alive_at is no time of a day")
                    .hint("Write it as \"03:00\"; it is UTC."),
            );
        }
        if !(60..=7 * 86_400).contains(&self.link_s) {
            return Err(Error::invalid_input("connections.link_s is out of range")
                .hint("Use 60 to 604800 seconds."));
        }
        Ok(())
    }
}

/// Platforms by name; some are known by themselves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Platforms(pub BTreeMap<String, Platform>);

impl Default for Platforms {
    fn default() -> Self {
        Self(known())
    }
}

fn known() -> BTreeMap<String, Platform> {
    let known = [
        (
            "youtube",
            "YouTube",
            "https://www.youtube.com",
            "#avatar-btn",
        ),
        ("vimeo", "Vimeo", "https://vimeo.com", ".topnav_menu_user"),
        ("air", "Air", "https://air.inc", "[data-test='user-avatar']"),
    ];
    let platform = |(name, label, url, logged_in): (&str, &str, &str, &str)| {
        let platform = Platform {
            label: label.to_owned(),
            url: url.to_owned(),
            logged_in: logged_in.to_owned(),
            ..Platform::default()
        };
        (name.to_owned(), platform)
    };
    known.map(platform).into()
}

impl Platform {
    /// Where a user logs in.
    pub fn login_url(&self) -> &str {
        match self.login_url.is_empty() {
            true => &self.url,
            false => &self.login_url,
        }
    }

    pub(super) fn check(&self, name: &str) -> Result<(), Error> {
        let wrong = |what: &str, hint: &str| {
            Err(
                Error::invalid_input(format!("platforms.{name} is not valid: {what}"))
                    .hint(hint.to_owned()),
            )
        };
        let is_clean = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if name.is_empty() || name.len() > 64 || !name.chars().all(is_clean) {
            return wrong(
                "its name cannot be one",
                "Use 1 to 64 characters of A-Z, a-z, 0-9, '_' and '-'.",
            );
        }
        let is_http = |url: &str| url.starts_with("http://") || url.starts_with("https://");
        if !is_http(&self.url) || !is_http(self.login_url()) {
            return wrong(
                "url and login_url are addresses of pages",
                "Begin them with http:// or https://.",
            );
        }
        if self.logged_in.trim().is_empty() {
            return wrong(
                "logged_in is missing",
                "Name, by a CSS selector, what only somebody sees who is logged in.",
            );
        }
        for (workflow, it) in &self.workflows {
            for (place, step) in it.steps.iter().enumerate() {
                if let Err(why) = step.check() {
                    return wrong(
                        &format!("step {} of workflows.{workflow}: {why}", place + 1),
                        "See the guide to logins and jobs for what a step can be.",
                    );
                }
            }
            let parts = [
                ("page", it.page.is_empty()),
                ("seen", it.seen.trim().is_empty()),
                ("steps", it.steps.is_empty()),
            ];
            if let Some((part, _)) = parts.iter().find(|(_, is_missing)| *is_missing) {
                return wrong(
                    &format!("workflows.{workflow} lacks {part}"),
                    "Say where it begins, what it does, and how it is seen that it is done.",
                );
            }
        }
        Ok(())
    }
}

/// By which a step asks for a person.
pub const REQUEST_HUMAN: &str = "request_human";

impl Workflow {
    /// Whether a person may be asked for in it.
    pub fn may_ask(&self) -> bool {
        self.steps.iter().any(|step| step.action == REQUEST_HUMAN)
    }
}

impl Step {
    fn check(&self) -> Result<(), String> {
        let action = self.action.as_str();
        match action {
            REQUEST_HUMAN => self.check_request(),
            "navigate" | "wait" | "execute" if !self.on.is_empty() => {
                Err(format!("{action} takes no element by \"on\""))
            }
            "navigate" | "wait" | "execute" => Ok(()),
            // Keys go to whatever has the focus.
            "press" => Ok(()),
            _ if !ON_ELEMENTS.contains(&action) => Err(format!(
                "\"{action}\" is no action of a step: use navigate, wait, execute, {}",
                ON_ELEMENTS.join(", ")
            )),
            "fill" | "type"
                if !["text", "value"]
                    .iter()
                    .any(|name| self.params.contains_key(*name)) =>
            {
                Err(format!("{action} needs \"text\" in params"))
            }
            _ if self.on.is_empty() => Err(format!("{action} needs an element, by \"on\"")),
            _ => Ok(()),
        }
    }

    fn check_request(&self) -> Result<(), String> {
        let reason = self.params.get("reason").and_then(Value::as_str);
        if reason.is_none_or(|reason| reason.trim().is_empty()) {
            return Err("request_human needs \"reason\" in params".to_owned());
        }
        if self
            .params
            .get("private")
            .is_some_and(|it| !it.is_boolean())
        {
            return Err("\"private\" of request_human is true or false".to_owned());
        }
        let is_other = |on: &String| on.starts_with("text=") || on.starts_with("role=");
        match self.effect || self.on.iter().any(is_other) {
            true => Err("request_human has no effect, and takes CSS selectors alone".to_owned()),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_the_day_is_read() {
        let second = |at: &str| {
            let connections = Connections {
                keep_alive_at: at.to_owned(),
                ..Connections::default()
            };
            connections.keep_alive_second()
        };
        assert_eq!(second("03:00"), Some(10_800));
        assert_eq!(second("23:59"), Some(86_340));
        for wrong in ["24:00", "3", "03:60", "+3:00", "03:00:00", "", "a:b"] {
            assert_eq!(second(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_platforms_that_are_known_are_whole() {
        for (name, platform) in known() {
            platform.check(&name).unwrap();
        }
        let mut platform = known().remove("air").unwrap();
        platform.workflows.insert(
            "post_note".to_owned(),
            Workflow {
                page: "${video_url}".to_owned(),
                seen: "null".to_owned(),
                steps: vec![Step {
                    action: "click".to_owned(),
                    ..Step::default()
                }],
                ..Workflow::default()
            },
        );
        let error = platform.check("air").unwrap_err();
        assert!(error.message.contains("step 1"), "{error}");
        let ask = |params: Value| {
            let step = Step {
                action: REQUEST_HUMAN.to_owned(),
                params: params.as_object().cloned().unwrap_or_default(),
                ..Step::default()
            };
            step.check()
        };
        assert!(ask(serde_json::json!({})).is_err());
        assert!(ask(serde_json::json!({"reason": "Solve it", "private": 1})).is_err());
        ask(serde_json::json!({"reason": "Solve it", "private": true})).unwrap();
    }
}
