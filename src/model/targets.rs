//! Targets by which what is told of the service is told apart.

/// Spans of traces. They are no part of the log.
pub const SPANS: &str = "ghostcast::spans";

/// Jobs that have failed for good: what is reported though it is no defect.
pub const FAILED_JOBS: &str = "ghostcast::jobs::failed";
