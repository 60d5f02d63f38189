//! The tokens that open the service, and the file that holds them: one a line, `LABEL SCOPE TOKEN`.

use std::collections::BTreeSet;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;

use super::Server;
use crate::error::Error;
use crate::model::{Scope, Secret};

/// A file of more bytes is no token file.
const BYTES_MAX: u64 = 1 << 20;
/// A shorter token can be guessed.
const TOKEN_CHARS_MIN: usize = 16;
/// Longest token: it has to fit into a header.
const TOKEN_CHARS_MAX: usize = 1_024;
const LABEL_CHARS_MAX: usize = 64;
/// What the name of `server.token` is in the log.
const MAIN: &str = "server.token";
/// What a token begins with that is given as its hash.
const SHA256: &str = "sha256:";
/// Whoever has none of these rights on the file may neither read nor change it: others at all, and the
/// group but for reading.
const RIGHTS_REFUSED: u32 = 0o027;

/// A token that opens the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is called, in the log and in errors.
    pub label: String,
    /// What it opens.
    pub scope: Scope,
    /// How it is known.
    pub form: TokenForm,
}

/// How a token is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenForm {
    /// Itself.
    Plain(Secret),
    /// By its SHA-256.
    Sha256([u8; 32]),
}

impl Server {
    /// All tokens: `server.token`, and those of the file.
    pub fn tokens(&self) -> Result<Vec<Token>, Error> {
        let mut tokens = Vec::new();
        if !self.token.is_empty() {
            tokens.push(Token {
                label: MAIN.to_owned(),
                scope: Scope::ADMIN,
                form: TokenForm::Plain(self.token.clone()),
            });
        }
        if self.has_tokens_file() {
            tokens.extend(read(&self.tokens_file)?);
        }
        Ok(tokens)
    }

    /// Whether there is a file of tokens.
    pub fn has_tokens_file(&self) -> bool {
        !self.tokens_file.as_os_str().is_empty()
    }

    /// The token by which a verb of the command line asks its own service: `server.token`, else the first of
    /// the file that is not only a hash and opens everything.
    pub fn own_token(&self) -> Secret {
        // What is wrong with the file is told by the service.
        let tokens = self.tokens().unwrap_or_default().into_iter();
        let plain = tokens.filter(|token| token.scope == Scope::ADMIN);
        plain
            .filter_map(|token| match token.form {
                TokenForm::Plain(secret) => Some(secret),
                TokenForm::Sha256(_) => None,
            })
            .next()
            .unwrap_or_default()
    }
}

/// Reads a file of tokens that nobody else may read.
fn read(path: &Path) -> Result<Vec<Token>, Error> {
    let shown = path.display();
    let unreadable = |error| {
        Error::invalid_input(format!("cannot read the token file {shown}"))
            .hint("Check server.tokens_file and the rights on the file.")
            .source(error)
    };
    // What is no file, such as a pipe, is not waited for.
    let mut options = std::fs::OpenOptions::new();
    let options = options.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
    let file = options.open(path).map_err(unreadable)?;
    let about = file.metadata().map_err(unreadable)?;
    if !about.is_file() {
        return Err(
            Error::invalid_input(format!("{shown} is no file of tokens"))
                .hint("Name a plain file in server.tokens_file."),
        );
    }
    if about.mode() & RIGHTS_REFUSED != 0 {
        return Err(Error::invalid_input(format!(
            "the token file {shown} can be read or changed by others (mode {:04o})",
            about.mode() & 0o7777
        ))
        .hint(format!("Take their rights away: chmod 600 {shown}")));
    }
    let mut text = String::new();
    let length = file
        .take(BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    if length as u64 > BYTES_MAX {
        return Err(Error::invalid_input(format!(
            "the token file {shown} is too large"
        )));
    }
    parse(&text).map_err(|mut error| {
        error.message = format!("the token file {shown} is not valid: {}", error.message).into();
        error
    })
}

/// Parses the text of a file of tokens. No error repeats a token.
fn parse(text: &str) -> Result<Vec<Token>, Error> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut labels = BTreeSet::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let token = token(line).map_err(|why| wrong(at, why))?;
        if token.label == MAIN || !labels.insert(token.label.clone()) {
            return Err(wrong(at, "the label is another token's"));
        }
        if tokens.iter().any(|other| other.form == token.form) {
            return Err(wrong(at, "the token is in the file already"));
        }
        tokens.push(token);
    }
    match tokens.is_empty() {
        // Without any the service would be open.
        true => Err(Error::invalid_input("it holds no token")
            .hint("Write one a line, LABEL SCOPE TOKEN, or leave server.tokens_file empty.")),
        false => Ok(tokens),
    }
}

fn token(line: &str) -> Result<Token, &'static str> {
    const FORM: &str = "it is not LABEL SCOPE TOKEN";
    let (label, rest) = line.split_once(char::is_whitespace).ok_or(FORM)?;
    let (scope, token) = rest.trim().rsplit_once(char::is_whitespace).ok_or(FORM)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if label.len() > LABEL_CHARS_MAX || !label.chars().all(is_plain) {
        return Err("a label is up to 64 characters of A-Z a-z 0-9 . _ -");
    }
    Ok(Token {
        label: label.to_owned(),
        scope: scope.trim().parse()?,
        form: form(token)?,
    })
}

fn form(token: &str) -> Result<TokenForm, &'static str> {
    if let Some(digits) = token.strip_prefix(SHA256) {
        let hash = bytes(digits).ok_or("sha256: takes 64 hexadecimal digits")?;
        return Ok(TokenForm::Sha256(hash));
    }
    if !(TOKEN_CHARS_MIN..=TOKEN_CHARS_MAX).contains(&token.len()) {
        return Err("a token has 16 to 1024 characters");
    }
    if !token.chars().all(|c| c.is_ascii_graphic()) {
        return Err("a token is of printable ASCII characters");
    }
    Ok(TokenForm::Plain(Secret::from(token.to_owned())))
}

fn bytes(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if digits.len() != bytes.len() * 2 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn wrong(at: usize, why: &str) -> Error {
    Error::invalid_input(format!("line {}: {why}", at + 1))
        .hint("Each line is LABEL SCOPE TOKEN, such as \"kiosk watch:lobby sha256:…\".")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    #[test]
    fn a_line_is_a_token() {
        let hash = "ab".repeat(32);
        let text = format!(
            "# people\n\nops admin {TOKEN}\nkiosk\twatch:the lobby  sha256:{hash}\nall control:* {TOKEN}x\n"
        );
        let tokens = parse(&text).unwrap();
        let told: Vec<_> = tokens
            .iter()
            .map(|token| (token.label.as_str(), token.scope.to_string()))
            .collect();
        assert_eq!(
            told,
            [
                ("ops", "admin".to_owned()),
                ("kiosk", "watch:the lobby".to_owned()),
                ("all", "control:*".to_owned())
            ]
        );
        assert_eq!(tokens[1].form, TokenForm::Sha256([0xab; 32]));
    }

    #[test]
    fn what_is_wrong_is_told_by_its_line_and_no_token_with_it() {
        let hash = "ab".repeat(31);
        for (text, word) in [
            ("", "no token"),
            ("# nothing\n", "no token"),
            ("\nops admin", "line 2"),
            (&format!("ops root {TOKEN}"), "a scope is"),
            (&format!("ops watch:a/b {TOKEN}"), "a scope is"),
            (&format!("o/ps admin {TOKEN}"), "a label"),
            ("ops admin short", "16 to"),
            (&format!("ops admin sha256:{hash}"), "64 hexadecimal"),
            (
                &format!("ops admin {TOKEN}\nops admin {TOKEN}x"),
                "line 2: the label",
            ),
            (
                &format!("ops admin {TOKEN}\nb admin {TOKEN}"),
                "line 2: the token",
            ),
            (&format!("server.token admin {TOKEN}"), "the label"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.message.contains(word), "{text}: {error}");
            assert!(!format!("{error:?}").contains(TOKEN), "{error:?}");
        }
    }
}
