//! Origins that a secret may be typed into.
//!
//! `https://shop.example.com` is that origin, `https://*.example.com` every subdomain of the domain, and
//! not the domain itself; a port that is the scheme's own may be left out, and so may `https://`.

use url::{Origin as UrlOrigin, Url};

use super::allowlist::canonical_host;
use super::patterns::{Hosts, Pattern};
use crate::error::Error;

/// Origins of one secret.
pub const COUNT_MAX: usize = 32;

/// The origins that a secret may be typed into; the default is any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(Vec<Origin>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    scheme: &'static str,
    hosts: Hosts,
    port: u16,
}

impl Origins {
    /// Parses a list; an empty one is refused, since it would be no bound at all.
    pub fn parse(texts: &[String]) -> Result<Self, Error> {
        if texts.is_empty() || texts.len() > COUNT_MAX {
            return Err(
                Error::invalid_input("the origins of a secret are none, or too many").hint(
                    format!("Name 1 to {COUNT_MAX}, or leave origins out for any page."),
                ),
            );
        }
        let parse = |text: &String| {
            Origin::parse(text.trim()).ok_or_else(|| {
                let shown: String = text.chars().take(100).collect();
                Error::invalid_input(format!("{shown:?} is not an origin of a secret"))
                    .hint("Write it as https://shop.example.com or https://*.example.com.")
            })
        };
        texts.iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a page of this URL or origin is among them. A page without an origin of its own
    /// (`data:`, `about:blank`) is only where any page is.
    pub fn permit(&self, page: Option<&str>) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let Some(UrlOrigin::Tuple(scheme, host, port)) = page
            .and_then(|page| Url::parse(page).ok())
            .map(|url| url.origin())
        else {
            return false;
        };
        let host = canonical_host(&host.to_string()).map(|host| host.to_string());
        host.is_some_and(|host| {
            self.0.iter().any(|origin| {
                origin.scheme == scheme && origin.port == port && origin.hosts.has(&host)
            })
        })
    }
}

impl Origin {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
        let (scheme, own_port) = match scheme.to_ascii_lowercase().as_str() {
            "https" => ("https", 443),
            "http" => ("http", 80),
            _ => return None,
        };
        let Pattern { hosts, port } = Pattern::parse(rest).ok()?;
        (hosts != Hosts::All && !rest.contains("://")).then(|| Self {
            scheme,
            hosts,
            port: port.unwrap_or(own_port),
        })
    }
}

impl std::fmt::Display for Origins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, origin) in self.0.iter().enumerate() {
            let Origin {
                scheme,
                hosts,
                port,
            } = origin;
            let separator = if place == 0 { "" } else { ", " };
            let is_own = matches!((*scheme, port), ("https", 443) | ("http", 80));
            let pattern = Pattern {
                hosts: hosts.clone(),
                port: (!is_own).then_some(*port),
            };
            write!(f, "{separator}{scheme}://{pattern}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(texts: &[&str]) -> Result<Origins, Error> {
        let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
        Origins::parse(&texts)
    }

    #[test]
    fn only_pages_of_the_origins_are_permitted() {
        let shop = origins(&["https://Shop.test", "http://*.local.test:8080", "[::1]:9"]).unwrap();
        assert_eq!(
            shop.to_string(),
            "https://shop.test, http://*.local.test:8080, https://[::1]:9"
        );
        for (page, expected) in [
            ("https://shop.test/login?x#y", true),
            ("https://shop.test:443", true),
            ("https://SHOP.test./", true),
            ("blob:https://shop.test/5c", true),
            ("https://[::1]:9/", true),
            ("http://a.local.test:8080/", true),
            ("http://shop.test/", false),
            ("https://shop.test:8443/", false),
            ("https://www.shop.test/", false),
            ("https://shop.test.evil.test/", false),
            ("https://shop.test@evil.test/", false),
            ("https://evil.test/https://shop.test/", false),
            ("http://local.test:8080/", false),
            ("http://badlocal.test:8080/", false),
            ("http://a.local.test/", false),
            ("data:text/html,https://shop.test", false),
            ("about:blank", false),
            ("", false),
        ] {
            assert_eq!(shop.permit(Some(page)), expected, "{page}");
        }
        assert!(!shop.permit(None));
        assert!(Origins::default().permit(None) && Origins::default().permit(Some("data:,")));
    }

    #[test]
    fn what_is_no_origin_is_named() {
        for text in [
            "",
            "*",
            "https://*",
            "ftp://a.test",
            "https://a.test/path",
            "https://https://a",
        ] {
            let error = origins(&["https://a.test", text]).unwrap_err();
            assert!(error.message.contains(&format!("{text:?}")), "{error}");
        }
        assert!(origins(&[]).is_err());
    }
}
