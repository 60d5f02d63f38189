//! Where what was dragged stands afterwards: a page that was dragged on and changed something may have
//! left it where it was.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::super::sight::Known;
use super::Done;
use super::aim::in_words;
use crate::model::outcome::{Change, EffectKind};

/// How long a page may take to note or to tell it; animations have a part of it.
const TOLD_WITHIN: Duration = Duration::from_millis(800);

/// A thing that stands beside, or around.
#[derive(Debug, Deserialize)]
struct Named {
    role: String,
    name: String,
}

/// What `standing` of our scripts answers.
#[derive(Debug, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum Standing {
    /// Among others than before.
    Elsewhere {
        what: Option<Named>,
        after: Option<Named>,
        before: Option<Named>,
        into: Option<Named>,
    },
    /// By so many CSS px, within what it is in.
    Moved {
        what: Option<Named>,
        right: i64,
        down: i64,
    },
    Same {
        what: Option<Named>,
    },
}

/// From now on, where the element goes can be told.
pub(super) async fn note(known: &Known) {
    // A document that cannot note it tells nothing of it later.
    let noted = known
        .frame
        .call::<Value>("noteStanding", json!([known.node]));
    let _ = timeout(TOLD_WITHIN, noted).await;
}

/// Tells where the element stands, if that can be told. Whether a drag did what it was for is not known
/// where it left everything in its place.
pub(super) async fn tell(known: &Known, done: &mut Done) {
    let standing = known.frame.call::<Option<Standing>>("standing", json!([]));
    // A page that is too busy by now tells nothing.
    let standing = timeout(TOLD_WITHIN, standing).await;
    let Some(standing) = standing.ok().and_then(Result::ok).flatten() else {
        return;
    };
    let weak = matches!(done.effect.kind, EffectKind::Page | EffectKind::Focus);
    if weak && matches!(standing, Standing::Same { .. }) {
        done.effect.verified = None;
    }
    let (kind, text) = standing.in_words();
    done.changes.push(Change {
        kind: kind.to_owned(),
        text,
        index: done.target.as_ref().and_then(|struck| struck.index),
    });
}

impl Standing {
    fn in_words(&self) -> (&'static str, String) {
        let named = |named: &Option<Named>| {
            let named = named.as_ref();
            named.map_or("it".to_owned(), |it| in_words(&it.role, &it.name))
        };
        let first = |what| {
            let what = named(what);
            let (the, rest) = what.split_at(1);
            the.to_uppercase() + rest
        };
        match self {
            Self::Same { what } => (
                "not_moved",
                format!("{} stands where it stood before.", first(what)),
            ),
            Self::Moved { what, right, down } => {
                let x = (*right != 0).then(|| side(*right, ["further right", "further left"]));
                let y = (*down != 0).then(|| side(*down, ["further down", "further up"]));
                let way: Vec<_> = x.into_iter().chain(y).collect();
                let way = way.join(" and ");
                ("moved", format!("{} lies {way} than before.", first(what)))
            }
            Self::Elsewhere {
                what,
                after,
                before,
                into,
            } => {
                let place = match (after, before) {
                    (Some(_), Some(_)) => {
                        format!(" between {} and {}", named(after), named(before))
                    }
                    (Some(_), None) => format!(" after {} as the last", named(after)),
                    (None, Some(_)) => format!(" before {} as the first", named(before)),
                    (None, None) => " alone".to_owned(),
                };
                let into = match into {
                    Some(_) => format!(" in {}", named(into)),
                    None => String::new(),
                };
                let text = format!("{} stands{place}{into} now.", first(what));
                ("moved", text)
            }
        }
    }
}

fn side(by: i64, [more, less]: [&str; 2]) -> String {
    format!("{} px {}", by.abs(), if by > 0 { more } else { less })
}
