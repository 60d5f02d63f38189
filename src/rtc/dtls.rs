//! DTLS 1.2 (RFC 6347) with use_srtp (RFC 5764) for viewers, by OpenSSL: they bring certificates of any kind.
//!
//! The WebRTC engine's own DTLS takes ECDSA only, and GStreamer, aiortc and older programs come with RSA. Ours is
//! ECDSA in any case. Whom a certificate belongs to is the engine's to check, by the fingerprint of the SDP.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use openssl::pkey::PKey;
use openssl::srtp::SrtpProfileId;
use openssl::ssl::{ErrorCode, ShutdownState, Ssl, SslContext, SslContextBuilder, SslMethod};
use openssl::ssl::{SslOptions, SslStream, SslVerifyMode, SslVersion};
use openssl::x509::X509;
use str0m::config::{CryptoProvider, KeyingMaterial};
use str0m::crypto::dtls::{DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider};
use str0m::crypto::dtls::{DtlsVersion, ProtocolVersion, SrtpProfile};
use str0m::crypto::{CryptoError, from_feature_flags};

/// Forward secrecy and authenticated encryption, with certificates of either kind.
const CIPHERS: &str = "ECDHE+AESGCM:ECDHE+CHACHA20";
/// What media is encrypted with, the preferred first (RFC 7714, RFC 5764).
const SRTP_PROFILES: &str = "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80";
const EXPORTER_LABEL: &str = "EXTRACTOR-dtls_srtp";
/// Fits the smallest path that IPv6 allows, as the engine's own packets do.
const MTU: usize = 1200;
/// OpenSSL keeps the times of its own repetitions; it is asked this often whether one is due.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// "Nothing to be woken for."
const NEVER: Duration = Duration::from_secs(3600);
/// Datagrams that wait to be read; a handshake reads them at once.
const INCOMING_MAX: usize = 64;
/// The largest record (RFC 6347 §4.1).
const RECORD_MAX: usize = 16 * 1024;

/// The engine's cryptography, but for DTLS.
pub(super) fn crypto() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        dtls_provider: &OpenSsl,
        ..from_feature_flags()
    })
}

#[derive(Debug)]
struct OpenSsl;

impl DtlsProvider for OpenSsl {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        from_feature_flags().dtls_provider.generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        _: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let instance = Dtls::new(cert, now, mtu.unwrap_or(MTU));
        let instance = instance.map_err(|error| CryptoError::Other(error.to_string()))?;
        Ok(Box::new(instance))
    }
}

/// The datagrams in both directions.
#[derive(Debug, Default)]
struct Datagrams {
    incoming: VecDeque<Vec<u8>>,
    outgoing: VecDeque<Vec<u8>>,
}

impl Read for Datagrams {
    /// One datagram at a time; what the reader has no room for is lost, as on a socket.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let datagram = self.incoming.pop_front();
        let datagram = datagram.ok_or(io::ErrorKind::WouldBlock)?;
        let length = datagram.len().min(into.len());
        into[..length].copy_from_slice(&datagram[..length]);
        Ok(length)
    }
}

impl Write for Datagrams {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.outgoing.push_back(datagram.to_vec());
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the engine is yet to hear.
enum News {
    Connected,
    Certificate(Vec<u8>),
    Keys(Vec<u8>, SrtpProfile),
    Data(Vec<u8>),
    Closed,
}

struct Dtls {
    stream: SslStream<Datagrams>,
    is_active: Option<bool>,
    is_connected: bool,
    has_sent_close: bool,
    has_heard_close: bool,
    news: VecDeque<News>,
    now: Instant,
}

impl std::fmt::Debug for Dtls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The stream has the keys.
        f.debug_struct("Dtls")
            .field("is_connected", &self.is_connected)
            .finish_non_exhaustive()
    }
}

impl Dtls {
    fn new(cert: &DtlsCert, now: Instant, mtu: usize) -> Result<Self, openssl::error::ErrorStack> {
        let context = context(cert)?;
        let mut ssl = Ssl::new(&context)?;
        ssl.set_mtu(u32::try_from(mtu).unwrap_or(u32::MAX))?;
        Ok(Self {
            stream: SslStream::new(ssl, Datagrams::default())?,
            is_active: None,
            is_connected: false,
            has_sent_close: false,
            has_heard_close: false,
            news: VecDeque::new(),
            now,
        })
    }

    /// Goes as far as what has come allows.
    fn advance(&mut self) -> Result<(), DtlsImplError> {
        let (Some(is_active), false) = (self.is_active, self.has_sent_close) else {
            return Ok(());
        };
        if !self.is_connected {
            let went = match is_active {
                true => self.stream.connect(),
                false => self.stream.accept(),
            };
            match went {
                Ok(()) => self.connected()?,
                Err(error) if error.code() == ErrorCode::WANT_READ => return Ok(()),
                Err(error) => return Err(broken("the handshake", &error)),
            }
        }
        self.read()
    }

    fn connected(&mut self) -> Result<(), DtlsImplError> {
        let ssl = self.stream.ssl();
        let certificate = ssl.peer_certificate().and_then(|cert| cert.to_der().ok());
        let certificate = certificate.ok_or(DtlsImplError::ConnectionClosed)?;
        let profile = ssl.selected_srtp_profile();
        let profile = profile.and_then(|profile| known(profile.id()));
        let profile = profile.ok_or(DtlsImplError::ConnectionClosed)?;
        let mut keys = vec![0; profile.keying_material_len()];
        ssl.export_keying_material(&mut keys, EXPORTER_LABEL, None)
            .map_err(|error| broken("the export of keys", &error))?;
        self.is_connected = true;
        self.news.extend([
            News::Connected,
            News::Certificate(certificate),
            News::Keys(keys, profile),
        ]);
        Ok(())
    }

    /// Reads all records that are there: a datagram may hold several.
    fn read(&mut self) -> Result<(), DtlsImplError> {
        let mut record = vec![0; RECORD_MAX];
        loop {
            match self.stream.ssl_read(&mut record) {
                Ok(0) => return Ok(()),
                Ok(length) => self.news.push_back(News::Data(record[..length].to_vec())),
                Err(error) if error.code() == ErrorCode::WANT_READ => return Ok(()),
                Err(error) if error.code() == ErrorCode::ZERO_RETURN => {
                    if !self.has_heard_close {
                        self.has_heard_close = true;
                        self.send_close();
                        self.news.push_back(News::Closed);
                    }
                    return Ok(());
                }
                Err(error) => return Err(broken("a record", &error)),
            }
        }
    }

    fn send_close(&mut self) {
        let sent = self.stream.get_shutdown().contains(ShutdownState::SENT);
        if self.is_connected && !sent {
            // Who does not hear it finds out by silence.
            let _ = self.stream.shutdown();
        }
        self.has_sent_close = true;
    }
}

impl DtlsInstance for Dtls {
    fn set_active(&mut self, active: bool) {
        self.is_active = Some(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        let incoming = &mut self.stream.get_mut().incoming;
        // An empty one is the engine's word to begin.
        if !packet.is_empty() && incoming.len() < INCOMING_MAX {
            incoming.push_back(packet.to_vec());
        }
        self.advance()
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        if let Some(packet) = self.stream.get_mut().outgoing.pop_front() {
            return match fill(buf, &packet) {
                Ok(packet) => DtlsOutput::Packet(packet),
                Err(needed) => {
                    self.stream.get_mut().outgoing.push_front(packet);
                    DtlsOutput::BufferTooSmall { needed }
                }
            };
        }
        let Some(news) = self.news.pop_front() else {
            let is_waiting = self.is_active.is_some() && !self.is_connected;
            let wait = if is_waiting { LOOK_EVERY } else { NEVER };
            return DtlsOutput::Timeout(self.now + wait);
        };
        let told = match &news {
            News::Connected => return DtlsOutput::Connected,
            News::Closed => return DtlsOutput::CloseNotify,
            News::Keys(keys, profile) => {
                return DtlsOutput::KeyingMaterial(KeyingMaterial::new(keys), *profile);
            }
            News::Certificate(bytes) | News::Data(bytes) => fill(buf, bytes),
        };
        match (told, news) {
            (Ok(bytes), News::Certificate(_)) => DtlsOutput::PeerCert(bytes),
            (Ok(bytes), _) => DtlsOutput::ApplicationData(bytes),
            (Err(needed), news) => {
                self.news.push_front(news);
                DtlsOutput::BufferTooSmall { needed }
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.now = now;
        match self.is_connected {
            // A reader is woken by what comes.
            true => Ok(()),
            false => self.advance(),
        }
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        if data.is_empty() || !self.is_connected {
            return Ok(0);
        }
        if self.has_sent_close {
            return Err(DtlsImplError::ConnectionClosed);
        }
        let sent = self.stream.ssl_write(data);
        sent.map_err(|error| broken("a record of ours", &error))
    }

    fn is_active(&self) -> bool {
        self.is_active.unwrap_or(false)
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.is_connected.then_some(ProtocolVersion::DTLS1_2)
    }

    fn is_closing(&self) -> bool {
        self.has_sent_close || self.has_heard_close
    }

    fn is_closed(&self) -> bool {
        self.has_sent_close && self.stream.get_ref().outgoing.is_empty()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.send_close();
        Ok(())
    }
}

fn context(cert: &DtlsCert) -> Result<SslContext, openssl::error::ErrorStack> {
    let mut context = SslContextBuilder::new(SslMethod::dtls())?;
    context.set_min_proto_version(Some(SslVersion::DTLS1_2))?;
    context.set_cipher_list(CIPHERS)?;
    context.set_tlsext_use_srtp(SRTP_PROFILES)?;
    // Both sides sign for themselves: the engine compares the fingerprint.
    let asks = SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT;
    context.set_verify_callback(asks, |_, _| true);
    context.set_private_key(PKey::private_key_from_der(&cert.private_key)?.as_ref())?;
    context.set_certificate(X509::from_der(&cert.certificate)?.as_ref())?;
    context.set_options(SslOptions::NO_QUERY_MTU | SslOptions::NO_RENEGOTIATION);
    Ok(context.build())
}

fn known(profile: SrtpProfileId) -> Option<SrtpProfile> {
    match profile {
        SrtpProfileId::SRTP_AES128_CM_SHA1_80 => Some(SrtpProfile::AES128_CM_SHA1_80),
        SrtpProfileId::SRTP_AEAD_AES_128_GCM => Some(SrtpProfile::AEAD_AES_128_GCM),
        SrtpProfileId::SRTP_AEAD_AES_256_GCM => Some(SrtpProfile::AEAD_AES_256_GCM),
        _ => None,
    }
}

/// Copies into the front of a buffer; says how long it would have to be.
fn fill<'a>(buf: &'a mut [u8], bytes: &[u8]) -> Result<&'a [u8], usize> {
    match buf.get_mut(..bytes.len()) {
        Some(front) => {
            front.copy_from_slice(bytes);
            Ok(front)
        }
        None => Err(bytes.len()),
    }
}

/// The engine has no kind for it; the log has the words.
fn broken(what: &str, error: &dyn std::error::Error) -> DtlsImplError {
    tracing::debug!(%error, what, "DTLS with a viewer is broken");
    DtlsImplError::ConnectionClosed
}
