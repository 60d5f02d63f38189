//! What sites know a session's browser by, to be taken out and put in as one piece.

use chromiumoxide_cdp::cdp::browser_protocol::network::{
    Cookie, CookieParam, CookieSameSite, TimeSinceEpoch,
};
use chromiumoxide_cdp::cdp::browser_protocol::storage::SetCookiesParams;

use super::super::error::Error;
use super::Lease;
use super::jar;
use super::process::Process;
use super::storage::{self, Given, Items};
use crate::error::Error as Refusal;
use crate::model::StorageState;
use crate::model::storage_state::{OriginState, SameSite, StoredCookie};

impl Lease {
    /// Gives the browser cookies and what pages have stored, before its first page. A login that is kept gives
    /// way only to what a browser takes whole.
    pub async fn put_state(&self, state: &StorageState) -> Result<(), Refusal> {
        if self.kept.is_some() && self.far.is_none() {
            let trial = self.process.create_closed_context().await?;
            let tried = self.put_into(&trial, state).await;
            self.process.dispose_context(&trial).await;
            tried?;
        }
        if let Some(kept) = &self.kept {
            kept.jar.remember(state.origins.iter().map(items).collect());
        }
        self.put_into(&self.context, state).await
    }

    async fn put_into(&self, context: &str, state: &StorageState) -> Result<(), Refusal> {
        let browser = self.process.browser();
        for cookie in &state.cookies {
            let mut one = SetCookiesParams::new(vec![param(cookie)]);
            one.browser_context_id = Some(context.to_owned().into());
            let set = browser.execute("put a cookie in", one).await;
            set.map_err(|error| {
                let name: String = cookie.name.chars().take(64).collect();
                Refusal::unprocessable(format!(
                    "Chromium refuses the cookie \"{name}\" of storage_state for {}",
                    cookie.domain
                ))
                .hint("Check its domain, its path and whether it is secure.")
                .source(error)
            })?;
        }
        let items: Vec<(String, Items)> = state.origins.iter().map(items).collect();
        let given = state.origins.iter().zip(&items).map(|(state, (_, items))| {
            let databases = Some(state.indexed_db.as_slice());
            (state.origin.as_str(), Given { items, databases })
        });
        let left = storage::put(&self.process, context, &given.collect()).await?;
        match left.first() {
            None => Ok(()),
            Some((origin, why)) => Err(Refusal::unprocessable(format!(
                "what storage_state has of {origin} could not be put in: {why}"
            ))
            .hint("It may be larger than a browser permits, or its databases are not as they were told.")),
        }
    }
}

/// The cookies of a context.
pub(in crate::browser) async fn cookies(
    process: &Process,
    context: &str,
) -> Result<Vec<StoredCookie>, Error> {
    let cookies = jar::cookies(process, context).await?;
    Ok(cookies.into_iter().map(stored).collect())
}

fn items(state: &OriginState) -> (String, Items) {
    let items = state.local_storage.iter();
    let items = items.map(|item| (item.name.clone(), item.value.clone().into()));
    (state.origin.clone(), items.collect())
}

fn stored(cookie: Cookie) -> StoredCookie {
    StoredCookie {
        name: cookie.name,
        value: cookie.value,
        domain: cookie.domain,
        path: cookie.path,
        expires: match cookie.session {
            true => -1.0,
            false => cookie.expires,
        },
        http_only: cookie.http_only,
        secure: cookie.secure,
        same_site: match cookie.same_site {
            Some(CookieSameSite::Strict) => SameSite::Strict,
            Some(CookieSameSite::None) => SameSite::None,
            Some(CookieSameSite::Lax) | None => SameSite::Lax,
        },
    }
}

/// A cookie as it is set. One of a single host has no domain, but an address.
fn param(cookie: &StoredCookie) -> CookieParam {
    let mut param = CookieParam::new(cookie.name.clone(), cookie.value.clone());
    if cookie.domain.starts_with('.') {
        param.domain = Some(cookie.domain.clone());
    } else {
        param.url = Some(jar::address(cookie.secure, &cookie.domain, &cookie.path));
    }
    param.path = Some(cookie.path.clone());
    param.secure = Some(cookie.secure);
    param.http_only = Some(cookie.http_only);
    param.same_site = Some(match cookie.same_site {
        SameSite::Strict => CookieSameSite::Strict,
        SameSite::Lax => CookieSameSite::Lax,
        SameSite::None => CookieSameSite::None,
    });
    param.expires = (cookie.expires >= 0.0).then(|| TimeSinceEpoch::new(cookie.expires));
    param
}
