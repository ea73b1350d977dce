//! A frame of one of the films, and what its path says of it.
//!
//! A picture is called `s1/o1/C_01_01_000.png`: the session, the object, and in its name both again with the number of the
//! frame. Objects 1 to 5 are of the first category, 6 to 10 of the second, and so on; the sessions 3, 7 and 10 are for testing
//! (<https://vlomonaco.github.io/core50/>, sections "Dataset" and "Benchmark").

use std::path::{Path, PathBuf};

/// How many objects there are; they are numbered from 1.
pub const OBJECTS: usize = 50;
/// How many sessions there are; they are numbered from 1.
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
    /// Where it is.
    pub path: PathBuf,
}

impl Frame {
    /// The frame whose path from the folder of the sessions is this; `None` when it is no path of a frame.
    pub fn of(sessions: &Path, path: &str) -> Option<Self> {
        let mut parts = path.split('/');
        let mut number = |letter: char, most: usize| {
            let digits = parts.next()?.strip_prefix(letter)?;
            let number = digits.parse().ok()?;
            // `s01` is another folder than `s1`.
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

    /// The place of its category in the list.
    pub fn category(&self) -> usize {
        (self.object - 1) / OBJECTS_OF_CATEGORY
    }
}

/// Whether a picture's name is one of this session and object: both and the number of the frame, each in digits.
pub fn names_frame(name: &str, session: usize, object: usize) -> bool {
    let numbers = name.strip_prefix("C_").and_then(|name| name.strip_suffix(".png"));
    let frame = numbers.and_then(|numbers| numbers.strip_prefix(&format!("{session:02}_{object:02}_")));
    frame.is_some_and(|frame| !frame.is_empty() && frame.bytes().all(|letter| letter.is_ascii_digit()))
}

/// What an object is called, by its number from 1.
pub fn object_name(object: usize) -> String {
    let category = CATEGORIES[(object - 1) / OBJECTS_OF_CATEGORY];
    format!("{category}{}", (object - 1) % OBJECTS_OF_CATEGORY + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_session_and_object() {
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
            // Of another session, of another object, and of no number.
            "s1/o1/C_02_01_000.png",
            "s1/o1/C_01_02_000.png",
            "s1/o1/C_01_01_.png",
            "",
        ] {
            assert_eq!(Frame::of(Path::new(""), wrong), None, "{wrong}");
        }
    }
}
