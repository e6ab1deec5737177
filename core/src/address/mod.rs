//! Addresses: `kafka://a:9092,b:9092/orders?group=billing` names a driver, hosts, a destination
//! and options.
//!
//! | address | means |
//! |---|---|
//! | `standpipe://host:port/TOPIC` | our own protocol; `standpipe:///TOPIC` is the broker in this process |
//! | `amqp://user:password@host:port/VHOST?queue=Q` | also `?exchange=E&key=K`; `%2f` is the virtual host `/` |
//! | `kafka://host:port,host:port/TOPIC?group=G` | several hosts |
//! | `grpc://host:port/TOPIC` | also `/?exchange=E&key=K` |
//! | `file://PATH?format=envelope` | everything between `//` and `?` is the path, relative or not |
//! | `-` | stdin or stdout; the same as `file://-` |
//!
//! Parts are percent-decoded. A password may be a reference, `${env:NAME}` or `${file:PATH}`, read
//! when the address is opened; it is never printed, nor are options whose names say that they are
//! secret.

mod display;
mod file_reader;
mod host;
mod parse;
mod percent;
mod secret;

use crate::error::{Error, ErrorKind, Result};

pub use file_reader::FileReader;
pub use host::Host;
pub use secret::Secret;

/// A parsed address. `Display` gives it back with secrets replaced by `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    scheme: String,
    user: Option<String>,
    password: Option<Secret>,
    hosts: Vec<Host>,
    path: Option<String>,
    options: Vec<(String, String)>,
    files: FileReader,
}

impl Address {
    /// The driver's name, in lower case; `file` for `-`.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The user's name.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The password, read from the environment or a file where it is a reference.
    ///
    /// # Errors
    /// `Invalid` where the variable is not set or the file cannot be read.
    pub fn password(&self) -> Result<Option<String>> {
        let read = |secret: &Secret| secret.read(self.files);
        self.password.as_ref().map(read).transpose()
    }

    /// Sets how files of secrets are read; without it they are refused.
    #[must_use]
    pub fn with_file_reader(mut self, files: FileReader) -> Self {
        self.files = files;
        self
    }

    /// The hosts in order; empty for the broker in this process and for files.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The hosts as `host:port`, with `port` where none is given, and `127.0.0.1` where there is
    /// no host at all.
    pub fn authorities(&self, port: u16) -> Vec<String> {
        if self.hosts.is_empty() {
            return vec![format!("127.0.0.1:{port}")];
        }
        self.hosts.iter().map(|h| h.with_port(port)).collect()
    }

    /// What follows the first `/` after the hosts, decoded: a topic, a virtual host, a file's path.
    /// `None` where there is no `/`, and empty where nothing follows it.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// The topic, which the path names.
    ///
    /// # Errors
    /// `Invalid` where the address has none.
    pub fn topic(&self) -> Result<&str> {
        match self.path() {
            Some(topic) if !topic.is_empty() => Ok(topic),
            _ => Err(self.invalid(format!("no topic; write {}://HOST:PORT/TOPIC", self.scheme))),
        }
    }

    /// An option's decoded value.
    pub fn option(&self, name: &str) -> Option<&str> {
        let found = self.options.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The options in order, decoded.
    pub fn options(&self) -> impl Iterator<Item = (&str, &str)> {
        self.options.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }

    /// An option that is a word of a closed set: `address.word("mode", &["lease", "positional"])`.
    ///
    /// # Errors
    /// `Invalid` for another word, naming the known ones.
    pub fn word(&self, name: &str, known: &[&'static str]) -> Result<Option<&'static str>> {
        let Some(value) = self.option(name) else {
            return Ok(None);
        };
        let word = known.iter().find(|word| **word == value);
        word.map(|word| Some(*word)).ok_or_else(|| {
            self.invalid(format!(
                "unknown {name} `{value}`; known: {}",
                known.join(", ")
            ))
        })
    }

    /// An option that is parsed: a number, a [`StartAt`](crate::driver::StartAt).
    ///
    /// # Errors
    /// `Invalid` where it does not parse, with the value.
    pub fn parsed<T>(&self, name: &str) -> Result<Option<T>>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        let Some(value) = self.option(name) else {
            return Ok(None);
        };
        let parsed = value
            .parse()
            .map_err(|error| self.invalid(format!("the option {name} is `{value}`: {error}")))?;
        Ok(Some(parsed))
    }

    /// Refuses any option that is not among `known`.
    ///
    /// # Errors
    /// `Invalid`, naming the option and the known ones.
    pub fn check_options(&self, known: &[&str]) -> Result<()> {
        let unknown = self.options().find(|(name, _)| !known.contains(name));
        let Some((name, _)) = unknown else {
            return Ok(());
        };
        let mut known = known.to_vec();
        known.sort_unstable();
        let known = if known.is_empty() {
            "this scheme has none".to_owned()
        } else {
            format!("known: {}", known.join(", "))
        };
        let message = format!("unknown option `{name}` in {self}; {known}");
        Err(Error::new(ErrorKind::Invalid, "open address", message))
    }

    /// An error about this address, which it names without its secrets.
    pub fn invalid(&self, problem: impl std::fmt::Display) -> Error {
        let message = format!("{self}: {problem}");
        Error::new(ErrorKind::Invalid, "open address", message)
    }
}
