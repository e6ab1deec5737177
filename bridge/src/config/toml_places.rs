//! The places of a TOML document.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::place::{Path, Place};

/// Every key and list item with its line.
///
/// # Errors
/// What the parser says, with line and column.
pub(super) fn places(text: &str) -> Result<Vec<Place>, String> {
    let table = DeTable::parse(text).map_err(|error| error.to_string())?;
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
        let before = &self.text.as_bytes()[..byte.min(self.text.len())];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        self.places.push(Place {
            path: path.clone(),
            line,
        });
    }
}
