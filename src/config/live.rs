//! [`Live`]: settings that are read again while the service runs.

use std::sync::{Arc, PoisonError, RwLock};

use super::Config;

/// The settings as they are now. Cheap to clone; all clones see a change.
#[derive(Debug, Clone)]
pub struct Live(Arc<RwLock<Arc<Config>>>);

/// What became of settings that were read again, as keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Those that hold from now on.
    pub changed: Vec<String>,
    /// Those that hold after a restart.
    pub waiting: Vec<String>,
}

/// Sections of which every key can be read again.
const SECTIONS: [&str; 2] = ["bridge", "session"];
/// Further keys that can.
const KEYS: [&str; 6] = [
    "browser.memory_bytes_max",
    "browser.renderer_bytes_max",
    "log.level",
    "rtc.viewers_max",
    "server.token",
    "server.tokens_file",
];

impl Live {
    /// Settings as they were read at the start.
    pub fn new(config: Arc<Config>) -> Self {
        Self(Arc::new(RwLock::new(config)))
    }

    /// The settings now.
    pub fn now(&self) -> Arc<Config> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes what can be taken of settings that were read again, and tells of all that differ.
    pub fn take(&self, read: &Config) -> Reloaded {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut reloaded = Reloaded::default();
        for key in differing(&held, read) {
            let section = key.split('.').next().unwrap_or_default();
            match SECTIONS.contains(&section) || KEYS.contains(&key.as_str()) {
                true => reloaded.changed.push(key),
                false => reloaded.waiting.push(key),
            }
        }
        let mut config = Config::clone(&held);
        config.bridge = read.bridge.clone();
        config.session = read.session.clone();
        config.log.level.clone_from(&read.log.level);
        config.browser.memory_bytes_max = read.browser.memory_bytes_max;
        config.browser.renderer_bytes_max = read.browser.renderer_bytes_max;
        config.rtc.viewers_max = read.rtc.viewers_max;
        config.server.token = read.server.token.clone();
        config
            .server
            .tokens_file
            .clone_from(&read.server.tokens_file);
        *held = Arc::new(config);
        reloaded
    }
}

/// The keys whose values are not the same.
fn differing(held: &Config, read: &Config) -> Vec<String> {
    let of = |config: &Config| serde_json::to_value(config).unwrap_or_default();
    let (held, read) = (of(held), of(read));
    let sections = held.as_object().into_iter().flatten();
    let keys = sections.flat_map(|(section, keys)| {
        let read = &read;
        let keys = keys.as_object().into_iter().flatten();
        keys.filter(move |(key, value)| read[section][key.as_str()] != **value)
            .map(move |(key, _)| format!("{section}.{key}"))
    });
    keys.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_again_holds_and_the_rest_is_named() {
        let live = Live::new(Arc::default());
        let seen = live.clone();
        let mut read = Config::default();
        read.session.count_max = 3;
        read.log.level = "debug".to_owned();
        read.server.token = "a token of some length".to_owned().into();
        read.events.queue_max = 7;
        let reloaded = live.take(&read);
        assert_eq!(
            reloaded.changed,
            ["log.level", "server.token", "session.count_max"]
        );
        assert_eq!(reloaded.waiting, ["events.queue_max"]);
        assert_eq!(seen.now().session.count_max, 3);
        assert_eq!(
            seen.now().events.queue_max,
            Config::default().events.queue_max
        );
        assert_eq!(live.take(&read).changed, Vec::<String>::new());
    }

    #[test]
    fn every_key_that_is_said_to_be_read_again_is_taken() {
        let live = Live::new(Arc::default());
        let mut read = Config::default();
        read.bridge.command = vec!["worker".to_owned()];
        read.session.fps = 7;
        read.log.level = "trace".to_owned();
        read.rtc.viewers_max = 1;
        read.server.token = "a token of some length".to_owned().into();
        read.server.tokens_file = "/tokens".into();
        assert!(live.take(&read).waiting.is_empty());
        assert_eq!(*live.now(), read);
    }
}
