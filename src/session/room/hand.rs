//! What the driver does on the page: one message after the other, beside the door.

use std::collections::VecDeque;

use futures::future::BoxFuture;
use tokio::sync::oneshot;

use crate::error::Error;
use crate::model::hand::Deed;
use crate::publish::livekit::count_message;

/// Messages that may wait for those before them.
const WAITING_MAX: usize = 256;

/// How many things were done, or why it was not all.
pub(super) type Done = Result<usize, Error>;

/// The hand of one driver. Without it, what waits is not done.
#[derive(Default)]
pub(super) struct Hand {
    waiting: VecDeque<Task>,
    doing: Option<Doing>,
}

/// What comes in its turn.
enum Task {
    /// A message, and who waits for what comes of it; nobody where it is data.
    Deeds(Vec<Deed>, Option<oneshot::Sender<Done>>),
    /// Something that is done elsewhere, after all that came before.
    Elsewhere(oneshot::Sender<()>),
}

/// What is being done.
struct Doing {
    work: BoxFuture<'static, Done>,
    caller: Option<oneshot::Sender<Done>>,
}

impl Hand {
    /// Puts a message behind the others.
    pub(super) fn push(
        &mut self,
        deeds: Vec<Deed>,
        caller: Option<oneshot::Sender<Done>>,
    ) -> Result<(), Error> {
        if self.waiting.len() >= WAITING_MAX {
            return Err(Error::exhausted("too much waits to be done on the page")
                .hint("Wait a moment, and send less at once."));
        }
        self.waiting.push_back(Task::Deeds(deeds, caller));
        Ok(())
    }

    /// Something that is done elsewhere waits for its turn by this; nothing where it has come. It fails where
    /// the driver drives no more.
    pub(super) fn turn(&mut self) -> Option<oneshot::Receiver<()>> {
        if self.doing.is_none() && self.waiting.is_empty() {
            return None;
        }
        let (come, turn) = oneshot::channel();
        self.waiting.push_back(Task::Elsewhere(come));
        Some(turn)
    }

    /// Does what waits, by `act`; answers what has come of one message that is answered by nothing else. Safe
    /// to cancel.
    pub(super) async fn next(
        &mut self,
        act: impl Fn(Vec<Deed>) -> BoxFuture<'static, Done>,
    ) -> Done {
        loop {
            if let Some(doing) = &mut self.doing {
                let done = doing.work.as_mut().await;
                let caller = self.doing.take().and_then(|doing| doing.caller);
                match caller {
                    // One that waits no more is told nothing.
                    Some(caller) => drop(caller.send(done)),
                    None => return done,
                }
            }
            match self.waiting.pop_front() {
                Some(Task::Deeds(deeds, caller)) => {
                    let work = act(deeds);
                    self.doing = Some(Doing { work, caller });
                }
                Some(Task::Elsewhere(come)) => drop(come.send(())),
                None => std::future::pending().await,
            }
        }
    }
}

impl Drop for Hand {
    /// What was data is counted; callers hear by their own ends of it.
    fn drop(&mut self) {
        let is_data = |task: &&Task| matches!(task, Task::Deeds(_, None));
        let waiting = self.waiting.iter().filter(is_data).count();
        let doing = self.doing.iter().filter(|it| it.caller.is_none()).count();
        for _ in 0..waiting + doing {
            count_message("not_driving");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures::FutureExt;
    use tokio::sync::Semaphore;

    use super::*;

    fn text(text: &str) -> Vec<Deed> {
        vec![Deed::Text {
            text: text.to_owned(),
        }]
    }

    #[tokio::test]
    async fn one_comes_after_the_other_and_nothing_after_the_driver() {
        let gate = Arc::new(Semaphore::new(0));
        let done = Arc::new(Mutex::new(Vec::new()));
        let act = |deeds: Vec<Deed>| {
            let (gate, done) = (Arc::clone(&gate), Arc::clone(&done));
            async move {
                gate.acquire().await.unwrap().forget();
                let count = deeds.len();
                done.lock().unwrap().extend(deeds);
                Ok(count)
            }
            .boxed()
        };
        let mut hand = Hand::default();
        assert!(hand.turn().is_none(), "nothing is before it");
        let (caller, mut answer) = oneshot::channel();
        hand.push(text("one"), None).unwrap();
        hand.push(text("two"), Some(caller)).unwrap();
        let mut turn = hand.turn().unwrap();
        hand.push(text("three"), None).unwrap();
        let (caller, mut unanswered) = oneshot::channel();
        hand.push(text("four"), Some(caller)).unwrap();
        let mut never = hand.turn().unwrap();

        assert!(hand.next(act).now_or_never().is_none(), "it is under way");
        gate.add_permits(1);
        assert_eq!(hand.next(act).now_or_never().unwrap().unwrap(), 1);
        assert!(hand.next(act).now_or_never().is_none());
        assert!(answer.try_recv().is_err() && turn.try_recv().is_err());
        gate.add_permits(1);
        assert!(hand.next(act).now_or_never().is_none(), "a caller is told");
        assert_eq!(answer.try_recv().unwrap().unwrap(), 1);
        turn.try_recv().unwrap();
        drop(hand);
        gate.add_permits(9);
        assert!(unanswered.try_recv().is_err() && never.try_recv().is_err());
        assert!(*done.lock().unwrap() == [text("one"), text("two")].concat());
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let mut hand = Hand::default();
        for _ in 0..WAITING_MAX {
            hand.push(text("x"), None).unwrap();
        }
        let error = hand.push(text("x"), None).unwrap_err();
        assert_eq!(error.kind, crate::error::ErrorKind::Exhausted);
    }
}
