//! The end of a log, over the files that were put aside, and what comes after it.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::super::log;

/// Longest piece of a log that is read at once, bytes.
const PIECE: u64 = 1024 * 1024;

/// A place in a log, from which it is read on.
#[derive(Debug)]
pub(super) struct Tail {
    directory: PathBuf,
    name: &'static str,
    /// The file that is read, which may have been put aside since.
    file: Option<File>,
    at: u64,
    /// The beginning of a line whose end is not there yet.
    rest: Vec<u8>,
}

/// The last lines of a log, from as many files as it takes; `None` where there is no log.
pub(super) fn last(directory: &Path, name: &str, count: usize) -> Option<Vec<String>> {
    let current = directory.join(name);
    let files = std::iter::once(current).chain(log::put_aside(directory, name));
    let mut lines: VecDeque<String> = VecDeque::new();
    let mut is_there = false;
    for path in files {
        let Ok(bytes) = fs::read(&path) else {
            continue;
        };
        is_there = true;
        let text = String::from_utf8_lossy(&bytes);
        for line in text.lines().rev().take(count - lines.len().min(count)) {
            lines.push_front(line.to_owned());
        }
        if lines.len() >= count {
            break;
        }
    }
    is_there.then(|| lines.into())
}

impl Tail {
    /// The end of a log as it is now.
    pub(super) fn end_of(directory: &Path, name: &'static str) -> Self {
        let file = File::open(directory.join(name)).ok();
        let length = file.as_ref().and_then(|file| file.metadata().ok());
        Self {
            directory: directory.to_owned(),
            name,
            file,
            at: length.map_or(0, |data| data.len()),
            rest: Vec::new(),
        }
    }

    /// The last lines that have come since.
    pub(super) fn lines_since(mut self, count: usize) -> Vec<String> {
        let mut lines = VecDeque::new();
        while let Ok(more) = self.read_on() {
            if more.is_empty() {
                break;
            }
            lines.extend(more);
            let excess = lines.len().saturating_sub(count);
            lines.drain(..excess);
        }
        lines.into()
    }

    /// The whole lines that have come since it was read before, a piece of them at a time.
    pub(super) fn read_on(&mut self) -> io::Result<Vec<String>> {
        loop {
            let got = self.piece()?;
            if got > 0 {
                let lines = self.lines();
                // A line may be longer than a piece.
                if !lines.is_empty() {
                    return Ok(lines);
                }
            } else if !self.turn_over()? {
                return Ok(Vec::new());
            }
        }
    }

    /// Reads a piece of the file; answers how much.
    fn piece(&mut self) -> io::Result<usize> {
        let Some(file) = &mut self.file else {
            return Ok(0);
        };
        // One that was emptied is read from its beginning.
        if file.metadata()?.len() < self.at {
            self.at = 0;
        }
        file.seek(SeekFrom::Start(self.at))?;
        let got = file.take(PIECE).read_to_end(&mut self.rest)?;
        self.at += got as u64;
        Ok(got)
    }

    /// Takes the whole lines out of what was read.
    fn lines(&mut self) -> Vec<String> {
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else {
            return Vec::new();
        };
        let after = self.rest.split_off(end + 1);
        let whole = std::mem::replace(&mut self.rest, after);
        String::from_utf8_lossy(&whole)
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// Goes on with the file that came after the one that is read; answers whether there is more to read.
    /// Files are given other names meanwhile, so what is opened must be what was looked for.
    fn turn_over(&mut self) -> io::Result<bool> {
        let current = self.directory.join(self.name);
        let Some(place) = place_of(&current) else {
            return Ok(false);
        };
        let (next, place) = match &self.file {
            None => (current, place),
            Some(file) => {
                let data = file.metadata()?;
                let own = (data.dev(), data.ino());
                if own == place {
                    return Ok(false);
                }
                // What came between the last look and its being put aside.
                if data.len() > self.at {
                    return Ok(true);
                }
                let aside = log::put_aside(&self.directory, self.name).into_iter();
                let mut aside: Vec<_> = aside
                    .filter_map(|path| {
                        let place = place_of(&path)?;
                        Some((path, place))
                    })
                    .collect();
                // The newest first: what comes before ours in that order came after it.
                match aside.iter().position(|(_, place)| *place == own) {
                    Some(0) => (current, place),
                    Some(at) => aside.swap_remove(at - 1),
                    // Of one that was deleted the oldest that is left comes next.
                    None if data.nlink() == 0 => aside.pop().unwrap_or((current, place)),
                    // It is just given another name.
                    None => return Ok(false),
                }
            }
        };
        let Ok(file) = File::open(next) else {
            return Ok(false);
        };
        let data = file.metadata()?;
        let is_it = (data.dev(), data.ino()) == place;
        if is_it {
            (self.file, self.at) = (Some(file), 0);
        }
        Ok(is_it)
    }
}

/// What makes a file the same one under another name.
fn place_of(path: &Path) -> Option<(u64, u64)> {
    let data = fs::metadata(path).ok()?;
    Some((data.dev(), data.ino()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("ghostcast-tail-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn add(path: &Path, text: &str) {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Puts the log aside, as the service does.
    fn roll(place: &Path) {
        for at in (1..9).rev() {
            let _ = fs::rename(
                place.join(format!("{}.{at}", log::SERVER)),
                place.join(format!("{}.{}", log::SERVER, at + 1)),
            );
        }
        fs::rename(
            place.join(log::SERVER),
            place.join(format!("{}.1", log::SERVER)),
        )
        .unwrap();
    }

    #[test]
    fn the_last_lines_come_from_as_many_files_as_it_takes() {
        let place = directory("last");
        assert_eq!(last(&place, log::SERVER, 3), None);
        let path = place.join(log::SERVER);
        add(&path, "1\n2\n3\n");
        roll(&place);
        add(&path, "4\n5\n");
        for (count, lines) in [
            (0, &[][..]),
            (1, &["5"]),
            (2, &["4", "5"]),
            (3, &["3", "4", "5"]),
            (9, &["1", "2", "3", "4", "5"]),
        ] {
            assert_eq!(last(&place, log::SERVER, count).unwrap(), lines, "{count}");
        }
        fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    fn no_line_is_missed_over_files_that_are_put_aside() {
        let place = directory("follow");
        let path = place.join(log::SERVER);
        let mut tail = Tail::end_of(&place, log::SERVER);
        assert!(tail.read_on().unwrap().is_empty());
        add(&path, "1\n2\nhal");
        assert_eq!(tail.read_on().unwrap(), ["1", "2"]);
        add(&path, "f\n");
        roll(&place);
        add(&path, "3\n");
        roll(&place);
        add(&path, "4\n");
        for lines in [["half"], ["3"], ["4"]] {
            assert_eq!(tail.read_on().unwrap(), lines);
        }
        assert!(tail.read_on().unwrap().is_empty());
        // What was put aside and deleted is lost, and nothing else.
        for number in 0..3 {
            roll(&place);
            add(&path, &format!("x{number}\n"));
        }
        for at in 3..=5 {
            fs::remove_file(place.join(format!("{}.{at}", log::SERVER))).unwrap();
        }
        for lines in [["x0"], ["x1"], ["x2"]] {
            assert_eq!(tail.read_on().unwrap(), lines);
        }
        // One that has no number yet is the newest that was put aside.
        fs::rename(&path, place.join(format!("{}.pending.0", log::SERVER))).unwrap();
        add(&path, "y\n");
        assert_eq!(tail.read_on().unwrap(), ["y"]);
        add(&path, "5\n");
        assert_eq!(tail.lines_since(9), ["5"]);
        let tail = Tail::end_of(&place, log::SERVER);
        add(&path, "6\n7\n8\n");
        assert_eq!(tail.lines_since(2), ["7", "8"]);
        fs::remove_dir_all(&place).unwrap();
    }
}
