//! Whether a service that says where it is found outside can be found there.

use super::{Config, Server};

impl Config {
    /// What is likely to be wrong with a service that has an address outside and listens inside only; `None`
    /// where the operator shows to know of it.
    pub fn unreachable_outside(&self) -> Option<String> {
        let Server {
            listen, public_url, ..
        } = &self.server;
        let public = url::Url::parse(public_url).ok()?;
        let is_elsewhere = match public.host()? {
            url::Host::Domain(name) => name != "localhost" && !name.ends_with(".localhost"),
            url::Host::Ipv4(ip) => !ip.is_loopback(),
            url::Host::Ipv6(ip) => !ip.is_loopback(),
        };
        let is_likely = listen.ip().is_loopback() && is_elsewhere && self.rtc.hosts.is_empty();
        is_likely.then(|| {
            format!(
                "server.public_url is {public_url}, and the service listens on {listen} only: a proxy on this \
                 very machine has to pass requests on, and viewers elsewhere get no video over WHEP. For a \
                 proxy on another machine set server.listen and server.token; for WHEP set rtc.hosts to the \
                 addresses by which viewers reach this machine."
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_outside_that_leads_nowhere_is_told() {
        let mut config = Config::default();
        let told = |config: &Config| config.unreachable_outside().is_some();
        assert!(!told(&config));
        config.server.public_url = "https://browser.example.com".to_owned();
        let warning = config.unreachable_outside().unwrap();
        assert!(warning.contains("server.listen") && warning.contains("rtc.hosts"));
        config.server.public_url = "http://127.0.0.1:80".to_owned();
        assert!(!told(&config));
        config.server.public_url = "https://192.0.2.7".to_owned();
        assert!(told(&config));
        config.rtc.hosts = vec!["192.0.2.7".parse().unwrap()];
        assert!(!told(&config));
        config.rtc.hosts.clear();
        config.server.listen = "0.0.0.0:8765".parse().unwrap();
        assert!(!told(&config));
    }
}
