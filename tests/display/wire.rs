//! A client that speaks the bare wire protocol, and may say what no library would.

use std::collections::HashMap;
use std::fs::File;
use std::io::{IoSlice, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

pub(crate) const DISPLAY: u32 = 1;
const REGISTRY: u32 = 2;

/// A client and what it was told.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: UnixStream,
    next: u32,
    globals: HashMap<String, (u32, u32)>,
    unread: Vec<u8>,
}

/// An event: of which object, which one, and its arguments.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) object: u32,
    pub(crate) opcode: u16,
    pub(crate) body: Vec<u8>,
}

/// The globals that a window needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    pub(crate) compositor: u32,
    pub(crate) subcompositor: u32,
    pub(crate) shm: u32,
    pub(crate) shell: u32,
}

/// A window with its surface.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Toplevel {
    pub(crate) surface: u32,
    pub(crate) shell: u32,
}

impl Wire {
    pub(crate) fn connect(dir: &Path) -> Self {
        let stream = UnixStream::connect(dir.join("wayland-0")).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(2)))
            .unwrap();
        let mut wire = Self {
            stream,
            next: REGISTRY,
            globals: HashMap::new(),
            unread: Vec::new(),
        };
        wire.send(DISPLAY, 1, &[REGISTRY]);
        for event in wire.roundtrip() {
            if event.object == REGISTRY && event.opcode == 0 {
                let name = word(&event.body, 0);
                let length = word(&event.body, 1) as usize;
                let interface = String::from_utf8(event.body[8..8 + length - 1].to_vec());
                let version = word(&event.body, 2 + length.div_ceil(4));
                wire.globals.insert(interface.unwrap(), (name, version));
            }
        }
        wire
    }

    pub(crate) fn id(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    pub(crate) fn send(&mut self, object: u32, opcode: u16, words: &[u32]) {
        let body: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        self.send_bytes(object, opcode, &body);
    }

    pub(crate) fn send_bytes(&mut self, object: u32, opcode: u16, body: &[u8]) {
        // A display that has sent us away is judged by what it then does.
        let _ = self.stream.write_all(&message(object, opcode, body));
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    pub(crate) fn send_file(&self, object: u32, opcode: u16, words: &[u32], file: &File) {
        let body: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let bytes = message(object, opcode, &body);
        let fds = [file.as_raw_fd()];
        let control = [ControlMessage::ScmRights(&fds)];
        let iov = [IoSlice::new(&bytes)];
        let fd = self.stream.as_raw_fd();
        let _ = sendmsg::<()>(fd, &iov, &control, MsgFlags::MSG_NOSIGNAL, None);
    }

    pub(crate) fn bind(&mut self, interface: &str, version: u32) -> u32 {
        let (name, offered) = self.globals[interface];
        assert!(offered >= version, "{interface} {offered}");
        let id = self.id();
        let mut body = name.to_ne_bytes().to_vec();
        body.extend(string(interface));
        body.extend(version.to_ne_bytes());
        body.extend(id.to_ne_bytes());
        self.send_bytes(REGISTRY, 0, &body);
        id
    }

    pub(crate) fn bind_all(&mut self) -> Bound {
        Bound {
            compositor: self.bind("wl_compositor", 4),
            subcompositor: self.bind("wl_subcompositor", 1),
            shm: self.bind("wl_shm", 1),
            shell: self.bind("xdg_wm_base", 1),
        }
    }

    /// Waits until all that was sent has been dealt with.
    pub(crate) fn roundtrip(&mut self) -> Vec<Event> {
        let callback = self.id();
        self.send(DISPLAY, 0, &[callback]);
        let mut events = Vec::new();
        while let Some(event) = self.event() {
            if event.object == callback {
                break;
            }
            events.push(event);
        }
        events
    }

    pub(crate) fn event(&mut self) -> Option<Event> {
        loop {
            if self.unread.len() >= 8 {
                let size = (word(&self.unread, 1) >> 16) as usize;
                if self.unread.len() >= size {
                    let rest = self.unread.split_off(size);
                    let whole = std::mem::replace(&mut self.unread, rest);
                    return Some(Event {
                        object: word(&whole, 0),
                        opcode: (word(&whole, 1) & 0xffff) as u16,
                        body: whole[8..].to_vec(),
                    });
                }
            }
            let mut bytes = [0; 4096];
            match self.stream.read(&mut bytes) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.unread.extend(&bytes[..count]),
            }
        }
    }

    /// Whether the display has sent this client away.
    pub(crate) fn is_sent_away(&mut self) -> bool {
        self.roundtrip();
        let callback = self.id();
        self.send(DISPLAY, 0, &[callback]);
        while let Some(event) = self.event() {
            if event.object == callback {
                return false;
            }
        }
        true
    }

    pub(crate) fn surface(&mut self, bound: Bound) -> u32 {
        let surface = self.id();
        self.send(bound.compositor, 0, &[surface]);
        surface
    }

    /// A window with that title, which has been told its size.
    pub(crate) fn toplevel(&mut self, bound: Bound, title: &str) -> (Toplevel, u32, u32) {
        let surface = self.surface(bound);
        let shell = self.id();
        self.send(bound.shell, 2, &[shell, surface]);
        let toplevel = self.id();
        self.send(shell, 1, &[toplevel]);
        self.send_bytes(toplevel, 2, &string(title));
        self.send(surface, 6, &[]);
        let (mut width, mut height) = (0, 0);
        for event in self.roundtrip() {
            if (event.object, event.opcode) == (toplevel, 0) {
                (width, height) = (word(&event.body, 0), word(&event.body, 1));
            }
            if (event.object, event.opcode) == (shell, 0) {
                self.send(shell, 4, &[word(&event.body, 0)]);
            }
        }
        (Toplevel { surface, shell }, width, height)
    }

    /// A pool of that many bytes with a buffer over all of it.
    pub(crate) fn buffer(&mut self, bound: Bound, file: &File, width: u32, height: u32) -> u32 {
        let pool = self.id();
        self.send_file(bound.shm, 0, &[pool, width * height * 4], file);
        let buffer = self.id();
        self.send(pool, 0, &[buffer, 0, width, height, width * 4, 1]);
        self.send(pool, 1, &[]);
        buffer
    }

    /// Shows a buffer, all of it new.
    pub(crate) fn show(&mut self, surface: u32, buffer: u32) {
        self.send(surface, 1, &[buffer, 0, 0]);
        self.send(surface, 9, &[0, 0, 4096, 4096]);
        self.send(surface, 6, &[]);
    }
}

/// A file of that many bytes of one colour: blue, green, red, alpha.
pub(crate) fn painted(pixels: u32, colour: [u8; 4]) -> File {
    let name = nix::sys::memfd::memfd_create(c"pixels", nix::sys::memfd::MFdFlags::empty());
    let fd: OwnedFd = name.unwrap();
    let mut file = File::from(fd);
    file.write_all(&colour.repeat(pixels as usize)).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file
}

pub(crate) fn string(text: &str) -> Vec<u8> {
    let mut body = (text.len() as u32 + 1).to_ne_bytes().to_vec();
    body.extend(text.as_bytes());
    body.push(0);
    body.resize(body.len().next_multiple_of(4), 0);
    body
}

pub(crate) fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at * 4..at * 4 + 4].try_into().unwrap())
}

fn message(object: u32, opcode: u16, body: &[u8]) -> Vec<u8> {
    let size = (body.len() as u32 + 8) << 16;
    let mut bytes = object.to_ne_bytes().to_vec();
    bytes.extend((size | u32::from(opcode)).to_ne_bytes());
    bytes.extend(body);
    bytes
}
