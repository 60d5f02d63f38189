//! The gate against real sockets.

use std::sync::atomic::AtomicUsize;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::*;
use crate::model::DenialRule;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// A host that counts what reaches it and answers by path; its body is the request's head.
struct Site {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Site {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let site = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            requests: Arc::default(),
        };
        let (connections, requests) = (site.connections.clone(), site.requests.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let requests = Arc::clone(&requests);
                tokio::spawn(async move {
                    while let Some(head) = read_head(&mut stream).await {
                        requests.fetch_add(1, Ordering::SeqCst);
                        if !respond(&mut stream, &head).await {
                            break;
                        }
                    }
                });
            }
        });
        site
    }

    fn port(&self) -> u16 {
        self.address.port()
    }

    fn seen(&self) -> (usize, usize) {
        (
            self.connections.load(Ordering::SeqCst),
            self.requests.load(Ordering::SeqCst),
        )
    }
}

/// Answers one request; `false` closes the connection.
async fn respond(stream: &mut TcpStream, head: &str) -> bool {
    let path = head.split(' ').nth(1).unwrap_or_default();
    let text = match path {
        "/reset" => return false,
        "/upload" => {
            let mut body = vec![0; 1_000_000];
            stream.read_exact(&mut body).await.unwrap();
            let sum: u64 = body.iter().map(|&b| u64::from(b)).sum();
            format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{sum}",
                sum.to_string().len()
            )
        }
        "/head" => "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n".to_owned(),
        "/old" => "HTTP/1.0 200 OK\r\n\r\nto the end".to_owned(),
        "/both" => "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n\
                    5\r\nhello\r\n0\r\n\r\n"
            .to_owned(),
        "/slow" => {
            let first = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n";
            stream.write_all(first.as_bytes()).await.unwrap();
            // The rest never comes: the first chunk must arrive without it.
            std::future::pending::<()>().await;
            return false;
        }
        _ => format!(
            "HTTP/1.1 200 OK\r\nX-CaSe: kept\r\nConnection: x-hop\r\nX-Hop: 1\r\nContent-Length: {}\r\n\r\n{head}",
            head.len()
        ),
    };
    stream.write_all(text.as_bytes()).await.is_ok() && path != "/old"
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

/// A gate with its tracker, and names below `.test` that lead to this machine.
struct Rig {
    gate: Option<Gate>,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

impl Rig {
    async fn start(patterns: &[&str], adjust: impl FnOnce(&mut Policy)) -> Self {
        let patterns: Vec<String> = patterns.iter().map(|&p| p.to_owned()).collect();
        let mut policy = Policy {
            allowlist: Allowlist::parse(&patterns).unwrap(),
            connect_timeout: Duration::from_secs(5),
            ..Policy::default()
        };
        for name in ["a.test", "b.test", "blocked.test"] {
            let here = vec![Ipv4Addr::LOCALHOST.into()];
            policy.hosts.insert(name.to_owned(), here);
        }
        adjust(&mut policy);
        let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
        let gate = Gate::start(policy, &tracker, &cancel).await.unwrap();
        Self {
            gate: Some(gate),
            tracker,
            cancel,
        }
    }

    fn gate(&self) -> &Gate {
        self.gate.as_ref().unwrap()
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.gate().core.address).await.unwrap()
    }

    /// Sends bytes on a connection of their own, and reads what comes until the end.
    async fn exchange(&self, sent: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut got = Vec::new();
        // A reset is an end as well.
        let _ = timeout(PATIENCE, stream.read_to_end(&mut got))
            .await
            .unwrap();
        String::from_utf8(got).unwrap()
    }
}

async fn ask(stream: &mut TcpStream, request: &str) -> Option<(String, String)> {
    stream.write_all(request.as_bytes()).await.ok()?;
    let head = timeout(PATIENCE, read_head(stream)).await.unwrap()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    });
    let mut body = vec![0; length?.parse().ok()?];
    stream.read_exact(&mut body).await.ok()?;
    Some((head, String::from_utf8(body).ok()?))
}

fn get(host: &str, port: u16, path: &str) -> String {
    format!("GET http://{host}:{port}{path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n")
}

fn get_and_close(host: &str, port: u16, path: &str) -> String {
    let get = get(host, port, path);
    get.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
}

#[tokio::test]
async fn plain_requests_pass_as_the_host_expects_them() {
    let (site, rig) = (Site::start().await, Rig::start(&["a.test"], |_| {}).await);
    let port = site.port();
    let mut stream = rig.connect().await;
    let request = format!(
        "GET http://a.test:{port}/x?y HTTP/1.1\r\nHost: evil.test\r\nX-OdD: kept\r\nx-Drop: 1\r\n\
         Connection: x-drop\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: x\r\n\r\n"
    );
    let (head, seen) = ask(&mut stream, &request).await.unwrap();
    assert!(seen.starts_with("GET /x?y HTTP/1.1\r\n"), "{seen}");
    assert!(
        seen.to_lowercase()
            .contains(&format!("\r\nhost: a.test:{port}\r\n")),
        "{seen}"
    );
    assert!(seen.contains("\r\nX-OdD: kept\r\n"), "{seen}");
    for gone in ["evil", "drop", "proxy", "connection"] {
        assert!(!seen.to_lowercase().contains(gone), "{gone} in {seen}");
    }
    assert!(head.contains("X-CaSe: kept"), "{head}");
    assert!(!head.to_lowercase().contains("hop"), "{head}");
    ask(&mut stream, &get("a.test", port, "/")).await.unwrap();
    assert_eq!(site.seen(), (1, 2), "the upstream connection is reused");
}

#[tokio::test]
async fn bodies_stream_in_both_directions() {
    let (site, rig) = (Site::start().await, Rig::start(&[], |_| {}).await);
    let port = site.port();

    let mut stream = rig.connect().await;
    stream
        .write_all(get("a.test", port, "/slow").as_bytes())
        .await
        .unwrap();
    let mut got = String::new();
    while !got.contains("first") {
        let mut chunk = [0; 512];
        let count = timeout(PATIENCE, stream.read(&mut chunk))
            .await
            .unwrap()
            .unwrap();
        got.push_str(std::str::from_utf8(&chunk[..count]).unwrap());
    }

    let body = "x".repeat(1_000_000);
    let head =
        format!("POST http://a.test:{port}/upload HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n");
    let (_, sum) = ask(&mut rig.connect().await, &(head + &body))
        .await
        .unwrap();
    assert_eq!(sum, "120000000");
}

#[tokio::test]
async fn odd_framings_arrive_whole() {
    let (site, rig) = (Site::start().await, Rig::start(&[], |_| {}).await);
    let port = site.port();
    let head = rig
        .exchange(&get_and_close("a.test", port, "/head").replace("GET", "HEAD"))
        .await;
    assert!(
        head.to_lowercase().contains("content-length: 12345"),
        "{head}"
    );
    let old = rig.exchange(&get_and_close("a.test", port, "/old")).await;
    assert!(old.contains("to the end"), "{old}");
    let both = rig.exchange(&get_and_close("a.test", port, "/both")).await;
    assert!(
        both.contains("hello") && !both.contains("Content-Length"),
        "{both}"
    );
}

#[tokio::test]
async fn each_request_of_a_connection_is_judged() {
    let (site, blocked) = (Site::start().await, Site::start().await);
    let rig = Rig::start(&["a.test"], |_| {}).await;
    let mut stream = rig.connect().await;
    ask(&mut stream, &get("a.test", site.port(), "/"))
        .await
        .unwrap();
    let mark = rig.gate().denials();
    let answer = ask(&mut stream, &get("blocked.test", blocked.port(), "/")).await;
    assert_eq!(answer, None, "closed without an answer");
    assert_eq!((site.seen(), blocked.seen()), ((1, 1), (0, 0)));
    let expected = DeniedRequest {
        host: "blocked.test".to_owned(),
        port: blocked.port(),
        reason: DenialRule::NotListed,
    };
    assert_eq!(rig.gate().denied_since(mark), [expected]);
    let verdict = rig.gate().verdict("Blocked.Test.", blocked.port());
    assert!(matches!(verdict, Some(Outcome::Denied(_))), "{verdict:?}");
    assert_eq!(rig.gate().verdict("a.test", site.port()), None);
}

#[tokio::test]
async fn tunnels_carry_bytes_and_denied_ones_never_open() {
    let site = Site::start().await;
    let rig = Rig::start(&["a.test"], |_| {}).await;
    let port = site.port();

    let denied = rig
        .exchange(&format!("CONNECT blocked.test:{port} HTTP/1.1\r\n\r\n"))
        .await;
    assert!(denied.starts_with("HTTP/1.1 403 "), "{denied}");
    assert_eq!((site.seen(), rig.gate().denials()), ((0, 0), 1));

    // The first bytes of the tunnel come together with the request for it.
    let mut stream = rig.connect().await;
    let sent = format!("CONNECT a.test:{port} HTTP/1.1\r\n\r\nGET /in HTTP/1.1\r\n\r\n");
    stream.write_all(sent.as_bytes()).await.unwrap();
    let head = timeout(PATIENCE, read_head(&mut stream)).await.unwrap();
    assert_eq!(head.unwrap(), "HTTP/1.1 200 OK\r\n\r\n");
    let (_, seen) = ask(&mut stream, "GET /out HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(seen.starts_with("GET /in"), "{seen}");
    stream
        .write_all(b"GET /reset HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    let mut rest = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    assert!(
        rest.ends_with(b"GET /out HTTP/1.1\r\n\r\n"),
        "the end passes on"
    );
}

#[tokio::test]
async fn addresses_are_judged_behind_every_name() {
    let service = Site::start().await;
    let port = service.port();
    let rig = Rig::start(&["*"], |policy| {
        policy
            .deny_addresses
            .add(SocketAddr::from(([0, 0, 0, 0], port)));
        for (name, addresses) in [
            ("rebound.test", vec!["169.254.169.254"]),
            ("mixed.test", vec!["192.0.2.1", "::ffff:169.254.169.254"]),
        ] {
            let addresses = addresses.iter().map(|a| a.parse().unwrap()).collect();
            policy.hosts.insert(name.to_owned(), addresses);
        }
    })
    .await;
    for (host, rule) in [
        ("rebound.test", DenialRule::Metadata),
        ("mixed.test", DenialRule::Metadata),
        ("169.254.169.254", DenialRule::Metadata),
        ("2852039166", DenialRule::Metadata),
        ("a.test", DenialRule::ServiceAddress),
        ("localhost", DenialRule::ServiceAddress),
        ("127.0.0.2", DenialRule::ServiceAddress),
        ("0.0.0.0", DenialRule::ServiceAddress),
        ("[::ffff:127.0.0.1]", DenialRule::ServiceAddress),
    ] {
        assert_eq!(rig.exchange(&get(host, port, "/")).await, "", "{host}");
        let Some(Outcome::Denied(denial)) = rig.gate().verdict(host, port) else {
            panic!("{host} is not denied");
        };
        assert_eq!(denial.rule, rule, "{host}");
    }
    assert_eq!(service.seen(), (0, 0));
    let own = rig.gate().core.address.port();
    assert_eq!(rig.exchange(&get("localhost", own, "/")).await, "");
}

#[tokio::test]
async fn failures_are_remembered_with_their_cause() {
    let site = Site::start().await;
    let unused = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let closed = unused.local_addr().unwrap().port();
    drop(unused);
    let rig = Rig::start(&[], |policy| {
        policy.hosts.insert("gone.test".to_owned(), Vec::new());
    })
    .await;
    for (host, port, path, outcome, status) in [
        ("gone.test", 80, "/", Outcome::DnsFailed, "502"),
        ("a.test", closed, "/", Outcome::Refused, "502"),
        ("a.test", site.port(), "/reset", Outcome::Reset, "200"),
    ] {
        assert_eq!(rig.exchange(&get(host, port, path)).await, "", "no answer");
        assert_eq!(rig.gate().verdict(host, port), Some(outcome));
        let mut stream = rig.connect().await;
        let request = format!("CONNECT {host}:{port} HTTP/1.1\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let head = timeout(PATIENCE, read_head(&mut stream))
            .await
            .unwrap()
            .unwrap();
        assert!(head.contains(status), "{head}");
    }
    assert_eq!(
        rig.gate().verdict("a.test", site.port()),
        None,
        "reached since"
    );
    assert_eq!(rig.gate().denials(), 0);
}

#[tokio::test]
async fn what_is_no_proxy_request_gets_no_answer() {
    let (site, rig) = (Site::start().await, Rig::start(&[], |_| {}).await);
    for request in [
        "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n".to_owned(),
        get("a.test", site.port(), "/").replace("http:", "https:"),
        get("a.test", site.port(), "/").replace("http:", "ftp:"),
    ] {
        assert_eq!(rig.exchange(&request).await, "", "{request}");
    }
    let no_port = rig.exchange("CONNECT a.test HTTP/1.1\r\n\r\n").await;
    assert!(!no_port.contains(" 200 "), "{no_port}");
    assert_eq!(site.seen(), (0, 0));
}

#[tokio::test]
async fn a_full_gate_closes_what_comes_and_counts_it() {
    let site = Site::start().await;
    let rig = Rig::start(&[], |policy| policy.connections_max = 1).await;
    let mut first = rig.connect().await;
    ask(&mut first, &get("a.test", site.port(), "/"))
        .await
        .unwrap();
    assert_eq!(rig.exchange(&get("a.test", site.port(), "/")).await, "");
    assert_eq!(rig.gate().refused_connections(), 1);
    drop(first);
    timeout(PATIENCE, async {
        while ask(&mut rig.connect().await, &get("a.test", site.port(), "/"))
            .await
            .is_none()
        {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the place is free again");
}

#[tokio::test]
async fn everything_ends_with_the_gate() {
    for by_drop in [true, false] {
        let (site, mut rig) = (Site::start().await, Rig::start(&[], |_| {}).await);
        let port = site.port();
        let address = rig.gate().core.address;
        let (mut idle, mut slow, mut tunnel) = (
            rig.connect().await,
            rig.connect().await,
            rig.connect().await,
        );
        ask(&mut idle, &get("a.test", port, "/")).await.unwrap();
        slow.write_all(get("a.test", port, "/slow").as_bytes())
            .await
            .unwrap();
        read_head(&mut slow).await.unwrap();
        let connect = format!("CONNECT a.test:{port} HTTP/1.1\r\n\r\n");
        tunnel.write_all(connect.as_bytes()).await.unwrap();
        read_head(&mut tunnel).await.unwrap();

        rig.tracker.close();
        if by_drop {
            rig.gate = None;
        } else {
            rig.cancel.cancel();
        }
        timeout(PATIENCE, rig.tracker.wait())
            .await
            .expect("all tasks end");
        for stream in [&mut idle, &mut slow, &mut tunnel] {
            let mut rest = Vec::new();
            let _ = timeout(PATIENCE, stream.read_to_end(&mut rest))
                .await
                .unwrap();
        }
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
    }
}
