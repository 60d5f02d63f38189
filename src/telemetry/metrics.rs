//! What `/metrics` tells, sent by OTLP. The numbers are those of the one recorder: what is counted is counted once.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_sdk::Resource as SdkResource;
use prost::Message;

use super::post::{Poster, Unsent};
use crate::config;

/// Who tells.
const SERVICE: &str = "ghostcast";

/// Sends measurements.
#[derive(Debug)]
pub(super) struct Sender {
    poster: Poster,
    url: String,
    headers: Vec<(String, String)>,
    every: Duration,
    resource: Resource,
    began: u64,
}

/// What is told of the service with all that it tells.
fn attributes(config: &config::Telemetry) -> Vec<(&'static str, String)> {
    let mut attributes = vec![
        ("service.name", SERVICE.to_owned()),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    if !config.environment.is_empty() {
        attributes.push(("deployment.environment.name", config.environment.clone()));
    }
    attributes
}

/// The same as traces have it.
pub(super) fn resource(config: &config::Telemetry) -> SdkResource {
    let attributes = attributes(config).into_iter();
    let attributes = attributes.map(|(key, value)| opentelemetry::KeyValue::new(key, value));
    SdkResource::builder_empty()
        .with_attributes(attributes)
        .build()
}

fn nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}

fn pair(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}

impl Sender {
    pub(super) fn new(config: &config::Telemetry, poster: Poster) -> Self {
        let mut headers = config.headers();
        headers.push((
            "content-type".to_owned(),
            "application/x-protobuf".to_owned(),
        ));
        let attributes = attributes(config);
        Self {
            poster,
            url: format!("{}/v1/metrics", config.otlp_endpoint.trim_end_matches('/')),
            headers,
            every: Duration::from_secs(config.metrics_every_s),
            resource: Resource {
                attributes: attributes
                    .iter()
                    .map(|(key, value)| pair(key, value))
                    .collect(),
                ..Resource::default()
            },
            began: nanos(),
        }
    }

    pub(super) async fn send_for_ever(&self, rendered: impl Fn() -> String) {
        let mut was_lost = false;
        loop {
            tokio::time::sleep(self.every).await;
            let sent = self.send(&rendered()).await;
            // A collector that stays away is told of once.
            match sent {
                Err(error) if !was_lost => {
                    tracing::warn!(%error, "measurements are not sent: the collector does not take them");
                    was_lost = true;
                }
                Err(_) => (),
                Ok(()) => was_lost = false,
            }
        }
    }

    pub(super) async fn send(&self, rendered: &str) -> Result<(), Unsent> {
        let request = ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(self.resource.clone()),
                scope_metrics: vec![ScopeMetrics {
                    scope: Some(InstrumentationScope {
                        name: SERVICE.to_owned(),
                        version: env!("CARGO_PKG_VERSION").to_owned(),
                        ..InstrumentationScope::default()
                    }),
                    metrics: metrics(rendered, self.began, nanos()),
                    ..ScopeMetrics::default()
                }],
                ..ResourceMetrics::default()
            }],
        };
        let body = request.encode_to_vec();
        self.poster.post(&self.url, &self.headers, body).await
    }
}

/// A line of measurements: its name, its labels and its value.
struct Sample<'a> {
    name: &'a str,
    labels: Vec<(&'a str, String)>,
    value: f64,
}

/// Reads a line of Prometheus's text format 0.0.4, as the recorder writes it: without a time.
fn sample(line: &str) -> Option<Sample<'_>> {
    let (name, labels, value) = match line.split_once('{') {
        Some((name, rest)) => {
            let (labels, value) = rest.rsplit_once('}')?;
            (name, self::labels(labels), value)
        }
        None => {
            let (name, value) = line.split_once(' ')?;
            (name, Vec::new(), value)
        }
    };
    let value = value.trim().parse().ok()?;
    Some(Sample {
        name,
        labels,
        value,
    })
}

/// `name="value"` with commas between; a backslash stands before a quote, a backslash and the `n` of a new line.
fn labels(mut text: &str) -> Vec<(&str, String)> {
    let mut labels = Vec::new();
    while let Some((name, rest)) = text.split_once("=\"") {
        let mut value = String::new();
        let mut letters = rest.char_indices();
        let mut end = rest.len();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => {
                    end = at + 1;
                    break;
                }
                '\\' => match letters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, other)) => value.push(other),
                    None => (),
                },
                other => value.push(other),
            }
        }
        labels.push((name.trim_start_matches(','), value));
        text = rest.get(end..).unwrap_or_default();
    }
    labels
}

/// The measurements of a text as OTLP has them.
fn metrics(rendered: &str, began: u64, now: u64) -> Vec<Metric> {
    let mut help: BTreeMap<&str, &str> = BTreeMap::new();
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    let mut samples: Vec<Sample<'_>> = Vec::new();
    for line in rendered.lines() {
        match line.strip_prefix("# ") {
            Some(told) => {
                let (what, rest) = told.split_once(' ').unwrap_or_default();
                let (name, text) = rest.split_once(' ').unwrap_or_default();
                match what {
                    "HELP" => drop(help.insert(name, text)),
                    "TYPE" => drop(kinds.insert(name, text)),
                    _ => (),
                }
            }
            None => samples.extend(sample(line)),
        }
    }
    let data = |(name, kind): (&&str, &&str)| {
        let of_name = |suffix: &str| {
            let full = format!("{name}{suffix}");
            samples.iter().filter(move |sample| sample.name == full)
        };
        let points = |sample: &Sample<'_>| NumberDataPoint {
            attributes: attributes_of(&sample.labels),
            start_time_unix_nano: began,
            time_unix_nano: now,
            value: Some(Number::AsDouble(sample.value)),
            ..NumberDataPoint::default()
        };
        let data = match *kind {
            "counter" => Data::Sum(Sum {
                data_points: of_name("").map(points).collect(),
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
                is_monotonic: true,
            }),
            "gauge" => Data::Gauge(Gauge {
                data_points: of_name("").map(points).collect(),
            }),
            "histogram" => Data::Histogram(Histogram {
                data_points: of_name("_count")
                    .map(|count| histogram(count, of_name("_sum"), of_name("_bucket"), began, now))
                    .collect(),
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
            }),
            _ => return None,
        };
        Some(Metric {
            name: (*name).to_owned(),
            description: help
                .get(name)
                .map(|text| (*text).to_owned())
                .unwrap_or_default(),
            unit: if name.contains("_seconds") { "s" } else { "" }.to_owned(),
            data: Some(data),
            ..Metric::default()
        })
    };
    kinds.iter().filter_map(data).collect()
}

fn attributes_of(labels: &[(&str, String)]) -> Vec<KeyValue> {
    labels.iter().map(|(key, value)| pair(key, value)).collect()
}

/// Buckets are told with all that is below them, and as OTLP has it by themselves.
fn histogram<'a>(
    count: &Sample<'a>,
    mut sums: impl Iterator<Item = &'a Sample<'a>>,
    buckets: impl Iterator<Item = &'a Sample<'a>>,
    began: u64,
    now: u64,
) -> HistogramDataPoint {
    let is_its = |sample: &&Sample<'_>| {
        let own = sample.labels.iter().filter(|(name, _)| *name != "le");
        own.eq(count.labels.iter())
    };
    let sum = sums.find(is_its).map(|sum| sum.value);
    let mut below = 0.0;
    let (mut bounds, mut counts) = (Vec::new(), Vec::new());
    for bucket in buckets.filter(is_its) {
        let bound = bucket.labels.iter().find(|(name, _)| *name == "le");
        if let Some(bound) = bound.and_then(|(_, bound)| bound.parse::<f64>().ok()) {
            if bound.is_finite() {
                bounds.push(bound);
            }
            counts.push((bucket.value - below) as u64);
            below = bucket.value;
        }
    }
    HistogramDataPoint {
        attributes: attributes_of(&count.labels),
        start_time_unix_nano: began,
        time_unix_nano: now,
        count: count.value as u64,
        sum,
        bucket_counts: counts,
        explicit_bounds: bounds,
        ..HistogramDataPoint::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP a_total What a is\n# TYPE a_total counter\na_total{kind=\"x\\\"y\",b=\"1\"} 3\n\
        \n# TYPE b gauge\nb 2.5\n\n# TYPE c_seconds histogram\nc_seconds_bucket{p=\"/\",le=\"0.5\"} 2\n\
        c_seconds_bucket{p=\"/\",le=\"1\"} 5\nc_seconds_bucket{p=\"/\",le=\"+Inf\"} 6\nc_seconds_sum{p=\"/\"} 4.5\n\
        c_seconds_count{p=\"/\"} 6\n# TYPE d summary\nd{quantile=\"0\"} 1\n";

    #[test]
    fn numbers_are_the_same() {
        let told = metrics(TEXT, 1, 2);
        let names: Vec<&str> = told.iter().map(|metric| metric.name.as_str()).collect();
        assert_eq!(names, ["a_total", "b", "c_seconds"]);
        assert_eq!(told[0].description, "What a is");
        let Some(Data::Sum(sum)) = &told[0].data else {
            panic!("a counter");
        };
        assert_eq!(sum.data_points[0].value, Some(Number::AsDouble(3.0)));
        assert_eq!(
            sum.data_points[0].attributes,
            [pair("kind", "x\"y"), pair("b", "1")]
        );
        let Some(Data::Histogram(histogram)) = &told[2].data else {
            panic!("a histogram");
        };
        let point = &histogram.data_points[0];
        assert_eq!(point.bucket_counts, [2, 3, 1]);
        assert_eq!(point.explicit_bounds, [0.5, 1.0]);
        assert_eq!((point.count, point.sum), (6, Some(4.5)));
        assert_eq!(told[2].unit, "s");
    }
}
