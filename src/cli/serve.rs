//! `ghostcast serve`.

use std::net::SocketAddr;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::ConfigFile;
use crate::app::App;
use crate::config::{self, Flags};
use crate::demo;
use crate::error::Error;

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    file: ConfigFile,
    /// Where to listen; any address that is not loopback needs server.token.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Open one session in room "demo": on URL, or on a built-in page that Ghostcast drives itself.
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "")]
    demo: Option<String>,
}

pub(super) async fn run(options: Options) -> Result<ExitCode, Error> {
    let filter = EnvFilter::try_from_env("GHOSTCAST_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,chromiumoxide=off,str0m=warn,livekit=warn"));
    // The browser's raw messages hold whatever is typed and shown, secrets among it.
    let filter = match "chromiumoxide=off".parse() {
        Ok(silent) => filter.add_directive(silent),
        Err(_) => filter,
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    let flags = Flags {
        listen: options.listen,
    };
    let config = config::load(options.file.config.as_deref(), &flags)?;
    let livekit = if config.livekit.is_configured() {
        config.livekit.url.as_str()
    } else {
        "none"
    };
    tracing::info!(livekit, "Ghostcast {}", env!("CARGO_PKG_VERSION"));
    let broken = |error| Error::internal("cannot listen for signals").source(error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(broken)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(broken)?;
    let app = App::start(config).await?;
    tracing::info!("dashboard at http://{}/", app.address());
    if let Some(url) = options.demo {
        let url = Some(url).filter(|url| !url.is_empty());
        demo::start(app.manager(), url).await?;
    }
    tokio::select! {
        _ = interrupt.recv() => (),
        _ = terminate.recv() => (),
    }
    tracing::info!("ending");
    app.shut_down().await;
    Ok(ExitCode::SUCCESS)
}
