//! A configuration file as text: its values through the `config` crate, its lines for messages.

use std::{collections::BTreeMap, path::Path as FilePath};

use config::{Environment, File, FileFormat};

use super::{
    Problem,
    place::{Path, Place},
    schema, toml_places, yaml_places,
};

/// A parsed file whose keys are all known.
pub(super) struct Document {
    name: String,
    places: Vec<Place>,
    pub(super) values: config::Config,
}

impl Document {
    /// Parses `text`, whose format the ending of `name` tells, under `environment`'s overrides.
    pub(super) fn parse(
        name: &str,
        text: &str,
        environment: BTreeMap<String, String>,
    ) -> Result<Self, Problem> {
        let format = format_of(name)?;
        let places = match format {
            FileFormat::Toml => toml_places::places(text),
            _ => yaml_places::places(text),
        };
        let places = places
            .map_err(|misread| Problem::new(name, misread.line, misread.message.trim_end()))?;
        for place in &places {
            schema::check(&place.path)
                .map_err(|message| Problem::new(name, Some(place.line), message))?;
        }
        let values = config::Config::builder()
            .add_source(File::from_str(text, format))
            .add_source(overrides(environment)?)
            .build()
            .map_err(|error| Problem::new(name, None, error.to_string()))?;
        Ok(Self {
            name: name.to_owned(),
            places,
            values,
        })
    }

    /// A problem with the value at `path`.
    pub(super) fn problem(&self, path: &Path, message: impl Into<String>) -> Problem {
        Problem::new(&self.name, self.line(path), message)
    }

    /// A problem that the `config` crate found, at the place that it names.
    pub(super) fn unreadable(&self, error: &config::ConfigError) -> Problem {
        // The `config` crate writes `route[0]to`.
        let text = error.to_string().replace("]", "].").replace("].`", "]`");
        let text = text.replace("]..", "].");
        let named = self
            .places
            .iter()
            .filter(|place| text.contains(&format!("`{}`", place.path)))
            .max_by_key(|place| place.path.0.len());
        Problem::new(&self.name, named.map(|place| place.line), text)
    }

    fn line(&self, path: &Path) -> Option<usize> {
        let at = self.places.iter().find(|place| place.path == *path)?;
        Some(at.line)
    }
}

fn format_of(name: &str) -> Result<FileFormat, Problem> {
    match FilePath::new(name).extension().and_then(|end| end.to_str()) {
        Some("toml") => Ok(FileFormat::Toml),
        Some("yaml" | "yml") => Ok(FileFormat::Yaml),
        _ => {
            let message = "unknown kind of file; its name must end in .toml, .yaml or .yml";
            Err(Problem::new(name, None, message))
        }
    }
}

/// `STANDPIPE_DATA` and `STANDPIPE_LISTEN__AMQP` and its like; other variables are none of ours.
fn overrides(variables: BTreeMap<String, String>) -> Result<Environment, Problem> {
    let mut ours = config::Map::new();
    for (name, value) in variables {
        if let Some(key) = name.strip_prefix("STANDPIPE_LISTEN__") {
            let key = key.to_ascii_lowercase();
            if !schema::listen_keys().any(|known| known == key) {
                let known: Vec<_> = schema::listen_keys().collect();
                let message = format!("unknown listener `{key}`; known: {}", known.join(", "));
                return Err(Problem::new(&name, None, message));
            }
            ours.insert(name, value);
        } else if name == "STANDPIPE_DATA" {
            ours.insert(name, value);
        }
    }
    Ok(Environment::with_prefix("STANDPIPE")
        .prefix_separator("_")
        .separator("__")
        .source(Some(ours)))
}
