//! Mouse and keyboard, as Chromium's own input events.
//!
//! The events of one gesture are sent without waiting for each answer: Chromium keeps their
//! order, and a mouse move is answered only with the next frame.

use chromiumoxide_cdp::cdp::browser_protocol::input::{
    DispatchKeyEventParams, DispatchKeyEventType, DispatchMouseEventParams, DispatchMouseEventType,
    InsertTextParams, MouseButton as CdpButton,
};
use chromiumoxide_types::Command;

use super::error::Error;
use super::target::Page;
use crate::model::Point;
use crate::model::command::MouseButton;

/// Above this many characters a text is inserted at once instead of key by key.
const KEYSTROKES_MAX: usize = 256;

/// Presses and releases a button at a point, `count` times.
pub(super) async fn click(
    page: &Page,
    at: Point,
    button: MouseButton,
    count: u8,
) -> Result<(), Error> {
    use DispatchMouseEventType::{MouseMoved, MousePressed, MouseReleased};
    let mut gesture = vec![mouse(MouseMoved, at, MouseButton::Left, 0)];
    for clicks in 1..=i64::from(count) {
        gesture.push(mouse(MousePressed, at, button, clicks));
        gesture.push(mouse(MouseReleased, at, button, clicks));
    }
    send(page, "click", gesture).await
}

/// Turns the wheel over a point.
pub(super) async fn wheel(page: &Page, at: Point, by: Point) -> Result<(), Error> {
    let mut event = mouse(DispatchMouseEventType::MouseWheel, at, MouseButton::Left, 0);
    event.delta_x = Some(by.x);
    event.delta_y = Some(by.y);
    send(page, "turn the wheel", vec![event]).await
}

/// Types a text into whatever has the focus.
pub(super) async fn type_text(page: &Page, text: &str) -> Result<(), Error> {
    // A tab, as a key, would leave the field.
    let has_control = text
        .chars()
        .any(|c| c.is_control() && c != '\n' && c != '\r');
    if has_control || text.chars().count() > KEYSTROKES_MAX {
        return send(page, "insert text", vec![InsertTextParams::new(text)]).await;
    }
    let mut keys = Vec::with_capacity(text.len() * 2);
    for character in text.chars().filter(|character| *character != '\r') {
        keys.extend(keystroke(character));
    }
    send(page, "type", keys).await
}

/// Presses one named key.
pub(super) async fn press(page: &Page, key: Key) -> Result<(), Error> {
    send(page, "press a key", named(key).to_vec()).await
}

/// A key with a name of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Enter,
    Delete,
}

impl Key {
    /// `key` and `code` of UI Events, the Windows key code, and the text it makes.
    const fn parts(self) -> (&'static str, i64, Option<&'static str>) {
        match self {
            Self::Enter => ("Enter", 13, Some("\r")),
            Self::Delete => ("Delete", 46, None),
        }
    }
}

async fn send<C: Command>(
    page: &Page,
    operation: &'static str,
    gesture: Vec<C>,
) -> Result<(), Error> {
    page.session().execute_all(operation, gesture).await
}

fn mouse(
    kind: DispatchMouseEventType,
    at: Point,
    button: MouseButton,
    clicks: i64,
) -> DispatchMouseEventParams {
    let (cdp_button, held) = match button {
        MouseButton::Left => (CdpButton::Left, 1),
        MouseButton::Right => (CdpButton::Right, 2),
        MouseButton::Middle => (CdpButton::Middle, 4),
    };
    let mut params = DispatchMouseEventParams::new(kind.clone(), at.x, at.y);
    if clicks > 0 {
        params.button = Some(cdp_button);
        params.click_count = Some(clicks);
        params.buttons = Some(if kind == DispatchMouseEventType::MousePressed {
            held
        } else {
            0
        });
    }
    params
}

fn keystroke(character: char) -> [DispatchKeyEventParams; 2] {
    if character == '\n' {
        return named(Key::Enter);
    }
    let text = character.to_string();
    let code = match character.to_ascii_uppercase() {
        letter @ 'A'..='Z' => Some((format!("Key{letter}"), letter as i64)),
        digit @ '0'..='9' => Some((format!("Digit{digit}"), digit as i64)),
        ' ' => Some(("Space".to_owned(), 32)),
        _ => None,
    };
    let mut down = key_event(DispatchKeyEventType::KeyDown, &text, code.clone());
    down.text = Some(text.clone());
    down.unmodified_text = Some(text.clone());
    [down, key_event(DispatchKeyEventType::KeyUp, &text, code)]
}

fn named(key: Key) -> [DispatchKeyEventParams; 2] {
    let (name, windows_code, text) = key.parts();
    let code = Some((name.to_owned(), windows_code));
    let mut down = key_event(DispatchKeyEventType::KeyDown, name, code.clone());
    down.text = text.map(str::to_owned);
    [down, key_event(DispatchKeyEventType::KeyUp, name, code)]
}

fn key_event(
    kind: DispatchKeyEventType,
    key: &str,
    code: Option<(String, i64)>,
) -> DispatchKeyEventParams {
    let mut params = DispatchKeyEventParams::new(kind);
    params.key = Some(key.to_owned());
    if let Some((code, windows_code)) = code {
        params.code = Some(code);
        params.windows_virtual_key_code = Some(windows_code);
        params.native_virtual_key_code = Some(windows_code);
    }
    params
}
