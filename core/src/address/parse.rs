//! Text to address.

use std::str::FromStr;

use super::{Address, FileReader, Host, Secret, percent::decode};
use crate::error::{Error, ErrorKind, Result};

/// Octets that an address may have.
const LENGTH_LIMIT: usize = 16 * 1024;

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse(text).map_err(|problem| {
            let message =
                format!("{problem}; an address is SCHEME://HOST:PORT/NAME?OPTION=VALUE, or -");
            Error::new(ErrorKind::Invalid, "parse address", message)
        })
    }
}

/// The address, or the problem. No problem quotes what may hold a password.
fn parse(text: &str) -> Result<Address, String> {
    if text.len() > LENGTH_LIMIT {
        return Err(format!("the address is longer than {LENGTH_LIMIT} octets"));
    }
    if text == "-" || text.starts_with("-?") {
        return parse_file(text);
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(match text.split_once([':', '/', '@', '?']) {
            Some(_) => "the address has no scheme".to_owned(),
            None => format!("`{text}` has no scheme"),
        });
    };
    let scheme = scheme.to_ascii_lowercase();
    if !is_scheme(&scheme) {
        return Err("the part before :// is no scheme".to_owned());
    }
    if scheme == "file" {
        return parse_file(rest);
    }
    let authority_end = end_of_authority(rest);
    let (authority, rest) = rest.split_at(authority_end);
    let (path, query) = split_query(rest);
    let (login, hosts) = match find_last_outside(authority, b'@') {
        Some(at) => (Some(&authority[..at]), &authority[at + 1..]),
        None => (None, authority),
    };
    let (user, password) = login.map(parse_login).transpose()?.unwrap_or_default();
    let hosts = hosts.split(',').filter(|_| !hosts.is_empty());
    let hosts = hosts.map(Host::parse).collect::<Result<_, _>>();
    if hosts.is_err() && login.is_none() && rest.contains('@') {
        // What looks like a host is half of a password with a `/` in it.
        return Err("there is a `/` or `?` before the `@`; write it as %2f or %3f".to_owned());
    }
    Ok(Address {
        scheme,
        user,
        password,
        hosts: hosts?,
        path: path.strip_prefix('/').map(decode).transpose()?,
        options: parse_options(query)?,
        files: FileReader::default(),
    })
}

fn parse_file(rest: &str) -> Result<Address, String> {
    let (path, query) = split_query(rest);
    if path.is_empty() {
        return Err("the file has no path".to_owned());
    }
    Ok(Address {
        scheme: "file".to_owned(),
        user: None,
        password: None,
        hosts: Vec::new(),
        path: Some(decode(path)?),
        options: parse_options(query)?,
        files: FileReader::default(),
    })
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

fn parse_login(login: &str) -> Result<(Option<String>, Option<Secret>), String> {
    let quiet = |_| "the user or the password is not percent-encoded correctly".to_owned();
    let Some((user, password)) = login.split_once(':') else {
        return Ok((Some(decode(login).map_err(quiet)?), None));
    };
    let user = decode(user).map_err(quiet)?;
    let password = Secret::parse(decode(password).map_err(quiet)?)?;
    Ok((Some(user), Some(password)))
}

fn parse_options(query: Option<&str>) -> Result<Vec<(String, String)>, String> {
    let mut options: Vec<(String, String)> = Vec::new();
    let pairs = query.unwrap_or_default().split('&');
    for pair in pairs.filter(|pair| !pair.is_empty()) {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| format!("the option `{pair}` has no value; write {pair}=VALUE"))?;
        let (name, value) = (decode(name)?, decode(value)?);
        if options.iter().any(|(earlier, _)| *earlier == name) {
            return Err(format!("the option `{name}` is given twice"));
        }
        options.push((name, value));
    }
    Ok(options)
}

fn split_query(text: &str) -> (&str, Option<&str>) {
    match text.split_once('?') {
        Some((before, query)) => (before, Some(query)),
        None => (text, None),
    }
}

/// Where the first `/` or `?` outside a `${…}` reference is.
fn end_of_authority(text: &str) -> usize {
    let mut outside = outside_references(text);
    let end = outside.find(|(_, octet)| matches!(octet, b'/' | b'?'));
    end.map_or(text.len(), |(at, _)| at)
}

fn find_last_outside(text: &str, wanted: u8) -> Option<usize> {
    let hits = outside_references(text).filter(|(_, octet)| *octet == wanted);
    hits.last().map(|(at, _)| at)
}

/// The octets of `text` that are in no `${…}` reference, with their places.
fn outside_references(text: &str) -> impl Iterator<Item = (usize, u8)> {
    let mut inside = false;
    text.bytes().enumerate().filter(move |(at, octet)| {
        inside = match octet {
            b'$' if !inside => {
                let rest = &text[*at..];
                rest.starts_with("${") && rest.contains('}')
            }
            b'}' => false,
            _ => inside,
        };
        !inside
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    fn problem(text: &str) -> String {
        text.parse::<Address>().unwrap_err().to_string()
    }

    #[test]
    fn every_scheme_of_the_design_parses_and_prints_as_written() {
        for text in [
            "standpipe://127.0.0.1:5670/flights",
            "standpipe:///flights",
            "amqp://127.0.0.1:5672/%2f?queue=flights",
            "amqp://h/v?exchange=e&key=a.b.%23",
            "kafka://a:9092,b:9092/orders?group=billing&from=2013-01-01T05:00:00Z",
            "grpc://[::1]:50051/a",
            "file:///tmp/x.ndjson?format=lines",
            "file://relative/x.ndjson",
            "-",
            "-?format=lines",
        ] {
            assert_eq!(address(text).to_string(), text);
        }
    }

    #[test]
    fn parts_are_decoded() {
        let amqp = address("amqp://gu%40est:p%3a@h:1/%2f?queue=a%20b");
        assert_eq!(amqp.user(), Some("gu@est"));
        assert_eq!(amqp.password().unwrap().as_deref(), Some("p:"));
        assert_eq!(amqp.path(), Some("/"));
        assert_eq!(amqp.option("queue"), Some("a b"));
        assert_eq!(address("amqp://h").path(), None);
        assert_eq!(address("amqp://h/").path(), Some(""));
        assert_eq!(address("standpipe:///t").topic().unwrap(), "t");
        assert!(address("standpipe:///").topic().is_err());
        let kafka = address("kafka://a,b:1/t");
        assert_eq!(kafka.authorities(9092), ["a:9092", "b:1"]);
        assert_eq!(address("-").path(), Some("-"));
    }

    #[test]
    fn passwords_are_never_printed() {
        let amqp = address("amqp://guest:hunter2@h/v?sasl.password=hunter2");
        let printed = format!("{amqp} {amqp:?} {}", amqp.invalid("no queue"));
        assert!(
            !printed.contains("hunter2") && printed.contains("guest:***@h"),
            "{printed}"
        );
        for bad in [
            "amqp:guest:hunter2@h",
            "amqp://u:hunter2%zz@h",
            "amqp//guest:hunter2@h",
            "amqp://u:hunter2@h:port/v",
            "amqp://u:hunter2/x@h/v",
        ] {
            assert!(!problem(bad).contains("hunter2"), "{bad}");
        }
    }

    #[test]
    fn a_password_may_come_from_a_file_whose_path_has_slashes() {
        let kafka = address("kafka://u:${file:/a/b@c}@a:1,b/t?group=g");
        assert_eq!(kafka.hosts().len(), 2);
        assert_eq!(kafka.topic().unwrap(), "t");
        assert!(kafka.to_string().contains("${file:/a/b@c}"));
        let error = kafka.password().unwrap_err().to_string();
        assert!(error.contains("/a/b@c"), "{error}");
        let kafka = kafka.with_file_reader(FileReader::new(|path| Ok(format!("in {path}\n"))));
        assert_eq!(kafka.password().unwrap().as_deref(), Some("in /a/b@c"));
    }

    #[test]
    fn a_password_may_come_from_the_environment() {
        let found = address("amqp://u:${env:PATH}@h/v").password().unwrap();
        assert_eq!(found, std::env::var("PATH").ok());
        let missing = address("amqp://u:${env:STANDPIPE_NOT_SET}@h/v").password();
        assert!(missing.unwrap_err().message().contains("STANDPIPE_NOT_SET"));
        assert!(problem("amqp://u:${vault:x}@h/v").contains("${env:NAME}"));
    }

    #[test]
    fn malformed_addresses_say_what_is_wrong() {
        for (text, expected) in [
            ("flights", "`flights` has no scheme"),
            ("kafka://h:99999/t", "`99999` is no port"),
            ("kafka://h/t?group", "`group` has no value"),
            ("kafka://h/t?group=a&group=b", "given twice"),
            ("kafka://h/%zz", "two hex digits"),
            ("kafka://h/%ff", "not UTF-8"),
            ("kafka://a,,b/t", "no host name"),
            ("kafka://[::1/t", "no closing bracket"),
            ("file://", "no path"),
            ("1a://h/t", "no scheme"),
        ] {
            let problem = problem(text);
            assert!(problem.contains(expected), "{text}: {problem}");
        }
    }
}
