//! LiveKit servers for the tests: the operator's, or one that is started here; and its room
//! service, which tells from outside who is in a room.

use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use url::Url;

use super::http::{self, Body};
use super::outcome::{Expect, Failure, Outcome, ensure, seconds, until};
use super::token::{self, Key};

const API_KEY: &str = "validate";
const API_SECRET: &str = "a-secret-of-the-validation-program-only";

/// Where the server is looked for when nothing names it: where the commands of `deploy` put it.
const PLACES: [&str; 2] = [".run/livekit-server", "target/livekit-server"];

/// Who the browser is in a room, by default.
const IDENTITY: &str = "ghostcast";

/// How to reach a LiveKit server.
#[derive(Clone)]
pub struct Coordinates {
    /// Where it is: `ws://` or `wss://`.
    pub url: String,
    /// The name of its key.
    pub api_key: String,
    /// The key.
    pub api_secret: String,
}

impl std::fmt::Debug for Coordinates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key is nobody's to see.
        f.write_str(&self.url)
    }
}

impl Coordinates {
    /// The settings of a service that uses the server.
    pub(super) fn settings(&self) -> Value {
        json!({ "livekit": {
            "url": self.url,
            "api_key": self.api_key,
            "api_secret": self.api_secret,
            "identity": IDENTITY,
        } })
    }

    /// What tokens for it are made by.
    pub(super) fn key(&self) -> Key<'_> {
        Key {
            name: &self.api_key,
            secret: &self.api_secret,
        }
    }

    /// The address of the server.
    pub(super) async fn ip(&self) -> Outcome<IpAddr> {
        let url = Url::parse(&self.url).expect_that("the LiveKit URL is one")?;
        let host = url.host_str().expect_that("the LiveKit URL has a host")?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let mut found =
            tokio::net::lookup_host((host, url.port_or_known_default().unwrap_or(80))).await?;
        let found = found
            .next()
            .expect_that("the LiveKit host has an address")?;
        Ok(found.ip())
    }

    /// Who is in a room, as the server itself says; nobody in a room that is not there.
    pub(super) async fn participants(&self, room: &str) -> Outcome<Vec<Value>> {
        let token = token::mint_admin(self.key(), room)?;
        let base = self.url.replacen("ws", "http", 1);
        let base = base.trim_end_matches('/');
        let url = format!("{base}/twirp/livekit.RoomService/ListParticipants");
        let body = json!({ "room": room });
        let answer = http::ask("POST", &url, Some(token.as_str()), Body::Json(&body)).await?;
        if answer.status == 404 {
            return Ok(Vec::new());
        }
        ensure!(
            answer.status == 200,
            "LiveKit's room service answers {}: {}",
            answer.status,
            answer.text()
        );
        let found = answer.json()?;
        Ok(found["participants"]
            .as_array()
            .cloned()
            .unwrap_or_default())
    }

    /// The browser among them.
    pub(super) async fn browser(&self, room: &str) -> Outcome<Option<Value>> {
        let found = self.participants(room).await?.into_iter();
        let mut found = found.filter(|participant| participant["identity"] == IDENTITY);
        Ok(found.next())
    }

    /// Waits until the browser is in a room with a track that is as wanted.
    pub(super) async fn track(
        &self,
        room: &str,
        what: &str,
        accept: impl Fn(&Value) -> bool,
    ) -> Outcome<Value> {
        until(seconds(10), what, async || {
            let browser = self.browser(room).await.ok()??;
            let track = browser["tracks"].as_array()?.first()?.clone();
            accept(&track).then_some(track)
        })
        .await
    }
}

/// A server of the tests' own; ended when dropped.
#[derive(Debug)]
pub(super) struct LiveKitServer {
    binary: PathBuf,
    ports: [u16; 3],
    child: Child,
}

impl LiveKitServer {
    /// Starts a server on free ports of loopback.
    pub(super) async fn start() -> Outcome<Self> {
        let binary = find()?;
        let tcp = || Ok::<_, Failure>(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?);
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (first, second) = (tcp()?, tcp()?);
        let ports = [
            first.local_addr()?.port(),
            second.local_addr()?.port(),
            udp.local_addr()?.port(),
        ];
        drop((first, second, udp));
        let child = spawn(&binary, ports)?;
        let server = Self {
            binary,
            ports,
            child,
        };
        server.answers().await?;
        Ok(server)
    }

    pub(super) fn coordinates(&self) -> Coordinates {
        Coordinates {
            url: format!("ws://127.0.0.1:{}", self.ports[0]),
            api_key: API_KEY.to_owned(),
            api_secret: API_SECRET.to_owned(),
        }
    }

    /// Ends it as a crash does.
    pub(super) fn kill(&mut self) {
        // It has ended either way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again, on the same ports.
    pub(super) async fn restart(&mut self) -> Outcome {
        self.kill();
        self.child = spawn(&self.binary, self.ports)?;
        self.answers().await
    }

    async fn answers(&self) -> Outcome {
        let url = format!("http://127.0.0.1:{}/", self.ports[0]);
        let binary = self.binary.display().to_string();
        until(seconds(15), &format!("{binary} answers"), async || {
            let answer = http::ask("GET", &url, None, Body::None).await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await
    }
}

impl Drop for LiveKitServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(binary: &PathBuf, [port, tcp_port, udp_port]: [u16; 3]) -> Outcome<Child> {
    let settings = json!({
        "port": port,
        "bind_addresses": ["127.0.0.1"],
        "keys": { API_KEY: API_SECRET },
        "rtc": {
            "tcp_port": tcp_port,
            "udp_port": udp_port,
            "use_external_ip": false,
            "enable_loopback_candidate": true,
            // One socket: of several that are told as the one address, the server keeps any one for a
            // client, and drops what reaches another.
            "interfaces": { "includes": ["lo"] },
        },
        "logging": { "level": "error" },
    });
    let mut command = Command::new(binary);
    command
        .args(["--config-body", &settings.to_string()])
        .args(["--node-ip", "127.0.0.1"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
        .spawn()
        .expect_that(&format!("{} starts", binary.display()))
}

/// The program: the one that the environment names, or one at a usual place.
fn find() -> Outcome<PathBuf> {
    if let Some(named) = std::env::var_os("LIVEKIT_SERVER_BIN") {
        let named = PathBuf::from(named);
        ensure!(
            named.is_file(),
            "LIVEKIT_SERVER_BIN={} is no file. Correct it, or unset it.",
            named.display()
        );
        return Ok(named);
    }
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&paths).map(|dir| dir.join("livekit-server"));
    let mut candidates = on_path.chain(PLACES.into_iter().map(PathBuf::from));
    candidates.find(|path| path.is_file()).expect_that(
        "There is no LiveKit server to test with. Build one by deploy/livekit-server/build.sh .run, \
         name one by LIVEKIT_SERVER_BIN, or name a running one by --livekit-url, --livekit-api-key \
         and --livekit-api-secret.",
    )
}
