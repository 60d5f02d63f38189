//! `ghostcast mcp`: MCP on standard input and output, for clients that start their servers.
//!
//! It attaches to the service that runs already; where there is none it carries one of its own,
//! with all its doors, so that the events of what it does reach everybody either way. When the
//! service is lost, open calls are answered, and the conversation goes on with the next one.

mod ledger;
mod upstream;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines, Stdin, Stdout};
use tokio::time::timeout;

use self::ledger::Ledger;
use self::upstream::{Service, Upstream};
use super::{Address, ConfigFile, Signals};
use crate::config::Config;
use crate::error::Error;

/// A client that closes its end still gets the answers that come within this time.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    file: ConfigFile,
    #[command(flatten)]
    address: Address,
    /// Offer the extended tools besides the default seven.
    #[arg(long)]
    extended: bool,
}

pub(super) async fn run(options: Options) -> Result<ExitCode, Error> {
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
    upstream: Upstream,
    ledger: Ledger,
    client: Lines<BufReader<Stdin>>,
    answers: Stdout,
}

/// What came first.
enum Line {
    Client(io::Result<Option<String>>),
    Service(Option<String>),
}

impl Relay {
    async fn new(config: Config, extended: bool) -> Result<Self, Error> {
        let mut service = Service::new(config, extended);
        let upstream = service.connect().await?;
        Ok(Self {
            service,
            upstream,
            ledger: Ledger::default(),
            client: BufReader::new(tokio::io::stdin()).lines(),
            answers: tokio::io::stdout(),
        })
    }

    /// Runs until the client has hung up.
    async fn run(&mut self) -> Result<(), Error> {
        loop {
            let line = tokio::select! {
                line = self.client.next_line() => Line::Client(line),
                line = self.upstream.receive() => Line::Service(line),
            };
            match line {
                Line::Client(Ok(Some(line))) => {
                    self.ledger.asked(&line);
                    if self.upstream.send(&line).await.is_err() {
                        self.start_over().await?;
                    }
                }
                Line::Client(Ok(None)) => return self.finish().await,
                Line::Client(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                    tracing::debug!("a line that is no text was ignored");
                }
                Line::Client(Err(error)) => {
                    return Err(Error::internal("cannot read the client").source(error));
                }
                Line::Service(Some(line)) => {
                    if self.ledger.answered(&line) {
                        self.tell(&line).await?;
                    }
                }
                Line::Service(None) => self.start_over().await?,
            }
        }
    }

    /// The service is gone: answers what it left open, and goes on with another.
    async fn start_over(&mut self) -> Result<(), Error> {
        if self.service.was_refused() {
            // What the client says before its first greeting can end a conversation that had
            // not begun; then there is nothing to tell of.
            tracing::debug!("the conversation begins again");
        } else {
            tracing::warn!("the service that was attached to is gone");
        }
        for answer in self.ledger.close_open() {
            self.tell(&answer).await?;
        }
        self.upstream = self.service.connect().await?;
        for line in self.ledger.greeting() {
            if self.upstream.send(&line).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    /// The client says no more; it may still wait for answers.
    async fn finish(&mut self) -> Result<(), Error> {
        let rest = async {
            while self.ledger.has_open() {
                let Some(line) = self.upstream.receive().await else {
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
        drop(self.upstream);
        self.service.end().await;
    }
}
