//! CSV as RFC 4180 has it: the first record names the columns, each further one is a message.

use std::collections::BTreeSet;

use bytes::Bytes;
use standpipe_core::{Error, ErrorKind, Result};

use crate::lines::LINE_BYTES;

/// What Excel writes before a file in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Joins lines into records and records into JSON objects of text, column for column.
#[derive(Default)]
pub(crate) struct Csv {
    columns: Option<Vec<String>>,
    partial: Vec<u8>,
    quoted: bool,
}

impl Csv {
    /// Takes one line; gives a payload when it ends a record that is not the first one.
    ///
    /// # Errors
    /// `Invalid` for a record that is not UTF-8, has stray quotes, or not one field a column, and for
    /// two columns of one name.
    pub(crate) fn line(&mut self, line: &Bytes, number: u64) -> Result<Option<Bytes>> {
        let mut line = &line[..];
        if self.quoted {
            self.partial.push(b'\n');
        } else if self.columns.is_none() {
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        self.partial.extend_from_slice(line);
        if self.partial.len() > LINE_BYTES {
            let message = format!("the record is longer than {LINE_BYTES} bytes");
            return Err(invalid(number, &message));
        }
        // Within quotes a break belongs to the field, and a quote is written twice.
        let quotes = line.iter().filter(|byte| **byte == b'"').count();
        self.quoted ^= quotes % 2 == 1;
        if self.quoted {
            return Ok(None);
        }
        let record = std::mem::take(&mut self.partial);
        let fields = fields(&record).map_err(|what| invalid(number, &what))?;
        let Some(columns) = &self.columns else {
            check_names(&fields).map_err(|what| invalid(number, &what))?;
            self.columns = Some(fields);
            return Ok(None);
        };
        if fields.len() != columns.len() {
            let message = format!("{} fields for {} columns", fields.len(), columns.len());
            return Err(invalid(number, &message));
        }
        let object: serde_json::Map<_, _> = columns
            .iter()
            .cloned()
            .zip(fields.into_iter().map(serde_json::Value::String))
            .collect();
        let json = serde_json::Value::Object(object).to_string();
        Ok(Some(Bytes::from(json)))
    }

    /// Checks that the last record was whole.
    ///
    /// # Errors
    /// `Invalid` where the input ended within quotes.
    pub(crate) fn end(&self, number: u64) -> Result<()> {
        if self.quoted {
            return Err(invalid(number, "the file ends within quotes"));
        }
        Ok(())
    }
}

/// An object keeps one field a name.
fn check_names(columns: &[String]) -> Result<(), String> {
    let mut names = BTreeSet::new();
    match columns.iter().find(|name| !names.insert(name.as_str())) {
        None => Ok(()),
        Some(name) => Err(format!(
            "two columns are named `{name}`; give each a name of its own"
        )),
    }
}

fn fields(record: &[u8]) -> Result<Vec<String>, String> {
    let text = std::str::from_utf8(record).map_err(|error| error.to_string())?;
    let mut rest = text.strip_suffix('\r').unwrap_or(text);
    let mut fields = Vec::new();
    loop {
        let (field, tail) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (plain_field(&rest[..end])?, &rest[end..])
            }
        };
        fields.push(field);
        rest = match tail.strip_prefix(',') {
            Some(next) => next,
            None if tail.is_empty() => return Ok(fields),
            None => return Err(format!("`{tail}` after a closing quote")),
        };
    }
}

/// A quote here would be taken for the begin or the end of a quoted field elsewhere.
fn plain_field(field: &str) -> Result<String, String> {
    if field.contains('"') {
        let shown: String = field.chars().take(40).collect();
        return Err(format!(
            "a quote within `{shown}`; put the field into quotes, and write the quote twice"
        ));
    }
    Ok(field.to_owned())
}

fn quoted_field(mut rest: &str) -> Result<(String, &str), String> {
    let mut field = String::new();
    loop {
        let end = rest.find('"').ok_or("a quote is not closed")?;
        field.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(next) => {
                field.push('"');
                rest = next;
            }
            None => return Ok((field, rest)),
        }
    }
}

fn invalid(number: u64, what: &str) -> Error {
    Error::new(
        ErrorKind::Invalid,
        "read CSV",
        format!("line {number}: {what}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Result<Vec<String>> {
        let mut csv = Csv::default();
        let mut rows = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = Bytes::copy_from_slice(line.as_bytes());
            if let Some(row) = csv.line(&line, number as u64 + 1)? {
                rows.push(String::from_utf8(row.to_vec()).unwrap());
            }
        }
        csv.end(0)?;
        Ok(rows)
    }

    #[test]
    fn quotes_commas_and_breaks_stay_in_their_field() {
        let text = "b,a\n1,\n\"x, \"\"y\"\"\nz\",2\n";
        assert_eq!(
            rows(text).unwrap(),
            [r#"{"b":"1","a":""}"#, r#"{"b":"x, \"y\"\nz","a":"2"}"#]
        );
    }

    #[test]
    fn a_record_of_another_width_is_refused_with_its_line() {
        let error = rows("a,b\n1,2\n3\n").unwrap_err();
        assert!(error.to_string().contains("line 3: 1 fields for 2 columns"));
        assert!(rows("a\n\"1\"x\n").is_err());
        assert!(rows("a\n\"1\n").is_err());
    }

    #[test]
    fn two_columns_of_one_name_are_refused() {
        let error = rows("id,name,name\n1,a,b\n").unwrap_err().to_string();
        assert!(
            error.contains("line 1: two columns are named `name`"),
            "{error}"
        );
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_name() {
        for text in ["\u{feff}id,b\n1,2\n", "\u{feff}\"id\",b\n1,2\n"] {
            assert_eq!(rows(text).unwrap(), [r#"{"id":"1","b":"2"}"#]);
        }
        let later = rows("id\n\u{feff}1\n").unwrap();
        assert_eq!(
            later,
            ["{\"id\":\"\u{feff}1\"}"],
            "there it is the field's own"
        );
    }

    #[test]
    fn a_quote_in_a_field_without_quotes_joins_no_rows() {
        let error = rows("size\n5\" x\n3\" y\n").unwrap_err().to_string();
        assert!(error.contains("a quote within"), "{error}");
        assert!(rows("size,b\n5\"\",2\n").is_err());
    }
}
