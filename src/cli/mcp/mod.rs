//! `ghostcast mcp`: MCP on standard input and output, for clients that start their servers.
//!
//! It attaches to the service that runs already; where there is none at its start it carries one of
//! its own, with all its doors, so that the events of what it does reach everybody either way. Which of
//! both is decided once: a client of a service never takes its place. When that service is lost, open
//! calls are answered, further ones are told so, and the conversation goes on when it is back.

mod clients;
mod input;
mod install;
mod ledger;
mod merge;
mod upstream;

use std::process::ExitCode;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, Stdout};
use tokio::time::timeout;

use self::input::{Input, Said};
use self::ledger::Ledger;
use self::upstream::{Away, Service, Upstream};
use super::{Address, ConfigFile, Signals};
use crate::config::Config;
use crate::error::Error;

/// A client that closes its end still gets the answers that come within this time.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

const LOST: &str = "The Ghostcast service ended before it answered. Sessions without a name ended with it: \
    once it runs again, call start_browser_session to start one.";

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Options {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    file: ConfigFile,
    #[command(flatten)]
    address: Address,
    /// Offer the extended tools besides the default seven.
    #[arg(long)]
    extended: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Print what the settings of a program that speaks MCP need, or write it into them.
    Install(install::Options),
}

pub(super) async fn run(options: Options) -> Result<ExitCode, Error> {
    if let Some(Verb::Install(options)) = &options.verb {
        return install::run(options);
    }
    super::log::to_stderr(super::log::OF_SERVICES);
    let config = options.file.load(&options.address)?;
    let mut signals = Signals::listen()?;
    let mut relay = Relay::new(config, options.extended).await?;
    let outcome = tokio::select! {
        outcome = relay.run() => outcome,
        () = signals.end() => Ok(()),
    };
    relay.end().await;
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Carries lines between the client and the service.
struct Relay {
    service: Service,
    link: Link,
    ledger: Ledger,
    client: Input,
    answers: Stdout,
}

/// The other end.
enum Link {
    Up(Upstream),
    /// The service does not run, and is waited for.
    Away(Away),
}

/// What the other end does.
enum Heard {
    Line(String),
    Lost,
    Back(Upstream),
}

impl Link {
    /// What comes next from there. Safe to cancel.
    async fn next(&mut self) -> Result<Heard, Error> {
        match self {
            Self::Up(upstream) => Ok(match upstream.receive().await {
                Some(line) => Heard::Line(line),
                None => Heard::Lost,
            }),
            Self::Away(away) => away.back().await.map(Heard::Back),
        }
    }
}

impl Relay {
    async fn new(config: Config, extended: bool) -> Result<Self, Error> {
        let service = Service::find(config, extended).await?;
        let upstream = service.connect().await?;
        Ok(Self {
            service,
            link: Link::Up(upstream),
            ledger: Ledger::default(),
            client: Input::new(),
            answers: tokio::io::stdout(),
        })
    }

    /// Runs until the client has hung up.
    async fn run(&mut self) -> Result<(), Error> {
        loop {
            tokio::select! {
                said = self.client.next() => match said {
                    Ok(Some(said)) => self.hear_client(said).await?,
                    Ok(None) => return self.finish().await,
                    Err(error) => {
                        return Err(Error::internal("cannot read the client").source(error));
                    }
                },
                heard = self.link.next() => match heard? {
                    Heard::Line(line) => {
                        if self.ledger.answered(&line) {
                            self.tell(&line).await?;
                        }
                    }
                    Heard::Lost => self.start_over().await?,
                    Heard::Back(upstream) => self.go_on(upstream).await,
                },
            }
        }
    }

    async fn hear_client(&mut self, said: Said) -> Result<(), Error> {
        let line = match said {
            Said::Line(line) => line,
            Said::Noise => {
                tracing::debug!("a line that is no text was ignored");
                return Ok(());
            }
            Said::TooLong => {
                let bytes_max = self.service.line_bytes_max();
                let why =
                    format!("A message has at most {bytes_max} bytes (server.body_bytes_max).");
                return self.tell(&ledger::nameless_refusal(&why)).await;
            }
        };
        let (bytes, bytes_max) = (line.len(), self.service.line_bytes_max());
        if bytes > bytes_max {
            let why = format!(
                "The message has {bytes} bytes, and the service takes at most {bytes_max} \
                 (server.body_bytes_max)."
            );
            tracing::warn!(bytes, bytes_max, "a message was refused for its size");
            return match ledger::refusal(&line, &why) {
                Some(answer) => self.tell(&answer).await,
                None => Ok(()),
            };
        }
        self.ledger.asked(&line);
        match &mut self.link {
            Link::Up(upstream) => match upstream.send(&line).await {
                Ok(()) => Ok(()),
                Err(_) => self.start_over().await,
            },
            Link::Away(away) => {
                let why = away.told();
                self.answer_open(&why).await
            }
        }
    }

    /// The service is gone: answers what it left open, and goes on with it where it is back already.
    async fn start_over(&mut self) -> Result<(), Error> {
        self.answer_open(LOST).await?;
        if let Ok(upstream) = self.service.connect().await {
            // What the client says before its first greeting can end a conversation that had
            // not begun; then there is nothing to tell of.
            tracing::debug!("the conversation begins again");
            self.go_on(upstream).await;
            return Ok(());
        }
        self.link = Link::Away(self.service.wait()?);
        Ok(())
    }

    /// Goes on with a service that knows nothing of the conversation.
    async fn go_on(&mut self, mut upstream: Upstream) {
        for line in self.ledger.greeting() {
            if upstream.send(&line).await.is_err() {
                // It has gone again, as its next line will tell.
                break;
            }
        }
        self.link = Link::Up(upstream);
    }

    async fn answer_open(&mut self, why: &str) -> Result<(), Error> {
        for answer in self.ledger.close_open(why) {
            self.tell(&answer).await?;
        }
        Ok(())
    }

    /// The client says no more; it may still wait for answers.
    async fn finish(&mut self) -> Result<(), Error> {
        let rest = async {
            while self.ledger.has_open() {
                let Ok(Heard::Line(line)) = self.link.next().await else {
                    break;
                };
                if self.ledger.answered(&line) {
                    self.tell(&line).await?;
                }
            }
            Ok(())
        };
        timeout(LAST_ANSWERS, rest).await.unwrap_or(Ok(()))
    }

    async fn tell(&mut self, line: &str) -> Result<(), Error> {
        let told = async {
            self.answers.write_all(line.as_bytes()).await?;
            self.answers.write_all(b"\n").await?;
            self.answers.flush().await
        };
        told.await
            .map_err(|error| Error::internal("the client reads no more").source(error))
    }

    async fn end(self) {
        drop(self.link);
        self.service.end().await;
    }
}
