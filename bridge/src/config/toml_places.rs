//! The places of a TOML document.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::place::{Misread, Path, Place};

/// Every key and list item with its line.
///
/// # Errors
/// What the parser says. It would quote the line too, and with it what is secret there.
pub(super) fn places(text: &str) -> Result<Vec<Place>, Misread> {
    let table = DeTable::parse(text).map_err(|error| Misread {
        line: error.span().map(|span| line_of(text, span.start)),
        message: error.message().to_owned(),
    })?;
    let mut walk = Walk {
        text,
        places: Vec::new(),
    };
    walk.table(&Path::default(), table.get_ref());
    Ok(walk.places)
}

struct Walk<'a> {
    text: &'a str,
    places: Vec<Place>,
}

impl Walk<'_> {
    fn table(&mut self, at: &Path, table: &DeTable<'_>) {
        for (key, value) in table {
            let path = at.key(key.get_ref());
            self.push(&path, key.span().start);
            self.value(&path, value);
        }
    }

    fn value(&mut self, at: &Path, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Table(table) => self.table(at, table),
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let path = at.index(index);
                    self.push(&path, item.span().start);
                    self.value(&path, item);
                }
            }
            _ => {}
        }
    }

    fn push(&mut self, path: &Path, byte: usize) {
        self.places.push(Place {
            path: path.clone(),
            line: line_of(self.text, byte),
        });
    }
}

/// The line that `byte` is in, from 1.
fn line_of(text: &str, byte: usize) -> usize {
    let before = &text.as_bytes()[..byte.min(text.len())];
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}
