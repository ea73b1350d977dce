//! A problem before its line and column in the file are known.

use crate::ConfigProblem;
use crate::document::Document;

/// A problem, with the path of keys to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The path of keys.
    pub(crate) at: Vec<String>,
    /// What is wrong, and what is accepted.
    pub(crate) message: String,
    subject: Subject,
}

/// What comes before the message.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    /// Nothing: the message names its keys from the top of the file.
    Nothing,
    /// The table.
    Table,
    /// The table and the key.
    Key(Vec<String>),
}

impl Finding {
    /// A problem whose message names its keys in full.
    pub(crate) fn of_file(at: &[String], message: String) -> Self {
        Finding { at: at.to_owned(), message, subject: Subject::Nothing }
    }

    /// A problem whose message names the key within its table, if any.
    pub(crate) fn of_table(at: &[String], message: String) -> Self {
        Finding { at: at.to_owned(), message, subject: Subject::Table }
    }

    /// A problem whose message continues after the name of the key.
    pub(crate) fn of_key(at: &[String], key: &[String], message: String) -> Self {
        Finding { at: at.to_owned(), message, subject: Subject::Key(key.to_owned()) }
    }

    /// The problem with its place in the file. `at` must be a path in the file.
    pub(crate) fn in_file(&self, document: &Document) -> ConfigProblem {
        let (table, message) = match &self.subject {
            Subject::Nothing => (String::new(), self.message.clone()),
            Subject::Table => (document.table(&self.at).0, self.message.clone()),
            Subject::Key(key) => {
                let (table, inner) = document.table(key);
                (table, format!("`{}` {}", inner.join("."), self.message))
            }
        };
        ConfigProblem { place: document.place(&self.at), table, message }
    }
}
