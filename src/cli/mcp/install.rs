//! `ghostcast mcp install`: the service, in the settings of a program that speaks MCP. Printed, or written
//! beside what stands there.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use url::Url;

use super::clients::{Client, Server};
use super::merge;
use crate::cli::settings::absolute;
use crate::cli::{Address, ConfigFile};
use crate::config::{self, Config};
use crate::disk;
use crate::error::Error;

/// The variable that clients find the token in, as those of ours do.
const TOKEN_ENV: &str = "GHOSTCAST_TOKEN";
/// Copies of a file as it was before; more of them are not made.
const BACKUPS_MAX: u32 = 100;

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The program.
    #[arg(value_enum)]
    client: Client,
    /// Write it into the program's file, and keep a copy of the file as it was.
    #[arg(long)]
    write: bool,
    /// Where the service is, if not where the settings say.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The variable of the program's environment that holds the token; by itself where the settings have tokens.
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = TOKEN_ENV)]
    token_env: Option<String>,
    /// What the program calls the service.
    #[arg(long, value_name = "NAME", default_value = "ghostcast")]
    name: String,
    /// With the extended tools besides the default seven.
    #[arg(long)]
    extended: bool,
    /// The program's file, if it lies elsewhere.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    settings: ConfigFile,
    #[command(flatten)]
    address: Address,
}

pub(super) fn run(options: &Options) -> Result<ExitCode, Error> {
    check_name("--name", &options.name)?;
    let client = options.client;
    let config = options.settings.load(&options.address)?;
    let server = server(options, &config)?;
    let entry = client.entry(&server);
    let text = client.text(&options.name, &entry);
    let home = config::home_directory();
    let file = options.file.clone();
    let file = file.or_else(|| client.file(home, config::settings_directory()));
    if !options.write {
        print(&text)?;
        let file = file.map_or_else(String::new, |file| format!(" ({})", file.display()));
        eprintln!(
            "This belongs into the settings of {}{file}; --write puts it there.",
            client.title()
        );
        tell_of_the_token(&server, client);
        return Ok(ExitCode::SUCCESS);
    }
    if !client.is_json() {
        return Err(Error::invalid_input(format!(
            "the settings of {} are not written",
            client.title()
        ))
        .hint("They are TOML: run this without --write and put what it prints at their end."));
    }
    let file = file.ok_or_else(|| {
        Error::invalid_input("there is no home directory that has the file")
            .hint("Name it, by --file.")
    })?;
    let told = write(&file, client.section(), &options.name, &entry).map_err(|refused| {
        refused.hint(format!(
            "Nothing was written. Mend it, or put this in by hand:\n{text}"
        ))
    })?;
    print(&told)?;
    tell_of_the_token(&server, client);
    Ok(ExitCode::SUCCESS)
}

/// What the client is told of the service.
fn server(options: &Options, config: &Config) -> Result<Server, Error> {
    let listen = config.server.listen;
    let given = options.url.as_deref();
    let here = match listen.ip().is_unspecified() {
        true => format!("http://127.0.0.1:{}/mcp", listen.port()),
        false => format!("http://{listen}/mcp"),
    };
    let mut url = Url::parse(given.unwrap_or(&here))
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| {
            Error::invalid_input("--url is no address of a service")
                .hint("Write it as https://ghostcast.example.com.")
        })?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err(Error::invalid_input("--url holds more than an address")
            .hint("A token is named by --token-env, so that it stands in no file."));
    }
    if !url.path().ends_with("/mcp") {
        let path = format!("{}/mcp", url.path().trim_end_matches('/'));
        url.set_path(&path);
    }
    if options.client.starts_its_servers() && given.is_some() {
        return Err(Error::invalid_input(format!(
            "{} only starts programs, and reaches no service by its address",
            options.client.title()
        ))
        .hint("Leave out --url: it starts `ghostcast mcp`, which attaches to the service of this machine."));
    }
    if options.extended {
        url.set_query(Some("extended=true"));
    }
    let token_env = match &options.token_env {
        Some(name) => Some(name.clone()),
        // Whether a service elsewhere wants one is not known here.
        None if given.is_some() || config.server.tokens()?.is_empty() => None,
        None => Some(TOKEN_ENV.to_owned()),
    };
    if let Some(name) = &token_env {
        check_name("--token-env", name)?;
    }
    Ok(Server {
        url: url.into(),
        token_env,
        command: command(options)?,
    })
}

/// How the service is reached by a program that is started.
fn command(options: &Options) -> Result<Vec<String>, Error> {
    let program = env::current_exe()
        .map_err(|error| Error::internal("where this program lies is not known").source(error))?;
    let mut command = vec![program.display().to_string(), "mcp".to_owned()];
    if let Some(file) = options.settings.path() {
        // It is started elsewhere.
        let file = absolute(file);
        command.extend(["--config".to_owned(), file.display().to_string()]);
    }
    command.extend(options.address.arguments());
    command.extend(options.extended.then(|| "--extended".to_owned()));
    Ok(command)
}

fn check_name(flag: &str, name: &str) -> Result<(), Error> {
    let is_valid = !name.is_empty()
        && name
            .chars()
            .all(|sign| sign.is_ascii_alphanumeric() || matches!(sign, '_' | '-'));
    match is_valid {
        true => Ok(()),
        false => Err(Error::invalid_input(format!("{flag} is not valid"))
            .hint("Use letters, digits, _ and -.")),
    }
}

/// Puts the entry into the file, as a whole; answers what was done.
fn write(
    file: &Path,
    section: &str,
    name: &str,
    entry: &serde_json::Value,
) -> Result<String, Error> {
    // What a link leads to is written, and the link stays.
    let file = fs::canonicalize(file).unwrap_or_else(|_| absolute(file));
    let shown = file.display();
    let broken = |what: &str, error: io::Error| {
        Error::unavailable(format!("{what} {shown} failed: {error}")).source(error)
    };
    let (text, permissions) = match fs::read_to_string(&file) {
        Ok(text) => {
            let found = fs::metadata(&file).map_err(|error| broken("looking at", error))?;
            (Some(text), Some(found.permissions()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => (None, None),
        Err(error) => return Err(broken("reading", error)),
    };
    let put = merge::put(text.as_deref().unwrap_or_default(), section, name, entry);
    let put = put.map_err(|error| {
        Error::invalid_input(format!(
            "{shown} is not JSON that \"{section}\" can be put into: {error}"
        ))
        .source(error)
    })?;
    let Some(put) = put else {
        return Ok(format!("{name} stands in {shown} already"));
    };
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory).map_err(|error| broken("making the directory of", error))?;
    }
    let backup = match &text {
        Some(_) => Some(keep(&file).map_err(|error| broken("keeping a copy of", error))?),
        None => None,
    };
    disk::replace(&file, put.as_bytes()).map_err(|error| broken("writing", error))?;
    if let Some(permissions) = permissions {
        fs::set_permissions(&file, permissions).map_err(|error| broken("writing", error))?;
    }
    Ok(match backup {
        Some(backup) => format!(
            "{name} is put into {shown}; as it was before it is in {}",
            backup.display()
        ),
        None => format!("{name} is put into {shown}"),
    })
}

/// Keeps a file as it is under a name that is free.
fn keep(file: &Path) -> io::Result<PathBuf> {
    for count in 0..BACKUPS_MAX {
        let mut name = file.as_os_str().to_owned();
        name.push(match count {
            0 => ".bak".to_owned(),
            count => format!(".bak{count}"),
        });
        let backup = PathBuf::from(name);
        match fs::hard_link(file, &backup) {
            Ok(()) => return Ok(backup),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            // Not every file system has links.
            Err(_) if !backup.exists() => {
                fs::copy(file, &backup)?;
                return Ok(backup);
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("there are too many copies of it already"))
}

/// Where the token is to be.
fn tell_of_the_token(server: &Server, client: Client) {
    match &server.token_env {
        Some(_) if client.starts_its_servers() => {
            eprintln!(
                "The program that it starts reads the token from the service's settings: name them by --config."
            );
        }
        Some(name) => eprintln!(
            "The token is read from the variable {name} of {}'s environment.",
            client.title()
        ),
        None => {}
    }
}

fn print(text: &str) -> Result<(), Error> {
    writeln!(io::stdout(), "{text}").map_err(|error| Error::internal("cannot write").source(error))
}
