//! The way to Redis.

use crate::tls::Tls;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, FromRedisValue, RedisConnectionInfo, cmd};
use tokio::net::TcpStream;

use super::super::Failure;
use super::Redis;
use super::plan::{Plan, key};

/// A connection is made within this time, and a call is answered.
const CONNECT_MAX: Duration = Duration::from_secs(4);
/// The version of what is written. A service does not touch what another one has written.
const SCHEMA_VERSION: &str = "1";
/// Writes a plan, if what it was made by is still so.
const SCRIPT: &str = "
    local plan = cjson.decode(ARGV[1])
    for _, check in ipairs(plan.checks) do
        if (redis.call('GET', check[1]) or '') ~= check[2] then return 0 end
    end
    local t = redis.call('TIME')
    local now = string.format('%d.%06d', t[1], t[2])
    for _, op in ipairs(plan.ops) do
        for i = 1, #op do if op[i] == '@now' then op[i] = now end end
        redis.call(unpack(op))
    end
    return 1
";

impl From<redis::RedisError> for Failure {
    fn from(error: redis::RedisError) -> Self {
        Self::from_error(&error)
    }
}

impl Redis {
    /// By its address; it is not asked yet.
    pub(in crate::store::queue) fn new(url: &str) -> Result<Self, Failure> {
        let url = url::Url::parse(url).map_err(|error| Failure::from_error(&error))?;
        let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let host = url
            .host_str()
            .ok_or_else(|| Failure::new("it names no host"))?;
        let mut info = RedisConnectionInfo::default();
        if !url.username().is_empty() {
            info = info.set_username(plain(url.username()));
        }
        if let Some(password) = url.password() {
            info = info.set_password(plain(password));
        }
        match url.path().trim_matches('/') {
            "" => (),
            db => {
                let db = db
                    .parse()
                    .map_err(|_| Failure::new("its path is no number"))?;
                info = info.set_db(db);
            }
        }
        let tls = match url.scheme() {
            "rediss" => Some(Tls::new(None).map_err(|error| Failure::from_error(&error))?),
            _ => None,
        };
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(6379),
            tls,
            info,
            line: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
            is_warned: AtomicBool::new(false),
        })
    }

    fn kept(&self) -> Option<MultiplexedConnection> {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.clone()
    }

    fn keep(&self, line: Option<MultiplexedConnection>) {
        *self.line.lock().unwrap_or_else(PoisonError::into_inner) = line;
    }

    async fn line(&self) -> Result<MultiplexedConnection, Failure> {
        if let Some(line) = self.kept() {
            return Ok(line);
        }
        // Of several that find none, one makes it.
        let _alone = self.connecting.lock().await;
        if let Some(line) = self.kept() {
            return Ok(line);
        }
        let connected = tokio::time::timeout(CONNECT_MAX, self.connect()).await;
        let line = connected.map_err(|_| Failure::new("no connection is made in time"))??;
        self.keep(Some(line.clone()));
        Ok(line)
    }

    async fn connect(&self) -> Result<MultiplexedConnection, Failure> {
        let broken = |error: std::io::Error| Failure::from_error(&error);
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await;
        let stream = stream.map_err(broken)?;
        stream.set_nodelay(true).map_err(broken)?;
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(CONNECT_MAX));
        // Either ends with the last of its lines, who are told of what breaks.
        let mut line = match &self.tls {
            None => {
                let made = MultiplexedConnection::new_with_config(&self.info, stream, config);
                let (line, driver) = made.await?;
                tokio::spawn(driver);
                line
            }
            Some(tls) => {
                let stream = tls.connect(&self.host, stream).await.map_err(broken)?;
                let made = MultiplexedConnection::new_with_config(&self.info, stream, config);
                let (line, driver) = made.await?;
                tokio::spawn(driver);
                line
            }
        };
        let there: String = {
            let name = key("schema");
            let mut set = cmd("SET");
            set.arg(&name).arg(SCHEMA_VERSION).arg("NX");
            let _: Option<String> = set.query_async(&mut line).await?;
            cmd("GET").arg(&name).query_async(&mut line).await?
        };
        if there != SCHEMA_VERSION {
            return Err(Failure::new(format!(
                "what is there is of another Ghostcast (schema {there}; this one knows {SCHEMA_VERSION})"
            )));
        }
        self.warn(&mut line).await;
        Ok(line)
    }

    /// Tells once that what is acknowledged may be lost with the server. Where that is not told, it is not known.
    async fn warn(&self, line: &mut MultiplexedConnection) {
        let mut asked = cmd("CONFIG");
        asked.arg("GET").arg("appendonly");
        let answer: Result<Vec<String>, _> = asked.query_async(line).await;
        let is_lossy = answer.is_ok_and(|answer| answer.get(1).is_some_and(|word| word == "no"));
        if is_lossy && !self.is_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "the job queue is in a Redis without appendonly: what was put there since its last snapshot is lost \
                 with it. Set appendonly yes, and appendfsync always."
            );
        }
    }

    pub(super) async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> Result<T, Failure> {
        let mut line = self.line().await?;
        let mut asked = cmd(words.first().copied().unwrap_or_default());
        for word in words.iter().skip(1) {
            asked.arg(*word);
        }
        let answer = asked.query_async(&mut line).await;
        if answer.is_err() {
            // The next one is made anew.
            self.keep(None);
        }
        Ok(answer?)
    }

    /// Writes a plan; answers whether what it was made by was still so.
    pub(super) async fn write(&self, plan: &Plan) -> Result<bool, Failure> {
        let json = serde_json::to_string(plan)?;
        let slot = key("");
        self.ask(&["EVAL", SCRIPT, "1", &slot, &json]).await
    }

    pub(super) async fn texts(&self, keys: &[String]) -> Result<Vec<Option<String>>, Failure> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut words = vec!["MGET"];
        words.extend(keys.iter().map(String::as_str));
        self.ask(&words).await
    }
}
