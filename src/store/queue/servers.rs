//! Databases for tests: each on a free port, in a directory of its own, and gone with the test.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// PostgreSQL refuses to run as root: this is nobody.
const NOBODY: u32 = 65_534;

/// A database that runs.
pub(super) struct Server {
    child: Child,
    place: PathBuf,
    url: String,
}

impl Server {
    /// A PostgreSQL of this machine's.
    pub(super) fn postgres() -> Self {
        let (place, port) = (place("postgres"), free_port());
        let data = place.join("data");
        let initdb = as_nobody(&postgres_program("initdb"), &place)
            .args([
                "--no-sync",
                "--auth=trust",
                "--username=ghost",
                "--encoding=UTF8",
                "-D",
            ])
            .arg(&data)
            .stdout(Stdio::null())
            .status();
        assert!(initdb.unwrap().success());
        let child = as_nobody(&postgres_program("postgres"), &place)
            .args(["-F", "-h", "127.0.0.1", "-p", &port.to_string(), "-k"])
            .arg(&place)
            .arg("-D")
            .arg(&data)
            .stderr(Stdio::null())
            .spawn();
        let url = format!("postgres://ghost@127.0.0.1:{port}/postgres");
        let server = Self::ready(child.unwrap(), place, url, port);
        // It listens a moment before it takes anybody.
        let is_ready = || {
            let mut asked = Command::new(postgres_program("pg_isready"));
            asked.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
            asked.status().unwrap().success()
        };
        while !is_ready() {
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// A Redis of this machine's.
    pub(super) fn redis() -> Self {
        let (place, port) = (place("redis"), free_port());
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--appendonly", "yes", "--dir"])
            .arg(&place)
            .stdout(Stdio::null())
            .spawn();
        let child = child.unwrap_or_else(|error| panic!("apt-get install redis-server: {error}"));
        let url = format!("redis://127.0.0.1:{port}/0");
        Self::ready(child, place, url, port)
    }

    fn ready(child: Child, place: PathBuf, url: String, port: u16) -> Self {
        let server = Self { child, place, url };
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "{} does not answer", server.url);
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Where it is.
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().cast_signed());
        // At once, whoever is connected: nothing of it is kept.
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGQUIT);
        let deadline = Instant::now() + Duration::from_secs(5);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.place);
    }
}

fn place(name: &str) -> PathBuf {
    let place = std::env::temp_dir().join(format!("{name}-{}", uuid::Uuid::new_v4()));
    fs::create_dir(&place).unwrap();
    if nix::unistd::geteuid().is_root() {
        chown(&place, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    place
}

fn as_nobody(program: &Path, place: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(place);
    if nix::unistd::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// Debian keeps the programs of each version apart.
fn postgres_program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut programs: Vec<PathBuf> = versions
        .map(|version| version.path().join("bin").join(name))
        .filter(|program| program.exists())
        .collect();
    programs.sort();
    let program = programs.pop();
    program.unwrap_or_else(|| panic!("there is no {name}: apt-get install postgresql"))
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}
