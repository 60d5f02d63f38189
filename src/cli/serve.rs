//! `ghostcast serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use super::{ConfigFile, Signals};
use crate::app::App;
use crate::config::Flags;
use crate::demo;
use crate::error::Error;

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    file: ConfigFile,
    /// Where to listen; any address that is not loopback needs server.token.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Where the registry and the profiles of sessions with a name lie.
    #[arg(long, value_name = "DIRECTORY")]
    state_dir: Option<PathBuf>,
    /// Where screenshots are saved that are asked for by a file's name.
    #[arg(long, value_name = "DIRECTORY")]
    screenshots_dir: Option<PathBuf>,
    /// A JSON file that shows the registry to other programs.
    #[arg(long, value_name = "FILE")]
    registry_file: Option<PathBuf>,
    /// Open one session in room "demo": on URL, or on a built-in page that Ghostcast drives itself.
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "")]
    demo: Option<String>,
}

pub(super) async fn run(options: Options) -> Result<ExitCode, Error> {
    super::log_to_stderr(super::LOG_OF_SERVICES);
    let flags = Flags {
        listen: options.listen,
        state_dir: options.state_dir,
        registry_file: options.registry_file,
        screenshots_dir: options.screenshots_dir,
    };
    let config = options.file.load_with(&flags)?;
    let livekit = if config.livekit.is_configured() {
        config.livekit.url.as_str()
    } else {
        "none"
    };
    tracing::info!(livekit, "Ghostcast {}", env!("CARGO_PKG_VERSION"));
    let mut signals = Signals::listen()?;
    let app = App::start(config).await?;
    tracing::info!("dashboard at http://{}/", app.address());
    if let Some(url) = options.demo {
        let url = Some(url).filter(|url| !url.is_empty());
        demo::start(app.manager(), url).await?;
    }
    tokio::select! {
        () = signals.end() => (),
        () = app.drained() => (),
    }
    tracing::info!("ending");
    app.shut_down().await;
    Ok(ExitCode::SUCCESS)
}
