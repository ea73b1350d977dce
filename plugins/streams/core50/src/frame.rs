//! A frame of one of the films, identified by its path.
//!
//! An example of a path is `s1/o1/C_01_01_000.png`: the session, the object, and a file name that repeats both and adds
//! the number of the frame. Objects 1 to 5 are of the first category, 6 to 10 of the second, and so on. The sessions 3,
//! 7 and 10 are for testing (<https://vlomonaco.github.io/core50/>, sections "Dataset" and "Benchmark").

use std::path::{Path, PathBuf};

/// The number of objects, which are numbered from 1.
pub const OBJECTS: usize = 50;
/// The number of sessions, which are numbered from 1.
pub const SESSIONS: usize = 11;

/// The categories, each of five objects.
pub const CATEGORIES: [&str; 10] = [
    "plug_adapter",
    "mobile_phone",
    "scissor",
    "light_bulb",
    "can",
    "glass",
    "ball",
    "marker",
    "cup",
    "remote_control",
];
const OBJECTS_OF_CATEGORY: usize = 5;
const TEST_SESSIONS: [usize; 3] = [3, 7, 10];

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The session, from 1.
    pub session: usize,
    /// The object, from 1.
    pub object: usize,
    /// The path of the picture.
    pub path: PathBuf,
}

impl Frame {
    /// Parses the path of a frame, relative to the folder of the sessions. `None` if it is not a frame's path.
    pub fn of(sessions: &Path, path: &str) -> Option<Self> {
        let mut parts = path.split('/');
        let mut number = |letter: char, most: usize| {
            let digits = parts.next()?.strip_prefix(letter)?;
            let number = digits.parse().ok()?;
            // `s01` is not the folder `s1`.
            ((1..=most).contains(&number) && number.to_string() == digits).then_some(number)
        };
        let (session, object) = (number('s', SESSIONS)?, number('o', OBJECTS)?);
        let right = names_frame(parts.next()?, session, object) && parts.next().is_none();
        right.then(|| Frame { session, object, path: sessions.join(path) })
    }

    /// Whether its session is for testing.
    pub fn is_test(&self) -> bool {
        TEST_SESSIONS.contains(&self.session)
    }

    /// The index of its category in the list.
    pub fn category(&self) -> usize {
        (self.object - 1) / OBJECTS_OF_CATEGORY
    }
}

/// Whether a picture's name belongs to this session and object. It has both and the number of the frame, in digits.
pub fn names_frame(name: &str, session: usize, object: usize) -> bool {
    let numbers = name.strip_prefix("C_").and_then(|name| name.strip_suffix(".png"));
    let frame = numbers.and_then(|numbers| numbers.strip_prefix(&format!("{session:02}_{object:02}_")));
    frame.is_some_and(|frame| !frame.is_empty() && frame.bytes().all(|letter| letter.is_ascii_digit()))
}

/// The name of an object, by its number from 1.
pub fn object_name(object: usize) -> String {
    let category = CATEGORIES[(object - 1) / OBJECTS_OF_CATEGORY];
    format!("{category}{}", (object - 1) % OBJECTS_OF_CATEGORY + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_gives_session_and_object() {
        let frame = Frame::of(Path::new("x"), "s11/o46/C_11_46_000.png").unwrap();
        assert_eq!((frame.session, frame.object, frame.category(), frame.is_test()), (11, 46, 9, false));
        assert_eq!(frame.path, Path::new("x/s11/o46/C_11_46_000.png"));
        assert_eq!((object_name(46).as_str(), object_name(10).as_str()), ("remote_control1", "mobile_phone5"));
        let test = |n| Frame::of(Path::new(""), &format!("s{n}/o1/C_{n:02}_01_0.png")).unwrap().is_test();
        assert!([3, 7, 10].into_iter().all(test));
        for wrong in [
            "s12/o1/C_12_01_000.png",
            "s0/o1/C_00_01_000.png",
            "s1/o51/C_01_51_000.png",
            "s01/o1/C_01_01_000.png",
            "s1/C_01_01_000.png",
            "s1/o1/a/C_01_01_000.png",
            "s1/o1/D_01_01_000.png",
            "s1/o1/C_01_01_000.jpg",
            "/s1/o1/C_01_01_000.png",
            "s1/../C_01_01_000.png",
            "s1/o1/C_01_01_\\..\\1.png",
            // Another session, another object, and no number.
            "s1/o1/C_02_01_000.png",
            "s1/o1/C_01_02_000.png",
            "s1/o1/C_01_01_.png",
            "",
        ] {
            assert_eq!(Frame::of(Path::new(""), wrong), None, "{wrong}");
        }
    }
}
