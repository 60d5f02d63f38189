//! What all in the room are told when it changes.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::livekit::conventions;
use crate::livekit::data::Told;
use crate::publish::livekit::Talk;

/// What has not gone out is told again after this.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Where the page is, and who drives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) url: String,
    /// What the room knows them by, and what they are called.
    pub(super) driver: Option<(Option<String>, String)>,
}

/// Tells it.
pub(super) struct News {
    talk: Talk,
    /// What has gone out last.
    told: Known,
    /// What is on its way; nothing comes of it where it has not gone out.
    telling: Option<BoxFuture<'static, Option<Known>>>,
}

impl News {
    /// Whoever comes later has it from the attributes: only what changes from now on is news.
    pub(super) fn since(known: Known, talk: Talk) -> Self {
        Self {
            talk,
            told: known,
            telling: None,
        }
    }

    /// Tells what is new in it, unless something is on its way still.
    pub(super) fn tell(&mut self, known: Known) {
        if self.telling.is_some() || known == self.told {
            return;
        }
        let mut messages = Vec::new();
        if known.url != self.told.url {
            let url = json!({ "url": known.url });
            messages.push(self.send(conventions::TOPIC_URL, &url));
        }
        if known.driver != self.told.driver {
            let (identity, who) = known.driver.clone().unzip();
            let focus = json!({ "identity": identity.flatten(), "who": who });
            messages.push(self.send(conventions::TOPIC_FOCUS, &focus));
        }
        let telling = async move {
            let mut have_gone_out = true;
            for message in messages {
                have_gone_out &= message.await;
            }
            if !have_gone_out {
                sleep(AGAIN_AFTER).await;
            }
            have_gone_out.then_some(known)
        };
        self.telling = Some(telling.boxed());
    }

    /// Waits until what is on its way has gone out, or may be told again. Safe to cancel.
    pub(super) async fn told(&mut self) {
        let Some(telling) = &mut self.telling else {
            return std::future::pending().await;
        };
        let told = telling.await;
        self.telling = None;
        self.told = told.unwrap_or_else(|| std::mem::take(&mut self.told));
    }

    fn send(&self, topic: &'static str, payload: &Value) -> BoxFuture<'static, bool> {
        let payload = payload.to_string();
        self.talk.tell(Told::Data { topic, payload }).boxed()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::rtc::Command;

    fn at(url: &str) -> Known {
        Known {
            url: url.to_owned(),
            driver: None,
        }
    }

    /// Waits for what is told, which goes out or does not.
    async fn sent(news: &mut News, commands: &mut mpsc::Receiver<Command>, goes_out: bool) {
        let Some(Command::Send { message, sent }) = commands.recv().await else {
            panic!("nothing is told");
        };
        assert!(!message.is_empty());
        if goes_out {
            sent.send(()).unwrap();
        } else {
            drop(sent);
        }
        news.told().await;
    }

    #[tokio::test]
    async fn what_has_not_gone_out_is_told_again() {
        let (line, mut commands) = mpsc::channel(8);
        let mut news = News::since(at("a"), Talk::by(line));
        news.tell(at("a"));
        assert!(commands.try_recv().is_err(), "it is no news");
        for goes_out in [false, true] {
            news.tell(at("b"));
            sent(&mut news, &mut commands, goes_out).await;
        }
        news.tell(at("b"));
        assert!(commands.try_recv().is_err(), "it has gone out");
        news.tell(at("c"));
        news.tell(at("d"));
        sent(&mut news, &mut commands, true).await;
        news.tell(at("d"));
        sent(&mut news, &mut commands, true).await;
        assert!(
            news.told().now_or_never().is_none(),
            "nothing is on its way"
        );
    }

    #[tokio::test]
    async fn what_no_connection_takes_is_told_by_the_next_one() {
        let (line, mut commands) = mpsc::channel(1);
        let talk = Talk::by(line.clone());
        let mut news = News::since(at("a"), talk);
        let filler = tokio::sync::oneshot::channel().0;
        let filler = Command::Send {
            message: Vec::new(),
            sent: filler,
        };
        line.try_send(filler).unwrap();
        news.tell(at("b"));
        news.told().await;
        commands.try_recv().unwrap();
        assert!(commands.try_recv().is_err(), "it found no place");
        news.tell(at("b"));
        sent(&mut news, &mut commands, true).await;
    }
}
