//! How the element of a step is found: one locator after the other, from the surest to the boldest.
//! What a bolder one chose is told in the log.

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::login;
use super::template::filled;
use super::workflow::{Work, wrong};
use crate::config::Step;
use crate::error::{Error, ErrorKind};
use crate::model::command::ActionRequest;
use crate::model::{JobError, JobErrorKind};
use crate::session::{Interaction, Meant, likely, on_index};

/// An element of a step is waited for so long, if nothing else is said, milliseconds.
const ELEMENT_MS: u64 = 10_000;
/// Likewise by each further selector.
const FURTHER_ELEMENT_MS: u64 = 1_000;
/// What text can be put into.
const FIELDS: [&str; 4] = ["textbox", "searchbox", "combobox", "spinbutton"];

/// What is sought: the element of a step.
pub(super) struct Sought<'a> {
    pub(super) work: &'a Work<'a>,
    pub(super) step: &'a Step,
    /// The step's selectors, filled.
    on: Vec<String>,
    /// What it is, filled.
    about: String,
    params: Map<String, Value>,
}

/// What a locator found.
enum Found {
    /// The action, on the element; how it was found, where that is worth a word.
    It(ActionRequest, Option<String>),
    /// Nothing.
    Missing(JobError),
}

/// A way to find the element of a step.
trait Locator: Sync {
    fn locate<'a>(&'a self, sought: &'a Sought<'a>) -> BoxFuture<'a, Result<Found, JobError>>;
}

/// From the surest to the boldest.
const LOCATORS: [&dyn Locator; 3] = [&Selectors, &Likeness, &Model];

impl<'a> Sought<'a> {
    pub(super) fn new(
        work: &'a Work<'a>,
        step: &'a Step,
        params: Map<String, Value>,
    ) -> Result<Self, JobError> {
        let on = step.on.iter().map(|on| filled(on, work.args));
        Ok(Self {
            work,
            step,
            on: on.collect::<Result<_, _>>().map_err(wrong)?,
            about: filled(&step.about, work.args).map_err(wrong)?,
            params,
        })
    }

    /// The step's action, on its element.
    pub(super) async fn action(&self) -> Result<ActionRequest, JobError> {
        let mut first = None;
        for locator in LOCATORS {
            match locator.locate(self).await? {
                Found::It(action, how) => {
                    if let Some(how) = how {
                        let job_id = &self.work.run.job.job_id;
                        tracing::warn!(
                            job_id,
                            "an element was found {how}: the page may have changed"
                        );
                    }
                    return Ok(action);
                }
                Found::Missing(error) => first = first.or(Some(error)),
            }
        }
        Err(first.unwrap_or_else(|| missing("The step names no element.".to_owned())))
    }

    /// What it is, for whoever sees.
    fn about(&self) -> String {
        match self.about.is_empty() {
            false => self.about.clone(),
            true => format!(
                "what {} is done to, once known as {}",
                self.step.action,
                self.on.join(" or ")
            ),
        }
    }

    /// The action on an element of the list, if that can be done to it.
    fn on_listed(&self, element: &Value, how: String) -> Found {
        let role = element
            .get("role")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if matches!(self.step.action.as_str(), "fill" | "type") && !FIELDS.contains(&role) {
            return Found::Missing(missing(format!(
                "No text can be put into what was found {how}."
            )));
        }
        match element.get("index") {
            Some(index) => Found::It(
                on_index(&self.step.action, index.clone(), self.params.clone()),
                Some(how),
            ),
            None => Found::Missing(missing(format!("What was found {how} has no number."))),
        }
    }
}

/// The step's selectors, the first that is there.
struct Selectors;

impl Locator for Selectors {
    fn locate<'a>(&'a self, sought: &'a Sought<'a>) -> BoxFuture<'a, Result<Found, JobError>> {
        async move {
            let mut last = missing("The step names no element.".to_owned());
            for (place, selector) in sought.on.iter().enumerate() {
                match by_selector(sought, place, selector).await? {
                    Found::Missing(error) => last = error,
                    it @ Found::It(..) => return Ok(it),
                }
            }
            Ok(Found::Missing(last))
        }
        .boxed()
    }
}

async fn by_selector(sought: &Sought<'_>, place: usize, selector: &str) -> Result<Found, JobError> {
    let patience = match place {
        0 => sought.step.timeout_ms.unwrap_or(ELEMENT_MS),
        _ => FURTHER_ELEMENT_MS,
    };
    let interaction = Interaction {
        action: sought.step.action.clone(),
        selector: Some(selector.to_owned()),
        timeout_ms: Some(patience),
        params: sought.params.clone(),
    };
    let cancel = CancellationToken::new();
    match interaction.meant(sought.work.handle, &cancel).await {
        Ok(Meant::Action(action)) => {
            let how = (place > 0).then(|| format!("by a further selector, {selector}"));
            Ok(Found::It(action, how))
        }
        Ok(Meant::Missing(result)) => match login::succeeded(*result) {
            Err(error) if error.kind != JobErrorKind::SelectorChanged => Err(error),
            Err(error) => Ok(Found::Missing(error)),
            Ok(_) => Ok(Found::Missing(missing(format!("{selector} is not there.")))),
        },
        // Neither is there what only a list can tell.
        Err(error) if error.kind == ErrorKind::Timeout => {
            Ok(Found::Missing(missing(error.message.into_owned())))
        }
        Err(error) => Err(error.into()),
    }
}

/// What is called much the same, by role and name.
struct Likeness;

impl Locator for Likeness {
    fn locate<'a>(&'a self, sought: &'a Sought<'a>) -> BoxFuture<'a, Result<Found, JobError>> {
        async move {
            let likely = likely(sought.work.handle, &sought.on).await?;
            Ok(match likely {
                Some(element) => {
                    let how = format!("by what it is called, \"{}\"", name(&element));
                    sought.on_listed(&element, how)
                }
                None => Found::Missing(missing("Nothing is called much the same.".to_owned())),
            })
        }
        .boxed()
    }
}

/// What a model takes for it that sees the page with numbered boxes, where one is configured.
struct Model;

impl Locator for Model {
    fn locate<'a>(&'a self, sought: &'a Sought<'a>) -> BoxFuture<'a, Result<Found, JobError>> {
        async move {
            let nobody = missing("Nobody is there to be asked.".to_owned());
            if !sought.work.handle.can_be_seen() {
                return Ok(Found::Missing(nobody));
            }
            let pointed_out = match sought.work.handle.point_out(&sought.about()).await {
                Ok(pointed_out) => pointed_out,
                // Whoever cannot be asked finds nothing; the job's error is that of its selectors.
                Err(error) => return not_asked(sought, error),
            };
            Ok(match pointed_out {
                Some(it) => {
                    let how = format!(
                        "by the model {}, which said \"{}\": {}",
                        it.model,
                        it.answer.trim(),
                        name(&it.element)
                    );
                    sought.on_listed(&it.element, how)
                }
                None => Found::Missing(missing("The model points nothing out.".to_owned())),
            })
        }
        .boxed()
    }
}

fn not_asked(sought: &Sought<'_>, error: Error) -> Result<Found, JobError> {
    if error.kind == ErrorKind::HumanInControl {
        return Err(error.into());
    }
    let job_id = &sought.work.run.job.job_id;
    tracing::warn!(job_id, %error, "the model could not be asked for an element");
    Ok(Found::Missing(missing(error.message.into_owned())))
}

fn name(element: &Value) -> &str {
    element
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn missing(message: String) -> JobError {
    JobError {
        kind: JobErrorKind::SelectorChanged,
        message,
    }
}
