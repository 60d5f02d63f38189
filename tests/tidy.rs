//! The rules of the house that the compiler does not know: who may use whom, where engines are
//! named, how long files are, and that what is written down is true.
//!
//! Each rule is a pure checker over texts, which answers what is wrong with them; its test first
//! shows that the checker can fail, and then runs it over the repository.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Format, Toml};
use ghostcast::config::{self, Config};
use ghostcast::model::command::ACTION_TYPES;
use ghostcast::model::event::{EVENT_TYPES_DEFAULT, EVENT_TYPES_OPTIONAL};
use serde_json::Value;

/// Modules from the bottom up, each with all that it may use; a longer path allows that part only.
/// What is not listed is forbidden.
const LAYERS: [(&str, &[&str]); 27] = [
    ("error", &[]),
    ("credential", &["error"]),
    ("memory", &[]),
    ("processes", &[]),
    ("refusals", &["error"]),
    ("model", &["error"]),
    ("disk", &["model"]),
    ("tls", &[]),
    ("media", &["model"]),
    ("display", &["error", "media", "model"]),
    ("config", &["error", "media::cursor", "model"]),
    ("rtc", &["error", "media", "model::Secret", "tls"]),
    ("events", &["config", "error", "model", "refusals"]),
    ("store", &["disk", "error", "model", "tls"]),
    ("livekit", &["model"]),
    ("vision", &["config", "error"]),
    ("telemetry", &["config", "error", "model"]),
    (
        "browser",
        &[
            "config",
            "disk",
            "display",
            "error",
            "media",
            "model",
            "processes",
            "refusals",
        ],
    ),
    (
        "publish",
        &["error", "livekit", "media", "model", "refusals", "rtc"],
    ),
    (
        "session",
        &[
            "browser",
            "config",
            "credential",
            "error",
            "events",
            "livekit",
            "media",
            "model",
            "publish",
            "refusals",
            "rtc",
            "store",
            "vision",
        ],
    ),
    ("framed", &[]),
    (
        "jobs",
        &[
            "config",
            "credential",
            "error",
            "framed",
            "model",
            "session",
            "store",
            "telemetry",
        ],
    ),
    (
        "api",
        &[
            "browser::capture",
            "config",
            "credential",
            "display",
            "error",
            "events",
            "jobs",
            "media::marks",
            "memory",
            "model",
            "processes",
            "refusals",
            "session",
            "telemetry",
        ],
    ),
    ("demo", &["api", "error", "model", "session"]),
    (
        "app",
        &[
            "api", "browser", "config", "error", "events", "jobs", "model", "session", "store",
        ],
    ),
    (
        "cli",
        &[
            "app",
            "browser",
            "config",
            "demo",
            "disk",
            "error",
            "framed",
            "livekit",
            "media",
            "model",
            "processes",
            "telemetry",
        ],
    ),
    ("main", &["cli"]),
];

/// The parts of `browser` from the bottom up: each may use those above it in this list, and itself.
const BROWSER: [&str; 14] = [
    "error", "text", "numbers", "told", "scripts", "cdp", "gate", "host", "target", "tabs",
    "sight", "hand", "act", "capture",
];

/// Crates that are engines or wire formats, and the only places under `src` that name them.
const ENGINES: [(&str, &[&str]); 52] = [
    ("async_trait", &["telemetry/post.rs"]),
    ("apalis", &["jobs/turns.rs"]),
    ("apalis_core", &["jobs/turns.rs"]),
    ("aws_lc_rs", &["credential.rs"]),
    ("axum", &["api/", "demo.rs"]),
    ("chromiumoxide_cdp", &["browser/"]),
    ("chromiumoxide_types", &["browser/"]),
    ("clap", &["cli/"]),
    ("figment", &["config/load.rs"]),
    // A client of the service beside it, which in tests also shows what was encoded.
    (
        "ghostcast_validate",
        &["cli/validate.rs", "media/mux/tests.rs"],
    ),
    ("http_body_util", &["browser/gate/"]),
    ("hyper", &["api/serve.rs", "browser/gate/"]),
    ("hyper_util", &["api/serve.rs", "browser/gate/"]),
    ("imagesize", &["store/gallery.rs"]),
    ("lettre", &["jobs/notices/mail.rs"]),
    ("livekit_api", &["livekit/"]),
    ("livekit_protocol", &["livekit/"]),
    ("livekit_signaling", &["livekit/"]),
    ("logroller", &["cli/log/files.rs"]),
    ("metrics_exporter_prometheus", &["api/metrics.rs"]),
    ("mp4_atom", &["media/mux/boxes.rs"]),
    ("openh264", &["media/encode/openh264.rs"]),
    ("openh264_sys2", &["media/encode/openh264.rs"]),
    ("openssl", &["rtc/dtls.rs"]),
    (
        "opentelemetry",
        &["telemetry/traces.rs", "telemetry/metrics.rs"],
    ),
    ("opentelemetry_http", &["telemetry/post.rs"]),
    ("opentelemetry_otlp", &["telemetry/traces.rs"]),
    ("opentelemetry_proto", &["telemetry/metrics.rs"]),
    (
        "opentelemetry_sdk",
        &["telemetry/traces.rs", "telemetry/metrics.rs"],
    ),
    ("png", &["media/decode.rs"]),
    (
        "prost",
        &["api/grpc/", "livekit/data.rs", "telemetry/metrics.rs"],
    ),
    ("prost_types", &["api/grpc/"]),
    (
        "reqwest",
        &[
            "browser/host/remote/",
            "cli/client.rs",
            "jobs/notices/webhook.rs",
            "telemetry/post.rs",
            "vision/",
        ],
    ),
    ("redis", &["store/queue/redis/"]),
    ("rmcp", &["api/mcp/"]),
    ("rusqlite", &["store/"]),
    ("sentry", &["telemetry/reports.rs"]),
    ("smithay", &["display/"]),
    ("str0m", &["rtc/"]),
    ("tiny_skia", &["media/"]),
    (
        "tokio_postgres",
        &["store/queue/postgres.rs", "store/queue/tls.rs"],
    ),
    ("tokio_rustls", &["tls.rs"]),
    ("tonic", &["api/grpc/"]),
    ("tonic_health", &["api/grpc/"]),
    ("tonic_reflection", &["api/grpc/"]),
    ("tracing_appender", &["cli/log/files.rs"]),
    ("tracing_opentelemetry", &["telemetry/traces.rs"]),
    ("turbojpeg", &["media/decode.rs", "media/marks.rs"]),
    ("turn_client_proto", &["rtc/relay/talk.rs"]),
    ("utoipa_axum", &["api/"]),
    ("webpki_roots", &["tls.rs"]),
    ("yuv", &["media/convert.rs"]),
];

/// The files of the validation program, which lies in `validate/`, from the bottom up: each may use those
/// above it in this list.
const VALIDATE: [&str; 34] = [
    "outcome",
    "report",
    "answers",
    "film",
    "playback",
    "still",
    "processes",
    "http",
    "pages",
    "mcp",
    "socket",
    "cdp",
    "receiver",
    "audience",
    "token",
    "livekit_server",
    "service",
    "session",
    "bench",
    "viewer",
    "runner",
    "step01_engine",
    "step02_actions",
    "step03_allowlist",
    "step04_state",
    "step05_recording",
    "step06_cursor",
    "step07_vision",
    "step08_streaming",
    "step09_correction",
    "step10_mcp",
    "step11_livekit",
    "step12_events",
    "step13_recovery",
];

/// What the validation program is built of, and the only files of it that name it. The library is nowhere:
/// what is validated is seen by its doors.
const VALIDATE_ENGINES: [(&str, &[&str]); 11] = [
    ("axum", &["pages.rs"]),
    ("ghostcast", &[]),
    ("livekit_api", &["token.rs"]),
    ("livekit_protocol", &["audience.rs"]),
    ("livekit_signaling", &["audience.rs"]),
    ("openh264", &["playback.rs"]),
    ("png", &["still.rs"]),
    ("reqwest", &["http.rs"]),
    ("str0m", &["receiver.rs"]),
    ("turbojpeg", &["still.rs"]),
    ("utoipa", &[]),
];

/// Where a schema may be derived for the API's document; anything else of utoipa stays in `api`.
const SCHEMAS: [&str; 6] = [
    "browser/", "error.rs", "jobs/", "model/", "session/", "vision/",
];

/// Code that takes the time as an argument and does no I/O. `model/time.rs` is where the wall clock
/// is read for people.
const PURE: [&str; 15] = [
    "browser/target/loading.rs",
    "display/canvas.rs",
    "display/image.rs",
    "display/pace.rs",
    "media/",
    "model/",
    "rtc/clock.rs",
    "rtc/flow.rs",
    "rtc/peer.rs",
    "rtc/sdp.rs",
    "session/corrections.rs",
    "session/machine.rs",
    "session/place.rs",
    "session/queue.rs",
    "store/queue/row.rs",
];
const PURE_EXCEPT: &str = "model/time.rs";
const IMPURE: [&str; 10] = [
    "Instant::now",
    "SystemTime::now",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "std::env",
    "std::fs",
    "std::process",
    "std::thread",
    "tokio",
];

/// Beyond this a file is hard to hold in one's head; tests do not count.
const FILE_LINES_MAX: usize = 600;

/// What a newcomer reads on one screen and a second; all else is in the book.
const README_LINES_MAX: usize = 160;

/// Where the book's pages are.
const BOOK: &str = "docs/src";

// ---- the rules --------------------------------------------------------------------------------

#[test]
fn the_layers_are_an_order() {
    for (place, (module, uses)) in LAYERS.iter().enumerate() {
        for used in *uses {
            let used = used.split("::").next().unwrap_or(used);
            let below = LAYERS[..place].iter().any(|(lower, _)| *lower == used);
            assert!(below, "{module} may use {used}, which is not below it");
        }
    }
}

#[test]
fn modules_use_only_what_is_below_them() {
    let wrong = [
        ("rtc/driver.rs", "use crate::publish::Feed;", "publish"),
        (
            "model/ids.rs",
            "fn f() { crate::media::compose::x() }",
            "media",
        ),
        (
            "config/mod.rs",
            "use crate::media::{\n    cursor,\n    decode::Decoder,\n};",
            "media::decode",
        ),
        (
            "events/mod.rs",
            "use crate::{model, session::{Manager}};",
            "session",
        ),
        (
            "main.rs",
            "fn main() { ghostcast::session::x() }",
            "session",
        ),
        ("media/mod.rs", "use super::session;", "super"),
        ("browser/page/mod.rs", "use super::super::session;", "super"),
        ("surprise.rs", "use crate::model;", "surprise"),
    ];
    for (path, text, word) in wrong {
        let found = layering(path, text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].contains(word), "{found:?} names {word}");
    }
    let right = [
        (
            "config/mod.rs",
            "use crate::media::cursor;\nuse crate::error::Error;",
        ),
        (
            "media/mod.rs",
            "// crate::session\nconst X: &str = \"crate::session\";",
        ),
        (
            "media/mod.rs",
            "#[cfg(test)]\nmod tests {\n    use crate::session;\n}\n",
        ),
        (
            "browser/page/mod.rs",
            "use super::error::Error;\npub(super) fn f() {}",
        ),
    ];
    for (path, text) in right {
        assert_eq!(layering(path, text), [""; 0], "{text}");
    }
    check_sources(layering);
}

#[test]
fn the_parts_of_the_browser_are_an_order() {
    let wrong = [
        ("browser/sight/list.rs", "use super::super::act;"),
        ("browser/target/mod.rs", "use super::tabs::Tabs;"),
        ("browser/cdp/stream.rs", "use crate::browser::target::Page;"),
        ("browser/error.rs", "use super::text::cut;"),
    ];
    for (path, text) in wrong {
        assert_eq!(browser_order(path, text).len(), 1, "{text}");
    }
    let right = [
        (
            "browser/act/click.rs",
            "use super::super::sight;\nuse super::aim;",
        ),
        ("browser/tabs/mod.rs", "use super::target::{Page, Ground};"),
        ("browser/mod.rs", "mod act;"),
        ("session/start.rs", "use super::act;"),
    ];
    for (path, text) in right {
        assert_eq!(browser_order(path, text), [""; 0], "{text}");
    }
    check_sources(browser_order);
}

#[test]
fn what_is_allowed_is_used() {
    let used: BTreeSet<String> = sources().iter().flat_map(uses).collect();
    let allowed = LAYERS
        .iter()
        .flat_map(|(module, uses)| uses.iter().map(move |u| (module, u)));
    let is_dead = |edge: &str| !used.iter().any(|used| used.starts_with(edge));
    let edges = allowed.map(|(module, used)| format!("{module} -> {used}"));
    let dead: Vec<String> = edges.filter(|edge| is_dead(edge)).collect();
    assert!(is_dead("model -> session"));
    assert!(dead.is_empty(), "remove from LAYERS: {dead:?}");
}

#[test]
fn the_validation_is_a_client_in_layers() {
    let wrong = [
        ("session.rs", "use super::bench::Bench;"),
        (
            "http.rs",
            "use super::{answers, outcome, session::Session};",
        ),
        ("bench.rs", "fn f() { crate::runner::x() }"),
        ("surprise.rs", "use super::outcome::Outcome;"),
        ("bench.rs", "use ghostcast::app::App;"),
        ("bench.rs", "use str0m::Rtc;"),
    ];
    for (path, text) in wrong {
        assert_eq!(validation(path, text).len(), 1, "{path}: {text}");
    }
    let right = [
        (
            "bench.rs",
            "use super::session::Session;\npub(super) fn f() {}",
        ),
        ("lib.rs", "use self::bench::Setup;\npub mod film;"),
        (
            "receiver.rs",
            "use str0m::Rtc;\nconst X: &str = \"ghostcast::app\";",
        ),
        (
            "report.rs",
            "#[cfg(test)]\nmod tests {\n    use super::runner;\n}\n",
        ),
    ];
    for (path, text) in right {
        assert_eq!(validation(path, text), [""; 0], "{text}");
    }
    check_validation(validation);
}

#[test]
fn the_validation_is_built_of_what_the_library_is() {
    let manifest = |text: &str| -> Value {
        let parsed = Figment::from(Toml::string(text)).extract();
        parsed.expect("a manifest is TOML")
    };
    let root = manifest(
        "[dependencies]\na = \"1\"\nb = { version = \"2\", default-features = false, features = [\"x\", \"y\"] }",
    );
    for (text, complaints) in [
        ("a = \"1\"", 0),
        (
            "b = { version = \"2\", default-features = false, features = [\"x\"] }",
            0,
        ),
        ("a = \"2\"", 1),
        ("c = \"1\"", 1),
        ("b = { version = \"2\", features = [\"x\"] }", 1),
        (
            "b = { version = \"2\", default-features = false, features = [\"z\"] }",
            1,
        ),
        ("a = { path = \"..\" }", 1),
    ] {
        let member = manifest(&format!("[dependencies]\n{text}"));
        assert_eq!(foreign(&root, &member).len(), complaints, "{text}");
    }
    let member = manifest(&read("validate/Cargo.toml"));
    assert!(member["dependencies"]["tokio"].is_object());
    assert_nothing(&foreign(&manifest(&read("Cargo.toml")), &member));
}

#[test]
fn each_engine_has_one_home() {
    let wrong = [
        ("session/start.rs", "use str0m::Rtc;"),
        ("session/start.rs", "fn f() -> ::str0m::Rtc {}"),
        ("media/encode/mod.rs", "use openh264;"),
        ("cli/serve.rs", "fn f(x: png::Decoder) {}"),
        ("model/ids.rs", "#[derive(utoipa::OpenApi)]"),
        ("media/shot.rs", "use utoipa::ToSchema;"),
    ];
    for (path, text) in wrong {
        assert_eq!(engines(path, text).len(), 1, "{text}");
    }
    let right = [
        ("rtc/peer.rs", "use str0m::Rtc;"),
        (
            "media/encode/mod.rs",
            "mod openh264;\npub use self::openh264::Encoder;",
        ),
        (
            "session/start.rs",
            "let image = f(\"str0m::Rtc\"); // str0m::Rtc",
        ),
        ("model/ids.rs", "#[derive(utoipa::ToSchema)]"),
    ];
    for (path, text) in right {
        assert_eq!(engines(path, text), [""; 0], "{text}");
    }
    check_sources(engines);
}

#[test]
fn pure_cores_take_the_time_as_an_argument() {
    let read = "fn f() { let now = Instant::now(); }";
    assert_eq!(purity("media/compose.rs", read).len(), 1);
    assert_eq!(purity("session/machine.rs", "use tokio::time;").len(), 1);
    assert_eq!(purity("session/start.rs", read), [""; 0]);
    let tested = format!("#[cfg(test)]\nmod tests {{\n    {read}\n}}\n");
    assert_eq!(purity("media/compose.rs", &tested), [""; 0]);
    check_sources(purity);
}

#[test]
fn files_stay_short() {
    let long = "fn f() {}\n".repeat(FILE_LINES_MAX + 1);
    assert_eq!(length("a.rs", &long).len(), 1);
    assert_eq!(length("a_tests.rs", &long), [""; 0]);
    let tested = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
    assert_eq!(length("a.rs", &tested), [""; 0]);
    check_sources(length);
    check_validation(length);
}

#[test]
fn nothing_is_left_for_later() {
    for text in [
        "// TODO: more",
        "fn f() { todo!() }",
        "/* FIXME */",
        "unimplemented!(\"x\")",
    ] {
        assert_eq!(leftovers("a.rs", text).len(), 1, "{text}");
    }
    assert_eq!(
        leftovers("a.rs", "// mastodon, TODOS\nlet todos = 1;"),
        [""; 0]
    );
    check_sources(leftovers);
    check_validation(leftovers);
}

#[test]
fn the_example_configuration_is_the_defaults() {
    let known = keys(&serde_json::to_value(Config::default()).expect("a configuration is JSON"));
    let text = read("deploy/config.example.toml");
    let complete = example(&text, &known);
    assert_eq!(complete, [""; 0]);

    let lacking = text.replace("\nviewers_max = 32\n", "\n");
    assert_eq!(example(&lacking, &known), ["rtc.viewers_max is missing"]);
    let too_much = format!("{text}more = 1\n");
    assert_eq!(
        example(&too_much, &known).len(),
        2,
        "unknown, and without a comment"
    );
    let silent = text.replace("# Its secret.\n", "");
    assert_eq!(
        example(&silent, &known).len(),
        1,
        "api_secret has no comment"
    );

    let parsed = config::parse(&text, Figment::new()).expect("the example is accepted");
    assert_eq!(parsed, Config::default());
}

#[test]
fn variables_name_existing_keys() {
    let known = keys(&serde_json::to_value(Config::default()).expect("a configuration is JSON"));
    assert_eq!(
        variables("GHOSTCAST_SESSION__FPS=3 GHOSTCAST_LOG=info", &known),
        [""; 0]
    );
    assert_eq!(variables("-e GHOSTCAST_SESSION__FSP=3", &known).len(), 1);
    let mut paths = documents();
    paths.extend(
        [
            "deploy/compose.yaml",
            "deploy/Dockerfile",
            "deploy/config.example.toml",
        ]
        .map(str::to_owned),
    );
    check(&paths, |path| variables(&read(path), &known));
}

#[test]
fn links_lead_somewhere() {
    let text =
        "# A b\n[x](Cargo.toml) [y](#a-b) [z](https://example.com) `[c](no)`\n```\n[d](no)\n```\n";
    let find = |path: &str| (path == "README.md").then(|| text.to_owned());
    assert_eq!(links("README.md", text, &find), [""; 0]);
    assert_eq!(
        links("docs/src/x.md", "[x](../../README.md#a-b)", &find),
        [""; 0]
    );
    for (path, text) in [
        ("README.md", "[x](no/such.file)"),
        ("README.md", "# A\n[x](#b)"),
        ("docs/src/x.md", "[x](README.md)"),
        ("docs/src/x.md", "[x](../../README.md#b)"),
    ] {
        assert_eq!(links(path, text, &find).len(), 1, "{path}: {text}");
    }
    let find = |path: &str| fs::read_to_string(root().join(path)).ok();
    let mut paths = documents();
    paths.push("clients/python/README.md".to_owned());
    check(&paths, |path| links(path, &read(path), &find));
}

#[test]
fn the_readme_is_short_and_the_book_whole() {
    assert_eq!(too_long("a\n", 1), [""; 0]);
    assert_eq!(too_long("a\nb\n", 1).len(), 1);
    assert_nothing(&named(
        "README.md",
        too_long(&read("README.md"), README_LINES_MAX),
    ));
    let summary = read(&format!("{BOOK}/SUMMARY.md"));
    let pages = documents();
    let pages = pages.iter().filter_map(|path| path.strip_prefix(BOOK));
    let lost: Vec<String> = pages
        .filter(|page| {
            *page != "/SUMMARY.md"
                && !summary.contains(&format!("({})", page.trim_start_matches('/')))
        })
        .map(|page| format!("{BOOK}{page} is not in the summary"))
        .collect();
    assert_nothing(&lost);
}

#[test]
fn the_version_is_one() {
    let own = env!("CARGO_PKG_VERSION");
    for (path, line) in [
        (
            "deploy/helm/ghostcast/Chart.yaml",
            format!("version: {own}"),
        ),
        (
            "deploy/helm/ghostcast/Chart.yaml",
            format!("appVersion: \"{own}\""),
        ),
        (
            "clients/python/src/ghostcast/_version.py",
            format!("__version__ = \"{own}\""),
        ),
    ] {
        assert!(
            read(path).lines().any(|other| other == line),
            "{path} has no {line:?}"
        );
    }
}

#[test]
fn the_image_is_built_from_all_that_the_build_reads() {
    let given = read("deploy/Dockerfile.dockerignore");
    for path in [
        "Cargo.lock",
        "Cargo.toml",
        "build.rs",
        "proto",
        "rust-toolchain.toml",
        "src",
        "validate",
    ] {
        let line = format!("!{path}");
        assert!(given.lines().any(|given| given == line), "no {line}");
    }
}

#[test]
fn commands_of_the_documents_are_run() {
    let find = |path: &str| fs::read_to_string(root().join(path)).ok();
    let good = "<!-- run -->\n```sh\nls\n```\n   <!-- not run: it is long -->\n   ```bash\n   ls\n   ```\n\
                <!-- tested: tests/tidy.rs::files_stay_short -->\n```sh\nls\n```\n```text\nls\n```\n";
    assert_eq!(unrun(good, &find), [""; 0]);
    for bad in [
        "```sh\nls\n```",
        "<!-- not run: -->\n```sh\nls\n```",
        "<!-- tested: tests/tidy.rs::no_such_test -->\n```sh\nls\n```",
        "<!-- tested: tests/tidy.rs -->\n```sh\nls\n```",
        "   <!-- run -->\n   ```sh\n   ls\n   ```",
    ] {
        assert_eq!(unrun(bad, &find).len(), 1, "{bad}");
    }
    check(&documents(), |path| unrun(&read(path), &find));
}

#[test]
fn documents_name_what_exists() {
    let code: String = sources().into_iter().map(|source| source.text).collect();
    let find = |path: &str| fs::read_to_string(root().join(path)).ok();
    let good = "`tests/tidy.rs::documents_name_what_exists` `src/lib.rs` `ghostcast_frames_dropped_total{reason=\"broken\"}`";
    assert_eq!(names(good, &code, &find), [""; 0]);
    for bad in [
        "`tests/tidy.rs::no_such_test`",
        "`tests/no_such_file.rs::x`",
        "`src/no_such_file.rs`",
        "`validate/src/no_such_file.rs`",
        "`ghostcast_no_such_total`",
        "`{reason=\"no_such\"}`",
    ] {
        assert_eq!(names(bad, &code, &find).len(), 1, "{bad}");
    }
    check(&documents(), |path| names(&read(path), &code, &find));
}

#[test]
fn the_book_lists_every_action_event_and_error() {
    assert_eq!(unlisted("`click`", &["click", "type"]), ["type"]);
    let command = read("src/model/command/error.rs");
    let kinds = wire_names(&command);
    assert!(kinds.contains(&"stale_element"), "{kinds:?}");
    let events = [&EVENT_TYPES_DEFAULT[..], &EVENT_TYPES_OPTIONAL].concat();
    let refusals = read("src/error.rs");
    let refusals = constructors(&refusals);
    assert!(refusals.contains(&"human_in_control"), "{refusals:?}");
    for (page, wanted) in [
        ("actions.md", [&ACTION_TYPES[..], &kinds].concat()),
        ("errors.md", refusals),
        ("events.md", events),
    ] {
        let path = format!("{BOOK}/{page}");
        assert_nothing(&named(&path, unlisted(&read(&path), &wanted)));
    }
}

#[test]
fn each_fault_has_a_live_test() {
    let table = "| fault | test |\n| --- | --- |\n";
    let good = format!("{table}| x | `tests/live/test_faults.py::test_livekit_restart` |\n");
    assert_eq!(untested(&good), [""; 0]);
    for bad in ["by hand", "`src/session/machine.rs::the_dead_stay_dead`"] {
        assert_eq!(
            untested(&format!("{table}| x | {bad} |\n")).len(),
            1,
            "{bad}"
        );
    }
    let text = read("docs/src/faults.md");
    assert!(text.contains("| fault |"), "there is a table");
    assert_nothing(&named("docs/src/faults.md", untested(&text)));
}

#[test]
fn each_error_is_provoked_by_a_live_test() {
    let tests = "fail(room, \"timeout\")\nassert state == \"closed\"";
    assert_eq!(unprovoked(tests, &["timeout", "closed"]), ["closed"]);
    let tests: Vec<_> = entries(&root().join("tests/live"))
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "py"))
        .map(|path| read(path.to_str().expect("a name of ours")))
        .collect();
    let command = read("src/model/command/error.rs");
    // Which is for defects of ours.
    let mut kinds = wire_names(&command);
    kinds.retain(|kind| *kind != "internal");
    assert_nothing(&named("tests/live", unprovoked(&tests.concat(), &kinds)));
}

// ---- the checkers: texts in, complaints out ---------------------------------------------------

fn layering(path: &str, text: &str) -> Vec<String> {
    let module = module_of(path);
    if is_test_file(path) || module == "lib" {
        return Vec::new();
    }
    let code = without_tests(&code_of(text));
    let Some((_, allowed)) = LAYERS.iter().find(|(known, _)| *known == module) else {
        return vec![format!("{path}: the module {module} is in no layer")];
    };
    let fits = |used: &str, allowed: &str| format!("{used}::").starts_with(&format!("{allowed}::"));
    let mut found = Vec::new();
    for (line, used) in references(&code, own_crate(module)) {
        let is_own = fits(&used, module);
        if !is_own && !allowed.iter().any(|allowed| fits(&used, allowed)) {
            found.push(format!("{path}:{line}: {module} may not use {used}"));
        }
    }
    for (line, supers) in super_chains(&code) {
        if supers >= depth(path) {
            found.push(format!(
                "{path}:{line}: super reaches the root; write crate::"
            ));
        }
    }
    found
}

fn browser_order(path: &str, text: &str) -> Vec<String> {
    let Some(inside) = path.strip_prefix("browser/") else {
        return Vec::new();
    };
    let place = |part: &str| BROWSER.iter().position(|known| *known == part);
    let Some(own) = place(module_of(inside)) else {
        return Vec::new();
    };
    let code = without_tests(&code_of(text));
    // From a file of a part, so many supers reach `browser`.
    let up = "super::".repeat(depth(path) - 1);
    let mut found = Vec::new();
    for (at, _) in code
        .match_indices(&up)
        .chain(code.match_indices("crate::browser::"))
    {
        let is_whole = !code[..at].ends_with("super::");
        let after = code[at..]
            .trim_start_matches("super::")
            .trim_start_matches("crate::browser::");
        let used: String = after
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        if is_whole && place(&used).is_some_and(|used| used > own) {
            found.push(format!(
                "{path}:{}: {} may not use {used}",
                line_of(&code, at),
                BROWSER[own]
            ));
        }
    }
    found
}

/// The validation program's own order, and what it may name.
fn validation(path: &str, text: &str) -> Vec<String> {
    let code = without_tests(&code_of(text));
    let mut found = strangers(path, &code, &VALIDATE_ENGINES);
    let own = module_of(path);
    let place = |file: &str| VALIDATE.iter().position(|known| *known == file);
    if own == "lib" {
        return found;
    }
    let Some(own) = place(own) else {
        return vec![format!("{path}: it has no place in the order")];
    };
    for root in ["super", "crate"] {
        for (line, used) in references(&code, root) {
            let used = module_of(used.split("::").next().unwrap_or(&used));
            if place(used).is_some_and(|used| used > own) {
                found.push(format!(
                    "{path}:{line}: {} may not use {used}",
                    VALIDATE[own]
                ));
            }
        }
    }
    found
}

/// Dependencies of a member that the root does not have, or not in this version and with these features: what
/// they are built of would be built anew for it.
fn foreign(root: &Value, member: &Value) -> Vec<String> {
    let version = |it: &Value| it.as_str().map_or(it["version"].clone(), Value::from);
    let is_default = |it: &Value| it["default-features"] != false;
    let dependencies = member["dependencies"].as_object().into_iter().flatten();
    let is_foreign = |(name, ours): &(&String, &Value)| {
        let theirs = &root["dependencies"][name.as_str()];
        let features = ours["features"].as_array().into_iter().flatten();
        let known = theirs["features"].as_array().cloned().unwrap_or_default();
        theirs.is_null()
            || !version(ours).is_string()
            || version(ours) != version(theirs)
            || (is_default(ours) && !is_default(theirs))
            || features.into_iter().any(|feature| !known.contains(feature))
    };
    let foreign = dependencies.filter(is_foreign);
    foreign
        .map(|(name, ours)| format!("validate/Cargo.toml: the library does not have {name} {ours}"))
        .collect()
}

/// Crates that are named outside their homes.
fn strangers(path: &str, code: &str, homes_of: &[(&str, &[&str])]) -> Vec<String> {
    let mut found = Vec::new();
    for (engine, homes) in homes_of {
        if !homes.iter().any(|home| path.starts_with(home)) {
            for (line, _) in crate_uses(code, engine) {
                found.push(format!(
                    "{path}:{line}: {engine} is named outside {homes:?}"
                ));
            }
        }
    }
    found
}

fn engines(path: &str, text: &str) -> Vec<String> {
    let code = without_tests(&code_of(text));
    let at = |homes: &[&str]| homes.iter().any(|home| path.starts_with(home));
    let mut found = strangers(path, &code, &ENGINES);
    for (line, rest) in crate_uses(&code, "utoipa") {
        let derived = at(&SCHEMAS) && rest.starts_with("::ToSchema");
        if !derived && !at(&["api/"]) {
            found.push(format!("{path}:{line}: utoipa is named outside api"));
        }
    }
    found
}

fn purity(path: &str, text: &str) -> Vec<String> {
    let is_pure = PURE.iter().any(|pure| path.starts_with(pure)) && path != PURE_EXCEPT;
    if !is_pure || is_test_file(path) {
        return Vec::new();
    }
    let code = without_tests(&code_of(text));
    let lines = code.lines().zip(1..);
    lines
        .flat_map(|(line, number)| IMPURE.iter().map(move |word| (line, number, word)))
        .filter(|(line, _, word)| words(line, word).next().is_some())
        .map(|(_, number, word)| format!("{path}:{number}: a pure core uses {word}"))
        .collect()
}

fn length(path: &str, text: &str) -> Vec<String> {
    let tests = test_lines(&code_of(text));
    let lines = tests.iter().filter(|is_test| !**is_test).count();
    let is_long = lines > FILE_LINES_MAX && !is_test_file(path);
    let complaint = format!("{path}: {lines} lines without tests, {FILE_LINES_MAX} at most");
    is_long.then_some(complaint).into_iter().collect()
}

fn leftovers(path: &str, text: &str) -> Vec<String> {
    let words = ["TODO", "FIXME", "todo!", "unimplemented!"];
    let mut found = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        for word in words {
            if self::words(line, word).next().is_some() {
                found.push(format!("{path}:{number}: {word}"));
            }
        }
    }
    found
}

/// The example has exactly the `known` keys, each with a comment right above it.
fn example(text: &str, known: &BTreeSet<String>) -> Vec<String> {
    let value: Value = match Figment::from(Toml::string(text)).extract() {
        Ok(value) => value,
        Err(error) => return vec![error.to_string()],
    };
    let present = keys(&value);
    let missing = known
        .difference(&present)
        .map(|key| format!("{key} is missing"));
    let unknown = present
        .difference(known)
        .map(|key| format!("{key} does not exist"));
    let lines: Vec<&str> = text.lines().collect();
    let silent = lines.windows(2).filter(|pair| {
        let is_setting = !pair[1].is_empty() && !pair[1].starts_with('#');
        is_setting && !pair[0].starts_with('#')
    });
    let silent = silent.map(|pair| format!("{:?} has no comment", pair[1]));
    missing.chain(unknown).chain(silent).collect()
}

/// Environment variables of settings (`GHOSTCAST_SECTION__KEY`) that set nothing.
fn variables(text: &str, known: &BTreeSet<String>) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let names = text.split(|c| !is_part(c));
    let settings = names.filter(|name| name.starts_with("GHOSTCAST_") && name.contains("__"));
    // The pattern itself, where it is explained.
    let settings = settings.filter(|name| *name != "GHOSTCAST_SECTION__KEY");
    let key = |name: &str| name["GHOSTCAST_".len()..].to_lowercase().replace("__", ".");
    settings
        .filter(|name| !known.contains(&key(name)))
        .map(|name| format!("{name} sets no key"))
        .collect()
}

/// Relative links of a file that lead nowhere, and anchors without a heading.
fn links(path: &str, text: &str, find: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let prose: String = prose_of(text).split('`').step_by(2).collect();
    let targets = prose
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    targets
        .filter(|target| !target.contains("://"))
        .filter(|target| {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let place = beside(path, file);
            let other = if file.is_empty() {
                Some(text.to_owned())
            } else {
                find(&place)
            };
            let leads = file.is_empty() || exists(&place);
            let is_there = |text: String| headings(&text).iter().any(|heading| heading == anchor);
            !(leads && (anchor.is_empty() || other.is_some_and(is_there)))
        })
        .map(|target| format!("the link {target} leads nowhere"))
        .collect()
}

/// The anchors of a document.
fn headings(text: &str) -> Vec<String> {
    let prose = prose_of(text);
    let lines = prose.lines().filter(|line| line.starts_with('#'));
    lines
        .map(|line| slug(line.trim_start_matches('#').trim()))
        .collect()
}

/// Where a relative link of the document at `path` leads, from the root.
fn beside(path: &str, link: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            ".." if !parts.is_empty() => {
                parts.pop();
            }
            "." => (),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn too_long(text: &str, lines_max: usize) -> Vec<String> {
    let lines = text.lines().count();
    let complaint = format!("{lines} lines, {lines_max} at most");
    (lines > lines_max)
        .then_some(complaint)
        .into_iter()
        .collect()
}

/// Blocks of commands without a mark above them that says how they are run, or why not.
fn unrun(text: &str, find: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    // A script is named whole, of others the test.
    let is_test = |name: &str| match name.trim().split_once("::") {
        Some((path, test)) => find(path).is_some_and(|file| file.contains(&format!(" {test}("))),
        None => name.trim().ends_with(".sh") && find(name.trim()).is_some(),
    };
    let is_marked = |line: &str| {
        let mark = line.trim().strip_prefix("<!-- ");
        let Some(mark) = mark.and_then(|mark| mark.strip_suffix("-->")) else {
            return false;
        };
        // What is run is found at the start of a line.
        let is_run = mark == "run " && line.starts_with('<');
        let why = mark.strip_prefix("not run:");
        let tested = mark.strip_prefix("tested:");
        is_run
            || why.is_some_and(|why| !why.trim().is_empty())
            || tested.is_some_and(|tests| tests.split(", ").all(is_test))
    };
    let lines: Vec<&str> = std::iter::once("").chain(text.lines()).collect();
    let blocks = lines.windows(2).zip(1..).filter(|(pair, _)| {
        let fence = pair[1].trim_start();
        fence == "```sh" || fence == "```bash"
    });
    blocks
        .filter(|(pair, _)| !is_marked(pair[0]))
        .map(|(_, line)| format!("line {line}: commands without a mark of how they are run"))
        .collect()
}

/// Names in backticks (tests, files, metrics) that do not exist.
fn names(text: &str, code: &str, find: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let prose = prose_of(text);
    let mut found = Vec::new();
    for name in prose.split('`').skip(1).step_by(2) {
        let folders = [
            "src/",
            "tests/",
            "deploy/",
            "benches/",
            "examples/",
            "docs/",
            "validate/",
        ];
        let is_path = folders.iter().any(|folder| name.starts_with(folder));
        let (metric, label) = name.split_once('{').unwrap_or((name, ""));
        let is_there = match name.split_once("::") {
            Some((path, test)) if is_path => find(path).is_some_and(|file| {
                ["fn ", "def "]
                    .iter()
                    .any(|word| file.contains(&format!("{word}{test}(")))
            }),
            _ if is_path => name.contains(' ') || exists(name),
            _ if metric.starts_with("ghostcast_") => code.contains(&format!("\"{metric}\"")),
            _ => true,
        };
        let reason = label
            .strip_prefix("reason=\"")
            .and_then(|rest| rest.split('"').next());
        let is_reason =
            reason.is_none_or(|reason| code.contains(&format!("\"reason\" => \"{reason}\"")));
        if !is_there || !is_reason {
            found.push(format!("{name} does not exist"));
        }
    }
    found
}

/// Rows of tables that do not end with the name of a live test; that it exists is for `names`.
fn untested(text: &str) -> Vec<String> {
    let rows = text.lines().filter(|line| line.starts_with('|'));
    let is_head = |line: &&str| line.starts_with("| fault |") || line.starts_with("| ---");
    rows.filter(|line| !is_head(line))
        .filter(|line| {
            let last = line.trim_end_matches([' ', '|']).rsplit("| ").next();
            !last.is_some_and(|test| test.starts_with("`tests/live/test_") && test.contains("::"))
        })
        .map(|line| format!("without a live test: {line}"))
        .collect()
}

/// What is not mentioned in backticks.
fn unlisted(text: &str, wanted: &[&str]) -> Vec<String> {
    let prose = prose_of(text);
    let missing = wanted
        .iter()
        .filter(|name| !prose.contains(&format!("`{name}`")));
    missing.map(|name| (*name).to_owned()).collect()
}

/// What no test asks for as the kind of an error; a word that only happens to be one is none.
fn unprovoked(tests: &str, kinds: &[&str]) -> Vec<String> {
    let asks = |line: &str| {
        ["fail(", "error_kind", "kinds", "REFUSED"]
            .iter()
            .any(|word| line.contains(word))
    };
    let is_row =
        |line: &str, kind: &str| line.trim_start().starts_with(&format!("(\"{kind}\", \""));
    let is_asked = |kind: &str| {
        let named = format!("\"{kind}\"");
        tests
            .lines()
            .any(|line| line.contains(&named) && (asks(line) || is_row(line, kind)))
    };
    let missing = kinds.iter().filter(|kind| !is_asked(kind));
    missing.map(|kind| (*kind).to_owned()).collect()
}

/// The texts that `as_str` gives for its variants: `Self::Variant => "text"`.
fn wire_names(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("Self::"))
        .filter_map(|line| line.split_once(" => \"")?.1.strip_suffix("\","))
        .collect()
}

/// The names of the lines `name => Variant;`, which make the constructors of errors.
fn constructors(text: &str) -> Vec<&str> {
    let rows = text.lines().filter(|line| line.ends_with(';'));
    rows.filter_map(|line| line.trim().split_once(" => "))
        .map(|(name, _)| name)
        .filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        .collect()
}

/// The edges of one file, tests aside: `module -> used`.
fn uses(source: &Source) -> Vec<String> {
    let module = module_of(&source.path);
    if is_test_file(&source.path) {
        return Vec::new();
    }
    let code = without_tests(&code_of(&source.text));
    let used = references(&code, own_crate(module)).into_iter();
    used.map(|(_, used)| format!("{module} -> {used}"))
        .collect()
}

// ---- reading Rust -----------------------------------------------------------------------------

/// The code with comments and the insides of literals blanked, line by line as it was.
fn code_of(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after_word = out.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => quoted(rest),
            'r' | 'b' if !after_word => raw_or_byte(rest),
            '\'' => character(rest),
            _ => 0,
        };
        if length == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            out.extend(
                rest[..length]
                    .chars()
                    .map(|c| if c == '\n' { '\n' } else { ' ' }),
            );
            rest = &rest[length..];
        }
    }
    out
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of a literal in double quotes.
fn quoted(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => (),
        }
    }
    text.len()
}

/// The length of `r"..."`, `r#"..."#`, `b"..."` and `br#"..."#`; 0 for a word.
fn raw_or_byte(text: &str) -> usize {
    let prefix = text.find(|c| c != 'b' && c != 'r').unwrap_or(text.len());
    let hashes = text[prefix..].chars().take_while(|c| *c == '#').count();
    let start = prefix + hashes;
    if prefix > 2 || !text[start..].starts_with('"') {
        return 0;
    }
    if !text[..prefix].contains('r') {
        return start + quoted(&text[start..]);
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let inside = &text[start + 1..];
    inside
        .find(&end)
        .map_or(text.len(), |at| start + 1 + at + end.len())
}

/// The length of a character literal; 0 for a lifetime.
fn character(text: &str) -> usize {
    let inside = &text[1..];
    if inside.starts_with('\\') {
        return inside[2..].find('\'').map_or(0, |end| end + 4);
    }
    let first = inside.chars().next().map_or(0, char::len_utf8);
    if inside[first..].starts_with('\'') {
        first + 2
    } else {
        0
    }
}

/// Which lines belong to a `#[cfg(test)] mod … { … }`; rustfmt puts its brace in column 0.
fn test_lines(code: &str) -> Vec<bool> {
    let opens = |line: &&str| line.starts_with("mod ") && line.ends_with('{');
    let mut lines = code.lines().peekable();
    let (mut marks, mut is_test) = (Vec::new(), false);
    while let Some(line) = lines.next() {
        is_test |= line == "#[cfg(test)]" && lines.peek().is_some_and(opens);
        marks.push(is_test);
        is_test &= line != "}";
    }
    marks
}

/// The code with its tests blanked.
fn without_tests(code: &str) -> String {
    let marked = code.lines().zip(test_lines(code));
    let kept = marked.map(|(line, is_test)| if is_test { "" } else { line });
    kept.collect::<Vec<_>>().join("\n")
}

/// Where `word` stands in `text` as a word of its own.
fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |at| {
            let (before, after) = (&text[..*at], &text[at + word.len()..]);
            let goes_on = word.ends_with(is_part) && after.starts_with(is_part);
            !(before.ends_with(is_part) || goes_on)
        })
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// What `own::` paths of the code refer to, each cut after its second word, with its line.
fn references(code: &str, own: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for at in words(code, own) {
        let after = &code[at + own.len()..];
        let is_path = after.trim_start().starts_with("::") && !code[..at].ends_with(['$', ':']);
        if is_path {
            let mut paths = Vec::new();
            branch(after.trim_start(), "", &mut paths);
            let line = line_of(code, at);
            found.extend(paths.into_iter().map(|path| (line, path)));
        }
    }
    found
}

/// Reads one branch of a use tree, from its `::` on; gives what follows it.
fn branch<'a>(text: &'a str, path: &str, paths: &mut Vec<String>) -> &'a str {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '*';
    let Some(inside) = text.strip_prefix("::") else {
        paths.push(path.split("::").take(2).collect::<Vec<_>>().join("::"));
        return text;
    };
    let mut rest = inside.trim_start();
    if let Some(list) = rest.strip_prefix('{') {
        rest = list.trim_start();
        while !rest.is_empty() && !rest.starts_with('}') {
            rest = word_and_branch(rest, path, paths);
            let end = rest.find([',', '}', '{']).unwrap_or(rest.len());
            rest = rest[end..].trim_start_matches([',', '{']).trim_start();
        }
        return rest.strip_prefix('}').unwrap_or(rest);
    }
    if rest.starts_with(is_part) {
        return word_and_branch(rest, path, paths);
    }
    branch("", path, paths)
}

fn word_and_branch<'a>(text: &'a str, path: &str, paths: &mut Vec<String>) -> &'a str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '*');
    let (word, rest) = text.split_at(end.unwrap_or(text.len()));
    let joined = match (path, word) {
        (path, "self" | "*") => path.to_owned(),
        ("", word) => word.to_owned(),
        (path, word) => format!("{path}::{word}"),
    };
    branch(rest.trim_start(), &joined, paths)
}

/// Lines with `super::super::…`, and how many there are in a row.
fn super_chains(code: &str) -> Vec<(usize, usize)> {
    let starts = words(code, "super").filter(|at| !code[..*at].ends_with("::"));
    let count = |at: usize| {
        let mut rest = &code[at..];
        let mut supers = 0;
        while let Some(after) = rest.strip_prefix("super::") {
            (rest, supers) = (after, supers + 1);
        }
        supers
    };
    let chains = starts.map(|at| (line_of(code, at), count(at)));
    chains.filter(|(_, supers)| *supers > 0).collect()
}

/// How many modules a file is below the root.
fn depth(path: &str) -> usize {
    let words = path.trim_end_matches(".rs").split('/');
    words.filter(|word| *word != "mod").count()
}

/// Where a crate is named: as the first word of a path, or alone in a `use`. With what follows.
fn crate_uses<'a>(code: &'a str, name: &'a str) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    for at in words(code, name) {
        let (before, after) = (&code[..at], &code[at + name.len()..]);
        let parent = before.strip_suffix("::").unwrap_or_default();
        let is_inner = parent.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '>');
        let alone =
            before.trim_end().ends_with("use") && after.trim_start().starts_with([';', 'a']);
        if !is_inner && (after.starts_with("::") || alone) {
            found.push((line_of(code, at), after));
        }
    }
    found
}

// ---- reading the repository -------------------------------------------------------------------

struct Source {
    /// Below the folder of all sources: `src`, or that of the validation program.
    path: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn exists(path: &str) -> bool {
    root().join(path).exists()
}

/// All that is written for people.
fn documents() -> Vec<String> {
    let pages = entries(&root().join(BOOK)).into_iter().filter_map(|path| {
        let name = path.file_name()?.to_str()?;
        name.ends_with(".md").then(|| format!("{BOOK}/{name}"))
    });
    let mut documents: Vec<String> = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"]
        .map(str::to_owned)
        .into();
    documents.extend(pages);
    documents.sort();
    documents
}

/// Runs a checker over documents.
fn check(paths: &[String], checker: impl Fn(&str) -> Vec<String>) {
    let found = paths.iter().flat_map(|path| named(path, checker(path)));
    assert_nothing(&found.collect::<Vec<_>>());
}

fn read(path: &str) -> String {
    let text = fs::read_to_string(root().join(path));
    text.unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files of the library and its program.
fn sources() -> Vec<Source> {
    let sources = sources_below("src");
    assert!(sources.len() > 50, "the sources were found");
    sources
}

fn sources_below(base: &str) -> Vec<Source> {
    let base = root().join(base);
    let mut folders = vec![base.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source is text");
                let path = path.strip_prefix(&base).expect("it lies below the base");
                let path = path.to_string_lossy().into_owned();
                sources.push(Source { path, text });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder can be listed");
    entries
        .map(|entry| entry.expect("an entry can be read").path())
        .collect()
}

fn check_sources(check: fn(&str, &str) -> Vec<String>) {
    check_all("src", &sources(), check);
}

/// The same for the files of the validation program.
fn check_validation(check: fn(&str, &str) -> Vec<String>) {
    let base = "validate/src";
    let sources = sources_below(base);
    assert!(sources.len() > VALIDATE.len(), "the sources were found");
    check_all(base, &sources, check);
}

fn check_all(base: &str, sources: &[Source], check: fn(&str, &str) -> Vec<String>) {
    let found = sources
        .iter()
        .flat_map(|source| check(&source.path, &source.text));
    assert_nothing(
        &found
            .map(|complaint| format!("{base}/{complaint}"))
            .collect::<Vec<_>>(),
    );
}

fn assert_nothing(found: &[String]) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

fn named(path: &str, complaints: Vec<String>) -> Vec<String> {
    complaints
        .into_iter()
        .map(|complaint| format!("{path}: {complaint}"))
        .collect()
}

/// The module of the library that a file belongs to.
fn module_of(path: &str) -> &str {
    path.split(['/', '.']).next().unwrap_or(path)
}

/// What a file's own crate is called in it: the program is a crate beside the library.
fn own_crate(module: &str) -> &'static str {
    if module == "main" {
        "ghostcast"
    } else {
        "crate"
    }
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.ends_with("_tests.rs")
}

/// The dotted paths of all values that are not tables.
fn keys(value: &Value) -> BTreeSet<String> {
    let Value::Object(table) = value else {
        return BTreeSet::from([String::new()]);
    };
    let below = |(name, value): (&String, &Value)| {
        let join = |key: &String| format!("{name}.{key}").trim_end_matches('.').to_owned();
        keys(value).iter().map(join).collect::<Vec<_>>()
    };
    table.iter().flat_map(below).collect()
}

/// Markdown without its code blocks.
fn prose_of(text: &str) -> String {
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The anchor of a heading: lower case, spaces as hyphens, no other signs.
fn slug(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || *c == ' ' || *c == '-' || *c == '_';
    let text: String = heading.to_lowercase().chars().filter(kept).collect();
    text.replace(' ', "-")
}
