//! Where in a file a value stands: a path such as `route[0].from`, and its line.

use std::fmt;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// Into a table.
    Key(String),
    /// Into a list, from 0.
    Index(usize),
}

/// The way to a value from the top of the document.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Path(pub(crate) Vec<Step>);

impl Path {
    /// The path of `key` in the table that this path leads to.
    pub(crate) fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    /// The path of item `index` in the list that this path leads to.
    pub(crate) fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if at == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// A path and the line that it stands on, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) path: Path,
    pub(crate) line: usize,
}

/// Why a document has no places: it is no document of its format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misread {
    /// The line, from 1, where the message does not say it.
    pub(crate) line: Option<usize>,
    pub(crate) message: String,
}
