//! `ghostcast serve`.

use std::process::ExitCode;

use super::{Settings, Signals, log};
use crate::app::App;
use crate::config::Config;
use crate::demo;
use crate::error::{Chain, Error};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    settings: Settings,
    /// Open one session in room "demo": on URL, or on a built-in page that Ghostcast drives itself.
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "")]
    demo: Option<String>,
}

pub(super) async fn run(options: Options) -> Result<ExitCode, Error> {
    let config = options.settings.load()?;
    let directory = config.log.is_placed().then(|| config.log.directory.clone());
    let logging = log::of_service(&config, directory.as_deref(), false)?;
    let served = tokio::select! {
        served = serve(config, &options) => served,
        () = logging.watch() => Ok(()),
    };
    if directory.is_some()
        && let Err(error) = &served
    {
        let hint = error.hint.as_deref();
        tracing::error!(hint, "ended: {}", Chain(error));
    }
    served.map(|()| ExitCode::SUCCESS)
}

/// Serves until a signal ends it.
async fn serve(config: Config, options: &Options) -> Result<(), Error> {
    let livekit = if config.livekit.is_configured() {
        config.livekit.url.as_str()
    } else {
        "none"
    };
    tracing::info!(livekit, "Ghostcast {}", env!("CARGO_PKG_VERSION"));
    let mut signals = Signals::listen()?;
    let app = App::start(config).await?;
    tracing::info!("dashboard at http://{}/", app.address());
    if let Some(url) = &options.demo {
        let url = Some(url.clone()).filter(|url| !url.is_empty());
        demo::start(app.manager(), url).await?;
    }
    tokio::select! {
        () = signals.end() => (),
        () = app.drained() => (),
    }
    tracing::info!("ending");
    app.shut_down().await;
    Ok(())
}
