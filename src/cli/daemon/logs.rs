//! `ghostcast logs`.

use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::super::{Settings, Signals, log};
use super::tail::{self, Tail};
use super::{Place, print};
use crate::error::Error;

/// Between two looks for new lines.
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
pub(in super::super) struct Options {
    #[command(flatten)]
    settings: Settings,
    /// How many of the last lines to print.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    lines: usize,
    /// Print new lines as they come, until Ctrl-C.
    #[arg(short, long)]
    follow: bool,
    /// What start, stop, restart and cleanup did, instead of what the service tells.
    #[arg(long)]
    daemon: bool,
    /// How the actions of sessions have ended, one JSON object each, instead of what the service tells.
    #[arg(long, conflicts_with = "daemon")]
    actions: bool,
}

pub(in super::super) async fn run(options: Options) -> Result<ExitCode, Error> {
    let place = Place::of(&options.settings)?;
    let name = match (options.daemon, options.actions) {
        (true, _) => log::DAEMON,
        (_, true) => log::ACTIONS,
        _ => log::SERVER,
    };
    let mut signals = Signals::listen()?;
    // First the place to go on from: a line between the two is printed twice and not lost.
    let mut tail = Tail::end_of(&place.logs, name);
    let last = tail::last(&place.logs, name, options.lines);
    if last.is_none() && !options.follow {
        let path = place.logs.join(name);
        return Err(
            Error::not_found(format!("there is no log {}", path.display())).hint(
                "`ghostcast start` writes one; `ghostcast serve` does with --log-dir, and else tells on \
                 standard error.",
            ),
        );
    }
    for line in last.into_iter().flatten() {
        if !print(&line)? {
            return Ok(ExitCode::SUCCESS);
        }
    }
    if !options.follow {
        return Ok(ExitCode::SUCCESS);
    }
    tokio::select! {
        followed = follow(&mut tail) => followed?,
        () = signals.end() => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what comes, until nobody reads it.
async fn follow(tail: &mut Tail) -> Result<(), Error> {
    loop {
        let lines = tail.read_on().map_err(|error| {
            Error::unavailable(format!("the log cannot be read: {error}")).source(error)
        })?;
        let is_through = lines.is_empty();
        for line in lines {
            if !print(&line)? {
                return Ok(());
            }
        }
        if is_through && !is_read() {
            return Ok(());
        }
        if is_through {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Whether somebody reads what is printed; a pipe tells when its other end has gone.
fn is_read() -> bool {
    let out = std::io::stdout();
    let mut asked = [PollFd::new(out.as_fd(), PollFlags::empty())];
    let told = poll(&mut asked, PollTimeout::ZERO);
    let has_gone = asked[0]
        .revents()
        .is_some_and(|flags| flags.contains(PollFlags::POLLERR));
    !(told.is_ok() && has_gone)
}
