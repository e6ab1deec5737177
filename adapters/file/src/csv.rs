//! CSV as RFC 4180 has it: the first record names the columns, each further one is a message.

use bytes::Bytes;
use standpipe_core::{Error, ErrorKind, Result};

use crate::lines::LINE_BYTES;

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
    /// `Invalid` for a record that is not UTF-8, has stray quotes, or not one field a column.
    pub(crate) fn line(&mut self, line: &Bytes, number: u64) -> Result<Option<Bytes>> {
        if self.quoted {
            self.partial.push(b'\n');
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

fn fields(record: &[u8]) -> Result<Vec<String>, String> {
    let text = std::str::from_utf8(record).map_err(|error| error.to_string())?;
    let mut rest = text.strip_suffix('\r').unwrap_or(text);
    let mut fields = Vec::new();
    loop {
        let (field, tail) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
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
}
