//! The folder of the sessions.

use std::path::{Path, PathBuf};

use alluvium_stream::StreamError;
use alluvium_stream::picture::list;

use crate::frame::{Frame, OBJECTS, SESSIONS, names_frame};

/// The names of the folder in the archives.
const NAMES: [&str; 2] = ["core50_128x128", "core50_32x32"];

const HINT: &str = "; https://vlomonaco.github.io/core50/ offers CORe50: unpack the cropped images (core50_128x128.zip), and \
                    let `directory` name the folder with the sessions s1 to s11";

/// The folder of the sessions `s1` to `s11`.
#[derive(Debug)]
pub struct Folder {
    /// The path of the folder.
    pub sessions: PathBuf,
}

impl Folder {
    /// Finds the folder: `directory` itself, or the folder in it with the archive's name.
    ///
    /// # Errors
    /// [`StreamError::File`] when neither holds the session `s1`.
    pub fn find(directory: &Path) -> Result<Self, StreamError> {
        let inner = NAMES.map(|name| directory.join(name));
        let mut candidates = [directory.to_owned()].into_iter().chain(inner);
        match candidates.find(|folder| folder.join("s1").is_dir()) {
            Some(sessions) => Ok(Folder { sessions }),
            None => Err(StreamError::file(directory, "does not hold the folder s1").with_hint(HINT)),
        }
    }

    /// All frames, session after session and object after object.
    ///
    /// # Errors
    /// [`StreamError::File`] when a folder is missing, does not hold pictures, or holds one whose name says another
    /// session or object.
    pub fn frames(&self) -> Result<Vec<Frame>, StreamError> {
        let mut frames = vec![];
        for (session, object) in (1..=SESSIONS).flat_map(|session| (1..=OBJECTS).map(move |object| (session, object))) {
            let folder = self.sessions.join(format!("s{session}")).join(format!("o{object}"));
            let pictures = list(&folder).map_err(|(folder, error)| {
                let hint = if folder.exists() { "" } else { HINT };
                StreamError::file(&folder, error.to_string()).with_hint(hint)
            })?;
            let own = |path: &&PathBuf| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                path.parent() == Some(&folder) && names_frame(&name, session, object)
            };
            if let Some(other) = pictures.iter().find(|path| !own(path)) {
                let cause = format!(
                    "is not the name of a frame of the session {session} and the object {object}; accepted: names such as \
                     C_{session:02}_{object:02}_000.png"
                );
                return Err(StreamError::file(other, cause));
            }
            if pictures.is_empty() {
                return Err(StreamError::file(&folder, "does not hold pictures").with_hint(HINT));
            }
            frames.extend(pictures.into_iter().map(|path| Frame { session, object, path }));
        }
        Ok(frames)
    }

    /// The error that there are no frames for training.
    pub fn holds_none(&self) -> StreamError {
        StreamError::file(&self.sessions, "does not hold pictures of a training session").with_hint(HINT)
    }
}
