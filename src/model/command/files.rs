//! Files that are given to the page.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use super::parse::{OneOrMany, invalid};
use super::{ActionError, ActionErrorKind};

/// Most bytes of all files of one `upload`.
pub const UPLOAD_BYTES_MAX: usize = 32 << 20;
/// Most files of one `upload`.
pub const UPLOAD_FILES_MAX: usize = 100;
/// Longest name of a file, bytes.
const NAME_BYTES_MAX: usize = 255;
/// Longest media type, characters.
const MIME_CHARS_MAX: usize = 127;

/// Base64 with or without the padding at its end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Parameters of `upload`: either files or paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The file field, or the button that opens its chooser.
    pub index: u32,
    /// Files whose bytes came with the action.
    pub files: Vec<UploadFile>,
    /// Paths on the service's machine, inside the configured directory only.
    pub paths: Vec<String>,
}

/// A file whose bytes came with the action.
#[derive(Clone, PartialEq, Eq)]
pub struct UploadFile {
    /// Its name, without a path.
    pub name: String,
    /// Its media type; without it, what the name's ending says.
    pub mime_type: Option<String>,
    /// Its bytes.
    pub data: Vec<u8>,
}

impl std::fmt::Debug for UploadFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UploadFile")
            .field("name", &self.name)
            .field("mime_type", &self.mime_type)
            .field("bytes", &self.data.len())
            .finish()
    }
}

/// The parameters of `upload` as they arrive.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UploadParams {
    index: u32,
    files: Option<Vec<FileParams>>,
    #[serde(alias = "paths")]
    path: Option<OneOrMany>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileParams {
    name: String,
    mime_type: Option<String>,
    data_base64: String,
}

impl Upload {
    pub(super) fn checked(params: UploadParams) -> Result<Self, ActionError> {
        let UploadParams { index, files, path } = params;
        let (files, paths) = match (files, path) {
            (Some(_), Some(_)) => {
                return Err(invalid("files", "give either files or path, not both"));
            }
            (None, None) => {
                return Err(ActionError::new(
                    ActionErrorKind::MissingParameter,
                    "An upload needs \"files\", each with its name and data_base64. Send them in params.",
                ));
            }
            (Some(files), None) => (decoded(files)?, Vec::new()),
            (None, Some(paths)) => (Vec::new(), paths.into_list()),
        };
        let count = files.len() + paths.len();
        if !(1..=UPLOAD_FILES_MAX).contains(&count) {
            let why = format!("an upload has 1 to {UPLOAD_FILES_MAX} files, and this one {count}");
            return Err(invalid("files", &why));
        }
        if paths
            .iter()
            .any(|path| path.trim().is_empty() || path.contains('\0'))
        {
            return Err(invalid(
                "path",
                "one of the paths is empty or holds a zero byte",
            ));
        }
        Ok(Self {
            index,
            files,
            paths,
        })
    }
}

/// Files as a person gives them: name, media type, and bytes as base64; bounded as those of an action are.
pub fn given_files(
    files: impl IntoIterator<Item = (String, Option<String>, String)>,
) -> Result<Vec<UploadFile>, ActionError> {
    let params = |(name, mime_type, data_base64)| FileParams {
        name,
        mime_type,
        data_base64,
    };
    let files: Vec<FileParams> = files.into_iter().map(params).collect();
    let count = files.len();
    match (1..=UPLOAD_FILES_MAX).contains(&count) {
        true => decoded(files),
        false => {
            let why = format!("there are 1 to {UPLOAD_FILES_MAX} files, and these are {count}");
            Err(invalid("files", &why))
        }
    }
}

fn decoded(files: Vec<FileParams>) -> Result<Vec<UploadFile>, ActionError> {
    let mut bytes = 0;
    let mut decoded = Vec::with_capacity(files.len().min(UPLOAD_FILES_MAX));
    for file in files {
        // Before anything of that size is made.
        bytes += file.data_base64.len() / 4 * 3;
        if bytes > UPLOAD_BYTES_MAX + 4 {
            return Err(too_large());
        }
        decoded.push(file.decoded()?);
    }
    let bytes: usize = decoded.iter().map(|file| file.data.len()).sum();
    match bytes > UPLOAD_BYTES_MAX {
        true => Err(too_large()),
        false => Ok(decoded),
    }
}

fn too_large() -> ActionError {
    let mebibytes = UPLOAD_BYTES_MAX >> 20;
    invalid(
        "files",
        &format!("an upload takes {mebibytes} MiB at most, all files together"),
    )
}

impl FileParams {
    fn decoded(self) -> Result<UploadFile, ActionError> {
        let shown: String = self.name.chars().take(64).collect();
        if !is_file_name(&self.name) {
            return Err(invalid(
                "files",
                &format!(
                    "\"{shown}\" is no name of a file: it has 1 to {NAME_BYTES_MAX} bytes and no path in it"
                ),
            ));
        }
        if self
            .mime_type
            .as_deref()
            .is_some_and(|text| !is_mime_type(text))
        {
            return Err(invalid(
                "files",
                &format!(
                    "the mime_type of \"{shown}\" is none; write it like text/plain, or leave it out"
                ),
            ));
        }
        let data = BASE64.decode(self.data_base64.as_bytes()).map_err(|error| {
            invalid(
                "files",
                &format!(
                    "the data_base64 of \"{shown}\" is no standard base64 ({error}); send the bytes without a \
                     data: prefix or line breaks"
                ),
            )
        })?;
        Ok(UploadFile {
            name: self.name,
            mime_type: self.mime_type,
            data,
        })
    }
}

fn is_file_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && !matches!(name, "." | "..")
        && !name.contains(|c: char| matches!(c, '/' | '\\') || c.is_control())
}

fn is_mime_type(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c))
    };
    let plain = text.split(';').next().unwrap_or_default();
    text.len() <= MIME_CHARS_MAX
        && !text.contains(char::is_control)
        && plain
            .trim()
            .split_once('/')
            .is_some_and(|(kind, sub)| is_part(kind) && is_part(sub))
}
