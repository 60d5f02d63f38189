//! The measurements of each way by which video goes out, as lines for Prometheus: made when asked for, so that nothing
//! stays of a viewer who has left.

use std::fmt::Write as _;

use crate::model::watched::ViewerInfo;
use crate::session::Watched;

/// A family of measurements: its name, its type, what it is, and its value of one way.
type Family = (
    &'static str,
    &'static str,
    &'static str,
    fn(&ViewerInfo) -> Option<f64>,
);

const FAMILIES: [Family; 7] = [
    (
        "ghostcast_viewer_rtt_seconds",
        "gauge",
        "Shortest round trip of the last half minute, by way that video goes out",
        |way| way.rtt_ms.map(|ms| ms / 1_000.0),
    ),
    (
        "ghostcast_viewer_loss_ratio",
        "gauge",
        "Share of packets lost in the last moments",
        |way| Some(way.loss),
    ),
    (
        "ghostcast_viewer_estimate_bits_per_second",
        "gauge",
        "What the way is found to carry",
        |way| way.estimate_bps.map(|bits| bits as f64),
    ),
    (
        "ghostcast_viewer_path_full",
        "gauge",
        "Whether the way was found full in the last moments",
        |way| Some(f64::from(u8::from(way.path_full))),
    ),
    (
        "ghostcast_viewer_packets_repaired_total",
        "counter",
        "Packets that were sent again",
        |way| Some(way.packets_repaired as f64),
    ),
    (
        "ghostcast_viewer_keyframes_asked_total",
        "counter",
        "Keyframes that the other side has asked for",
        |way| Some(way.keyframes_asked as f64),
    ),
    (
        "ghostcast_viewer_dropped_total",
        "counter",
        "Pictures, and packets, that found no place on the way out",
        |way| Some(way.dropped as f64),
    ),
];

/// All of them, labelled with the session, the kind of viewer and its id; the route, which may change, is a label of one
/// alone. Nothing is told of a way before its first packet.
pub(super) fn lines(sessions: &[Watched]) -> String {
    let ways: Vec<_> = sessions
        .iter()
        .flat_map(|session| {
            let begun = session.ways.iter().filter(|way| way.route.is_some());
            begun.map(|way| (labels(session, way), way))
        })
        .collect();
    let mut text = String::new();
    for (name, kind, help, value) in FAMILIES {
        let values = ways
            .iter()
            .filter_map(|(labels, way)| Some((labels.clone(), value(way)?)));
        write_family(&mut text, (name, kind, help), values);
    }
    let routes = ways.iter().filter_map(|(labels, way)| {
        let route = way.route?.as_str();
        Some((format!("{labels},route=\"{route}\""), 1.0))
    });
    let route = "The route that packets take now";
    write_family(
        &mut text,
        ("ghostcast_viewer_route", "gauge", route),
        routes,
    );
    let layers: Vec<_> = ways
        .iter()
        .flat_map(|(labels, way)| {
            let of = move |layer: &str| format!("{labels},layer=\"{layer}\"");
            way.layers.iter().map(move |sent| (of(sent.layer), sent))
        })
        .collect();
    let fps = "Pictures a second over the last two, by layer";
    let values = layers
        .iter()
        .map(|(labels, sent)| (labels.clone(), sent.fps));
    write_family(&mut text, ("ghostcast_viewer_fps", "gauge", fps), values);
    let pictures = "Pictures sent since the connection began, by layer";
    let values = layers
        .iter()
        .map(|(labels, sent)| (labels.clone(), sent.pictures_sent as f64));
    let family = ("ghostcast_viewer_pictures_total", "counter", pictures);
    write_family(&mut text, family, values);
    text
}

fn labels(session: &Watched, way: &ViewerInfo) -> String {
    let viewer = way.viewer_id.map(|id| id.to_string()).unwrap_or_default();
    format!(
        "session=\"{}\",kind=\"{}\",viewer=\"{viewer}\"",
        session.session_id,
        way.kind.as_str()
    )
}

fn write_family(
    text: &mut String,
    (name, kind, help): (&str, &str, &str),
    values: impl Iterator<Item = (String, f64)>,
) {
    let mut values = values.peekable();
    if values.peek().is_none() {
        return;
    }
    // Writing to a string cannot fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    for (labels, value) in values {
        let _ = writeln!(text, "{name}{{{labels}}} {value}");
    }
}
