//! `ghostcast token`: lets people join a room with any LiveKit client.

use std::io::Write;
use std::process::ExitCode;

use super::{Address, ConfigFile};
use crate::error::Error;
use crate::livekit::token::mint_viewer;
use crate::model::RoomName;

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    file: ConfigFile,
    /// The room.
    #[arg(long)]
    room: String,
    /// Who joins.
    #[arg(long, default_value = "viewer")]
    identity: String,
}

pub(super) fn run(options: &Options) -> Result<ExitCode, Error> {
    let config = options.file.load(&Address::default())?;
    if !config.livekit.is_configured() {
        return Err(
            Error::invalid_input("there is no LiveKit key to mint a token from")
                .hint("Set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET."),
        );
    }
    if options.identity == config.livekit.identity {
        return Err(Error::invalid_input(format!(
            "\"{}\" is the browser's own identity",
            options.identity
        ))
        .hint("Choose another: LiveKit removes a participant when another joins as the same."));
    }
    let room = RoomName::parse(&options.room)?;
    let livekit = &config.livekit;
    let token = mint_viewer(
        &livekit.api_key,
        &livekit.api_secret,
        &room,
        &options.identity,
    )
    .map_err(|error| Error::internal("the token could not be minted").source(error))?;
    let written = writeln!(std::io::stdout(), "{}", token.reveal());
    written.map_err(|error| Error::internal("cannot write the token").source(error))?;
    Ok(ExitCode::SUCCESS)
}
