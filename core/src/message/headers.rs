//! An ordered multimap of typed headers.

use super::{Text, Value};

/// One header.
pub type Header = (Text, Value);

/// Headers in the producer's order; a name may occur more than once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Headers(Vec<Header>);

impl Headers {
    /// Appends a header; an earlier one of the same name stays.
    pub fn push(&mut self, name: impl Into<Text>, value: impl Into<Value>) {
        self.0.push((name.into(), value.into()));
    }

    /// The first value under `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// Removes every header called `name`, and returns the first one's value.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|(n, _)| n == name)?;
        let (_, first) = self.0.remove(at);
        self.0.retain(|(n, _)| n != name);
        Some(first)
    }

    /// Replaces every header called `name` by one, at the first one's place or the end.
    pub fn set(&mut self, name: impl Into<Text>, value: impl Into<Value>) {
        let name = name.into();
        let Some(at) = self.0.iter().position(|(n, _)| *n == name) else {
            return self.push(name, value);
        };
        self.0[at].1 = value.into();
        let mut index = 0;
        self.0.retain(|(n, _)| {
            index += 1;
            *n != name || index == at + 1
        });
    }

    /// Headers in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Header> {
        self.0.iter()
    }

    /// How many headers there are, duplicates counted.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Octets of names and values, for limits.
    pub fn size(&self) -> usize {
        self.iter()
            .map(|(name, value)| name.len() + value.size())
            .sum()
    }
}

impl FromIterator<Header> for Headers {
    fn from_iter<I: IntoIterator<Item = Header>>(headers: I) -> Self {
        Self(headers.into_iter().collect())
    }
}

impl IntoIterator for Headers {
    type Item = Header;
    type IntoIter = std::vec::IntoIter<Header>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = &'a Header;
    type IntoIter = std::slice::Iter<'a, Header>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_replaces_all_duplicates_at_the_first_place() {
        let mut headers: Headers = [("a", "1"), ("b", "2"), ("a", "3")]
            .map(|(n, v)| (Text::from(n), Value::from(v)))
            .into_iter()
            .collect();
        headers.set("a", "9");
        let names: Vec<_> = headers
            .iter()
            .map(|(n, _)| n.lossy().into_owned())
            .collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(headers.get("a"), Some(&Value::from("9")));
    }
}
