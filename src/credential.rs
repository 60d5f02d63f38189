//! Tokens as they are compared and made: the one place that names the library for it.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::Error;

/// Bytes of chance in what is made here.
const RANDOM_BYTES: usize = 32;

/// The SHA-256 of a token; two are compared in a time that does not tell where they differ.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of a token.
    pub fn of(token: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        Self(bytes)
    }

    /// Whether both are of the same token.
    pub fn is(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }

    /// The digest of both together, which tells of neither.
    pub fn beside(self, other: &[u8; 32]) -> [u8; 32] {
        let mut both = [0; 64];
        both[..32].copy_from_slice(other);
        both[32..].copy_from_slice(&self.0);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, &both).as_ref());
        bytes
    }

    /// The digest itself, to find what is made by chance.
    pub const fn bytes(self) -> [u8; 32] {
        self.0
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digest(…)")
    }
}

/// A token that nobody can guess: 256 bits by chance.
pub fn random(prefix: &str) -> Result<String, Error> {
    let mut bytes = [0; RANDOM_BYTES];
    rand::fill(&mut bytes)
        .map_err(|error| Error::internal("the system gives no random numbers").source(error))?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// What was encoded as base64url, with or without its padding.
pub fn decoded(text: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
    String::from_utf8(bytes).ok()
}

/// What only somebody with the key can make of a text: HMAC with SHA-256 (RFC 2104).
pub fn signed(key: &[u8], text: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_compare_whole() {
        let digest = Digest::of("secret");
        assert!(digest.is(&Digest::of("secret")));
        for other in ["secre", "secrex", "", "Secret"] {
            assert!(!digest.is(&Digest::of(other)), "{other}");
        }
        // As `printf secret | sha256sum` has it.
        assert_eq!(digest.bytes()[..4], [0x2b, 0xb8, 0x0d, 0x53]);
    }

    #[test]
    fn what_is_made_by_chance_is_long_and_never_the_same() {
        let (one, two) = (random("x_").unwrap(), random("x_").unwrap());
        assert_ne!(one, two);
        assert_eq!(
            decoded("YSB0b2tlbg==").as_deref(),
            decoded("YSB0b2tlbg").as_deref()
        );
        let bytes = URL_SAFE_NO_PAD.decode(one.strip_prefix("x_").unwrap());
        assert_eq!(bytes.unwrap().len(), 32);
    }
}
