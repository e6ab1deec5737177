//! Addresses as text, without their secrets.

use std::fmt;

use super::{Address, percent::encode};

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scheme == "file" {
            match self.path() {
                Some("-") => f.write_str("-")?,
                path => write!(f, "file://{}", encode(path.unwrap_or_default(), "/:@,+ "))?,
            }
        } else {
            self.fmt_network(f)?;
        }
        for (index, (name, value)) in self.options().enumerate() {
            f.write_str(if index == 0 { "?" } else { "&" })?;
            f.write_str(&encode(name, ""))?;
            f.write_str("=")?;
            if is_secret(name) {
                f.write_str("***")?;
            } else {
                f.write_str(&encode(value, "/:@,$!*"))?;
            }
        }
        Ok(())
    }
}

impl Address {
    fn fmt_network(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme)?;
        if let Some(user) = &self.user {
            f.write_str(&encode(user, ""))?;
            if let Some(password) = &self.password {
                write!(f, ":{password}")?;
            }
            f.write_str("@")?;
        }
        for (index, host) in self.hosts.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "," })?;
            write!(f, "{host}")?;
        }
        match self.path() {
            Some(path) => write!(f, "/{}", encode(path, ":@,$!*")),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "secret", "token"]
        .iter()
        .any(|word| name.contains(word))
}
