//! The places of a YAML document.

use yaml_rust2::{
    Event,
    parser::{MarkedEventReceiver, Parser},
    scanner::Marker,
};

use super::place::{Misread, Path, Place};

/// Every key and list item with its line.
///
/// # Errors
/// What the parser says, with line and column.
pub(super) fn places(text: &str) -> Result<Vec<Place>, Misread> {
    let mut walk = Walk::default();
    Parser::new_from_str(text)
        .load(&mut walk, false)
        .map_err(|error| Misread {
            line: None,
            message: error.to_string(),
        })?;
    Ok(walk.places)
}

/// What the walk is inside of.
enum Inside {
    List { path: Path, next: usize },
    Table { path: Path, key: Option<Path> },
}

#[derive(Default)]
struct Walk {
    places: Vec<Place>,
    inside: Vec<Inside>,
}

impl Walk {
    /// The path of the node that begins now; `None` where it is a table's key.
    fn begin(&mut self, scalar: Option<&str>, line: usize) -> Option<Path> {
        let path = match self.inside.last_mut() {
            None => return Some(Path::default()),
            Some(Inside::List { path, next }) => {
                *next += 1;
                path.index(*next - 1)
            }
            Some(Inside::Table { path, key }) => match key.take() {
                Some(value) => return Some(value),
                None => {
                    let path = path.key(scalar.unwrap_or("?"));
                    *key = Some(path.clone());
                    self.places.push(Place { path, line });
                    return None;
                }
            },
        };
        self.places.push(Place {
            path: path.clone(),
            line,
        });
        Some(path)
    }
}

impl MarkedEventReceiver for Walk {
    fn on_event(&mut self, event: Event, mark: Marker) {
        let line = mark.line();
        match event {
            Event::Scalar(text, ..) => drop(self.begin(Some(&text), line)),
            Event::Alias(_) => drop(self.begin(None, line)),
            Event::SequenceStart(..) => {
                let path = self.begin(None, line).unwrap_or_default();
                self.inside.push(Inside::List { path, next: 0 });
            }
            Event::MappingStart(..) => {
                let path = self.begin(None, line).unwrap_or_default();
                self.inside.push(Inside::Table { path, key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => drop(self.inside.pop()),
            _ => {}
        }
    }
}
