//! One host of an address.

use std::fmt;

/// A host name or IP address, and a port where one is given.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Host {
    /// The name or address; IPv6 without its brackets.
    pub name: String,
    /// The port.
    pub port: Option<u16>,
}

impl Host {
    /// `name:port`, with `default` where no port is given; IPv6 in brackets.
    pub fn with_port(&self, default: u16) -> String {
        let port = Some(self.port.unwrap_or(default));
        let name = self.name.clone();
        Self { name, port }.to_string()
    }

    /// Reads `name`, `name:port` or `[v6]:port`; the problem where it is none of them.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (name, rest) = rest
                    .split_once(']')
                    .ok_or_else(|| format!("`{text}` has no closing bracket"))?;
                let port = match rest {
                    "" => None,
                    _ => Some(rest.strip_prefix(':').ok_or_else(|| {
                        format!("`{text}` has something other than a port behind its bracket")
                    })?),
                };
                (name, port)
            }
            None => match text.split_once(':') {
                Some((name, port)) => (name, Some(port)),
                None => (text, None),
            },
        };
        if name.is_empty() {
            return Err(format!("`{text}` has no host name"));
        }
        let port = port.map(|port| {
            let number = port.parse::<u16>();
            number.map_err(|_| format!("`{port}` is no port; use 0 to 65535"))
        });
        Ok(Self {
            name: super::percent::decode(name)?,
            port: port.transpose()?,
        })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]", self.name)?;
        } else {
            f.write_str(&self.name)?;
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}
