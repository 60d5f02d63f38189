use serde_json::{Value, json};

use super::*;
use crate::model::geometry::Point;

fn parse(action_type: &str, params: Value) -> Result<Command, ActionError> {
    let Value::Object(params) = params else {
        panic!("params is an object")
    };
    Command::parse(&ActionRequest::new(action_type, params))
}

fn check_error(action_type: &str, params: Value, kind: ActionErrorKind, word: &str) {
    let error = parse(action_type, params).expect_err("refused");
    assert_eq!(error.kind, kind, "{error}");
    assert!(error.message.contains(word), "{error} names {word}");
}

#[test]
fn a_mistyped_text_is_not_repeated() {
    let error = parse("type", json!({"index": 2, "text": 481_516})).expect_err("refused");
    assert!(error.message.contains("\"text\""), "{error}");
    assert!(!error.message.contains("481516"), "{error}");
}

#[test]
fn both_click_forms_and_their_aliases() {
    let by_index = parse("click", json!({"index": 5})).unwrap();
    assert!(matches!(
        by_index,
        Command::Click(Click {
            target: Target::Index(5),
            ..
        })
    ));
    for params in [
        json!({"x": 3, "y": 4.5}),
        json!({"coordinate_x": 3, "coordinate_y": 4.5}),
    ] {
        let Command::Click(click) = parse("click", params).unwrap() else {
            panic!("a click")
        };
        assert_eq!(click.target, Target::Point(Point::new(3.0, 4.5)));
    }
}

#[test]
fn tabs_are_opened_named_and_closed() {
    let empty = parse("new_tab", json!({})).unwrap();
    assert_eq!(empty, Command::NewTab(NewTab { url: None }));
    let switch = parse("switch_tab", json!({"tab": 2})).unwrap();
    assert_eq!(switch, Command::SwitchTab(SwitchTab { tab: 2 }));
    let close = parse("close_tab", json!({})).unwrap();
    assert_eq!(close, Command::CloseTab(CloseTab { tab: None }));
    use ActionErrorKind::{InvalidParameter, MissingParameter};
    check_error("new_tab", json!({"url": " "}), InvalidParameter, "\"url\"");
    check_error("switch_tab", json!({}), MissingParameter, "\"tab\"");
    check_error(
        "switch_tab",
        json!({"tab": "two"}),
        InvalidParameter,
        "\"tab\"",
    );
    check_error("close_tab", json!({"tab": -1}), InvalidParameter, "\"tab\"");
}

#[test]
fn each_mistake_is_named() {
    use ActionErrorKind::{InvalidParameter, MissingParameter, UnknownAction};
    check_error("bogus", json!({}), UnknownAction, "bogus");
    check_error("clik", json!({}), UnknownAction, "\"click\"");
    check_error("click", json!({}), MissingParameter, "index");
    check_error("click", json!({"x": 1}), MissingParameter, "\"y\"");
    check_error(
        "click",
        json!({"index": "five"}),
        InvalidParameter,
        "\"index\"",
    );
    check_error(
        "click",
        json!({"index": 1, "x": 1, "y": 1}),
        InvalidParameter,
        "index",
    );
    check_error(
        "click",
        json!({"index": 1, "count": 9}),
        InvalidParameter,
        "count",
    );
    check_error("navigate", json!({}), MissingParameter, "\"url\"");
    check_error("navigate", json!({"url": 7}), InvalidParameter, "\"url\"");
    check_error(
        "navigate",
        json!({"url": "x", "tmeout": 7}),
        InvalidParameter,
        "tmeout",
    );
    check_error(
        "type",
        json!({"text": "a", "index": -1}),
        InvalidParameter,
        "\"index\"",
    );
    check_error(
        "scroll",
        json!({"direction": "sideways"}),
        InvalidParameter,
        "\"direction\"",
    );
    check_error(
        "wait",
        json!({"seconds": -1}),
        InvalidParameter,
        "\"seconds\"",
    );
    check_error(
        "go_back",
        json!({"steps": 2}),
        InvalidParameter,
        "\"steps\"",
    );
}

#[test]
fn numbers_that_came_as_texts_are_numbers() {
    let click = parse("click", json!({"index": "11", "count": "2"})).unwrap();
    assert_eq!(
        click,
        Command::Click(Click {
            target: Target::Index(11),
            button: MouseButton::Left,
            count: 2
        })
    );
    let hover = parse("hover", json!({"x": "3", "y": " 4.5 "})).unwrap();
    assert_eq!(hover, Command::Hover(Target::Point(Point::new(3.0, 4.5))));
    let switch = parse("switch_tab", json!({"tab": 2.0})).unwrap();
    assert_eq!(switch, Command::SwitchTab(SwitchTab { tab: 2 }));
    let drag = parse(
        "drag",
        json!({"from": {"index": "1"}, "to": {"x": "2", "y": 3}}),
    );
    let drag = drag.unwrap();
    assert_eq!(
        drag,
        Command::Drag(Drag {
            from: Target::Index(1),
            to: Target::Point(Point::new(2.0, 3.0))
        })
    );
}

#[test]
fn a_refusal_says_what_was_understood_and_the_right_form() {
    for (action_type, params, words) in [
        (
            "click",
            json!({"index": "five"}),
            [
                "the text \"five\"",
                "a whole number as the context lists it",
            ],
        ),
        ("click", json!({"index": -1}), ["it is -1", "such as 11"]),
        (
            "click",
            json!({"index": 1.5}),
            ["it is 1.5", "a whole number"],
        ),
        (
            "drag",
            json!({"from": 5, "to": {"index": 1}}),
            ["\"from\"", "{\"index\": 11}"],
        ),
        (
            "drag",
            json!({"from": {"indx": 5}, "to": {"index": 1}}),
            ["an object with indx", "{\"index\": 11}"],
        ),
        (
            "scroll",
            json!({"direction": "sideways"}),
            ["the text \"sideways\"", "\"up\", \"down\""],
        ),
        (
            "handle_dialog",
            json!({"accept": "yes"}),
            ["\"yes\"", "true or false"],
        ),
        ("press", json!({"keys": 5}), ["\"keys\"", "Control+A"]),
        (
            "press",
            json!({"keys": "Ctrl+Entr"}),
            ["\"Entr\"", "\"Enter\""],
        ),
        ("press", json!({}), ["\"keys\"", "Control+A"]),
        ("select", json!({"index": 1}), ["value", "labels"]),
        (
            "select",
            json!({"index": 1, "label": "a", "value": "b"}),
            ["one of", "not several"],
        ),
        ("upload", json!({"index": 1}), ["files", "data_base64"]),
        (
            "upload",
            json!({"index": 1, "files": "a.txt"}),
            ["\"files\"", "a list such as"],
        ),
    ] {
        let error = parse(action_type, params.clone()).expect_err(action_type);
        for word in words {
            assert!(
                error.message.contains(word),
                "{params}: {error} says {word}"
            );
        }
    }
}

#[test]
fn keys_are_chords() {
    let Command::Press(press) = parse("press", json!({"keys": "Control+A", "index": 3})).unwrap()
    else {
        panic!("a press")
    };
    assert_eq!(press.keys.len(), 1);
    assert!(press.keys[0].modifiers.control);
    assert_eq!(
        (press.keys[0].key.as_str(), press.index, press.count),
        ("a", Some(3), 1)
    );
    let list = json!({"keys": ["ArrowDown", "Shift+ArrowRight"], "count": 3});
    let Command::Press(press) = parse("press", list).unwrap() else {
        panic!("a press")
    };
    assert_eq!((press.keys.len(), press.count), (2, 3));
    use ActionErrorKind::InvalidParameter;
    check_error("press", json!({"keys": []}), InvalidParameter, "chords");
    let many = json!({"keys": "Enter", "count": 101});
    check_error("press", many, InvalidParameter, "\"count\"");
    let many = json!({"keys": vec!["Enter"; 100], "count": 11});
    check_error("press", many, InvalidParameter, "1000");
}

#[test]
fn a_choice_is_one_of_four() {
    let choice = |params: Value| match parse("select", params).unwrap() {
        Command::Select(select) => select.choice,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        choice(json!({"index": 1, "value": "l"})),
        Choice::Value("l".to_owned())
    );
    assert_eq!(
        choice(json!({"index": 1, "labels": ["Large", "Small"]})),
        Choice::Labels(vec!["Large".to_owned(), "Small".to_owned()])
    );
    assert_eq!(
        choice(json!({"index": 1, "values": []})),
        Choice::Values(Vec::new())
    );
}

#[test]
fn files_come_whole_or_not_at_all() {
    let file = |name: &str, data: &str| json!({"index": 1, "files": [{"name": name, "mime_type": "text/csv", "data_base64": data}]});
    for data in ["bGFtcCwxMi41MAo=", "bGFtcCwxMi41MAo"] {
        let Command::Upload(upload) = parse("upload", file("receipt.csv", data)).unwrap() else {
            panic!("an upload")
        };
        assert_eq!(upload.files[0].data, b"lamp,12.50\n");
        assert_eq!(upload.files[0].mime_type.as_deref(), Some("text/csv"));
        assert!(
            !format!("{upload:?}").contains("lamp"),
            "files are not logged"
        );
    }
    use ActionErrorKind::InvalidParameter;
    check_error(
        "upload",
        file("a.csv", "not base64!"),
        InvalidParameter,
        "a.csv",
    );
    check_error(
        "upload",
        file("../a.csv", "aGk="),
        InvalidParameter,
        "no name of a file",
    );
    check_error(
        "upload",
        file("a\\b", "aGk="),
        InvalidParameter,
        "no name of a file",
    );
    check_error(
        "upload",
        json!({"index": 1, "files": []}),
        InvalidParameter,
        "1 to",
    );
    let both = json!({"index": 1, "path": "/a", "files": []});
    check_error("upload", both, InvalidParameter, "not both");
    let paths = parse("upload", json!({"index": 1, "path": ["/a", "/b"]})).unwrap();
    assert!(matches!(paths, Command::Upload(upload) if upload.paths == ["/a", "/b"]));
}

#[test]
fn an_upload_has_a_bound() {
    let size = |bytes: usize| {
        let data = "A".repeat(bytes.div_ceil(3) * 4);
        json!({"index": 1, "files": [{"name": "a", "data_base64": data}]})
    };
    use ActionErrorKind::InvalidParameter;
    assert!(parse("upload", size(UPLOAD_BYTES_MAX - 3)).is_ok());
    check_error(
        "upload",
        size(UPLOAD_BYTES_MAX + 3),
        InvalidParameter,
        "32 MiB",
    );
}

#[test]
fn dialogs_and_the_clipboard() {
    let handled = parse("handle_dialog", json!({"accept": true, "text": "Party"})).unwrap();
    assert_eq!(
        handled,
        Command::HandleDialog(HandleDialog {
            accept: true,
            text: Some("Party".to_owned())
        })
    );
    use ActionErrorKind::{InvalidParameter, MissingParameter};
    check_error(
        "handle_dialog",
        json!({}),
        MissingParameter,
        "true or false",
    );
    let dismissed = json!({"accept": false, "text": "Party"});
    check_error(
        "handle_dialog",
        dismissed,
        InvalidParameter,
        "takes no text",
    );
    let write = parse("clipboard_write", json!({"text": "OTTER-77"})).unwrap();
    assert!(matches!(write, Command::ClipboardWrite(write) if write.text == "OTTER-77"));
    assert_eq!(
        parse("clipboard_read", json!({})).unwrap(),
        Command::ClipboardRead
    );
    check_error(
        "clipboard_read",
        json!({"text": "a"}),
        InvalidParameter,
        "\"text\"",
    );
}

#[test]
fn every_action_is_parsed_and_every_one_that_parses_is_listed() {
    for action_type in ACTION_TYPES {
        let parsed = parse(action_type, json!({}));
        let is_known =
            !matches!(&parsed, Err(error) if error.kind == ActionErrorKind::UnknownAction);
        assert!(is_known, "{action_type}");
    }
}

#[test]
fn what_was_sent_decides_whether_to_try_again() {
    use crate::model::outcome::{Delivery, Outcome, Retry};
    let error = |kind| ActionError::new(kind, "why");
    let covered = error(ActionErrorKind::ElementCovered);
    assert_eq!(covered.outcome.retry, Retry::Safe);
    assert_eq!(
        covered.delivery(Delivery::Partly).outcome.retry,
        Retry::Unsafe
    );
    let unknown = error(ActionErrorKind::OutcomeUnknown);
    assert_eq!(unknown.outcome.delivery, Delivery::Unknown);
    assert_eq!(unknown.outcome.retry, Retry::Unsafe);
    let refused = error(ActionErrorKind::ValueNotAccepted).outcome(Outcome::sent());
    assert_eq!(refused.outcome.retry, Retry::Useless);
    let told = error(ActionErrorKind::Cancelled).delivery(Delivery::NotSent);
    assert_eq!(told.retry(Retry::Safe).outcome.retry, Retry::Safe);
}

#[test]
fn what_an_action_expects_has_its_place_beside_the_parameters() {
    let action: ActionRequest = serde_json::from_value(json!({
        "action_type": "click", "params": {"index": 1},
        "expects": {"url": "http://h/", "tab": 1, "document": 7}
    }))
    .unwrap();
    let expects = action.expects.expect("kept");
    assert_eq!((expects.tab, expects.document), (Some(1), Some(7)));
    let wrong = json!({"action_type": "click", "expects": {"title": "x"}});
    let error = serde_json::from_value::<ActionRequest>(wrong).expect_err("refused");
    assert!(error.to_string().contains("title"), "{error}");
}
