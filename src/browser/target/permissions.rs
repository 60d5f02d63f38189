//! What pages ask a person's permission for: their place, notifications, a camera or a microphone.
//!
//! A browser without windows of its own asks nobody and refuses at once. So a page's asking is held by our script
//! until the person who drives has answered, which is written into the browser's own settings of the page's site;
//! then the page is let go on, and hears what the browser says. Where nobody drives it is let go on at once.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use chromiumoxide_cdp::cdp::browser_protocol::browser::{
    PermissionDescriptor, PermissionSetting, SetPermissionParams,
};
use chromiumoxide_cdp::cdp::js_protocol::runtime::EventBindingCalled;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, timeout_at};
use url::Url;

use super::super::error::Error;
use super::offers::{Offers, Opened};
use super::shared::Shared;
use super::{Frame, Ground, PageEvent, TabEvent};
use crate::model::offer::{Offered, Permission, PermissionAnswer, PermissionAsked};

/// What nobody answers is refused after this, as if nobody had been asked.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether the page that asks is still there.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What our script says.
#[derive(Debug, Deserialize)]
struct Asked {
    number: u64,
    names: Vec<Permission>,
}

impl Offers {
    /// A person drives, privately or not, or does so no more: then what a page asks for is refused.
    pub fn set_driven(&self, is_driven: bool, is_private: bool) {
        self.is_driven.store(is_driven, Ordering::Relaxed);
        self.is_private.store(is_private, Ordering::Relaxed);
        if !is_driven {
            self.last
                .send_if_modified(|last| last.take_if(|it| it.asks().is_some()).is_some());
        }
    }

    /// Answers what a page asks permission for. It goes on then, so that what it hears has to be the browser's
    /// before.
    pub(in crate::browser) fn answer(&self, number: u64, answer: PermissionAnswer) {
        if self.opened(number).is_some() {
            self.answers().insert(number, answer);
            drop(self.take(number));
        }
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<u64, PermissionAnswer>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the person who drives, and tells `news` what is answered; lets the page go on then.
    pub(super) fn hear_permission(
        self: &Arc<Self>,
        (tab, shared): (u32, &Arc<Shared>),
        frames: Vec<Frame>,
        session: Option<&str>,
        event: &EventBindingCalled,
        news: mpsc::Sender<TabEvent>,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        let asked: Asked = serde_json::from_str(&event.payload).ok()?;
        let mut frames = frames.into_iter();
        let frame = frames.find(|frame| frame.is_in(session, &event.execution_context_id))?;
        let (offers, shared) = (Arc::clone(self), Arc::clone(shared));
        Some(async move {
            let site = site(frame.url());
            if offers.is_driven.load(Ordering::Relaxed)
                && let Some(site) = site
            {
                let offered = Offered::Permission {
                    site: site.clone(),
                    permissions: asked.names.clone(),
                };
                let offered = (asked.number, offered);
                let was_private = offers.is_private.load(Ordering::Relaxed);
                let answer = offers.ask((tab, &shared), &frame, offered).await;
                tracing::info!(
                    permissions = ?asked.names,
                    answer = answer.as_str(),
                    "a person was asked for permission"
                );
                let event = PageEvent::Permission(PermissionAsked {
                    site,
                    permissions: asked.names,
                    answer,
                });
                // What is asked privately is told nobody, nor when it is private no more.
                if !was_private && !offers.is_private.load(Ordering::Relaxed) {
                    // A session that ends hears of nothing more.
                    let _ = news.send(TabEvent { tab, event }).await;
                }
            }
            frame.tell("letGoOn", &json!([asked.number]));
        })
    }

    /// Waits until it is answered, or will not be any more.
    async fn ask(
        &self,
        (tab, shared): (u32, &Shared),
        frame: &Frame,
        (name, offered): (u64, Offered),
    ) -> PermissionAnswer {
        let deadline = Instant::now() + PATIENCE;
        let mut last = self.last.subscribe();
        let Ok(_turn) = timeout_at(deadline, self.turn.lock()).await else {
            return PermissionAnswer::Left;
        };
        if !self.is_driven.load(Ordering::Relaxed) {
            return PermissionAnswer::Left;
        }
        let document = frame.document();
        let number = self.open(tab, document, name, offered);
        let is_over =
            |last: &Option<Opened>| last.as_ref().is_none_or(|it| it.offer.number != number);
        let mut looks = interval(LOOK_EVERY);
        loop {
            tokio::select! {
                // Somebody has answered, or nobody has.
                () = async { drop(timeout_at(deadline, last.wait_for(is_over)).await) } => break,
                _ = looks.tick() => {
                    let frames = shared.frames();
                    if frames.frame(frame.id().inner()).is_none_or(|it| it.document() != document) {
                        break;
                    }
                }
            }
        }
        drop(self.take(number));
        let answer = self.answers().remove(&number);
        answer.unwrap_or(PermissionAnswer::Left)
    }
}

impl Opened {
    /// What it asks permission for, if it does.
    pub(in crate::browser) fn asks(&self) -> Option<&[Permission]> {
        match &self.offer.offered {
            Offered::Permission { permissions, .. } => Some(permissions),
            Offered::List { .. } | Offered::Files { .. } => None,
        }
    }
}

impl Ground {
    /// Writes into the browser's settings what a person has answered to the page at this address.
    pub(in crate::browser) async fn permit(
        &self,
        url: &str,
        asked: &[Permission],
        answer: PermissionAnswer,
    ) -> Result<(), Error> {
        const OPERATION: &str = "note a person's permission";
        let Some(origin) = origin(url) else {
            return Ok(());
        };
        let setting = match answer {
            PermissionAnswer::Granted => PermissionSetting::Granted,
            PermissionAnswer::Denied => PermissionSetting::Denied,
            PermissionAnswer::Left => return Ok(()),
        };
        let process = self.process()?;
        for permission in asked {
            let params = SetPermissionParams::builder()
                .permission(PermissionDescriptor::new(permission.as_str()))
                .setting(setting.clone())
                .origin(origin.clone())
                .browser_context_id(self.context.clone())
                .build()
                .map_err(Error::builder(OPERATION))?;
            process.browser().execute(OPERATION, params).await?;
        }
        Ok(())
    }
}

/// The origin of an address, where it has one that permissions are given to.
fn origin(url: &str) -> Option<String> {
    let origin = Url::parse(url).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

/// What a person is told of who asks.
fn site(url: &str) -> Option<String> {
    origin(url)?;
    let url = Url::parse(url).ok()?;
    let host = url.host_str()?;
    Some(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_is_told_by_its_host() {
        for (url, told) in [
            ("https://example.com/a?secret=1", Some("example.com")),
            ("http://localhost:8080/", Some("localhost:8080")),
            ("about:blank", None),
            ("data:text/html,x", None),
            ("file:///etc/hosts", None),
        ] {
            assert_eq!(site(url).as_deref(), told, "{url}");
        }
        assert_eq!(
            origin("https://example.com:443/a").as_deref(),
            Some("https://example.com")
        );
    }
}
