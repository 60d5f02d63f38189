//! A notice by mail.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::AsyncSmtpTransport;
use lettre::{AsyncTransport, Message, Tokio1Executor};
use serde_json::{Value, json};

use super::{Sent, unsent, unset};
use crate::config::Notices;
use crate::model::{JobError, JobErrorKind};

/// An answer of the server comes within this time.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// Longest subject, characters.
const SUBJECT_CHARS_MAX: usize = 120;

/// Sends a notice to all who shall have it. Another attempt is the same message, by its id.
pub(super) async fn send(settings: &Notices, id: &str, sent: &Sent) -> Result<Value, JobError> {
    if !settings.has_mail() {
        return Err(unset("notices.mail_server"));
    }
    let message = message(settings, id, sent).map_err(|error| JobError {
        kind: JobErrorKind::InvalidInput,
        message: format!("The notice cannot be made a mail: {error}."),
    })?;
    // What it says of an address that is wrong may repeat the password.
    let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(settings.mail_server.reveal());
    let server = server.map_err(|_| JobError {
        kind: JobErrorKind::InvalidInput,
        message: "notices.mail_server is not the address of a mail server.".to_owned(),
    })?;
    let server = server.timeout(Some(ANSWER_MAX)).build();
    let answer = server.send(message).await.map_err(|error| {
        unsent(format!(
            "The mail server does not take the notice: {error}."
        ))
    })?;
    Ok(json!({ "smtp_code": answer.code().to_string() }))
}

fn message(
    settings: &Notices,
    id: &str,
    sent: &Sent,
) -> Result<Message, Box<dyn std::error::Error + Send + Sync>> {
    let subject: String = sent.text.chars().take(SUBJECT_CHARS_MAX).collect();
    let from: Mailbox = settings.mail_from.parse()?;
    let mut mail = Message::builder()
        .message_id(Some(format!("<{id}@{}>", from.email.domain())))
        .from(from)
        .subject(format!("Ghostcast: {subject}"));
    for to in &settings.mail_to {
        mail = mail.to(to.parse()?);
    }
    let details = serde_json::to_string_pretty(&sent.notice)?;
    Ok(mail.body(format!("{}\n\n{details}\n", sent.text))?)
}
