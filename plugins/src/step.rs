//! A step as it is written in a configuration.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use standpipe_core::{
    driver::Transform,
    error::{Error, ErrorKind, Result},
};

use crate::{DropFields, Exec, Framing, Jq, RenameFields, SetFields, Settings};

/// One step of a route: `{drop = ["a"]}`, `{jq = "."}`.
///
/// Names are those of headers; `payload.x` is a field of a payload that is a JSON object, and
/// `payload.x.y` a field of that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Removes headers or fields.
    Drop(Vec<String>),
    /// Sets headers or fields to values.
    Set(BTreeMap<String, serde_json::Value>),
    /// Renames headers or fields, old name to new.
    Rename(BTreeMap<String, String>),
    /// Runs a jq expression over the envelope; what it yields are envelopes.
    Jq(String),
    /// Pipes envelopes through a shell command.
    Exec(String),
    /// Pipes payloads, one a line, through a shell command.
    ExecLines(String),
    /// Runs a plugin that speaks the plugin protocol.
    Plugin(String),
}

impl Step {
    /// The transform that the step describes. Nothing is started before the first message.
    ///
    /// # Errors
    /// `Invalid` for an expression or a name that cannot be understood, `Unsupported` for plugins.
    pub fn build(&self, settings: Settings) -> Result<Arc<dyn Transform>> {
        Ok(match self {
            Self::Drop(names) => Arc::new(DropFields::new(names)?),
            Self::Set(values) => Arc::new(SetFields::new(values)?),
            Self::Rename(names) => Arc::new(RenameFields::new(names)?),
            Self::Jq(expression) => Arc::new(Jq::new(expression, settings)?),
            Self::Exec(command) => Arc::new(Exec::new(command, Framing::Envelopes, settings)),
            Self::ExecLines(command) => Arc::new(Exec::new(command, Framing::Lines, settings)),
            Self::Plugin(command) => {
                let message = format!(
                    "`{command}`: the plugin protocol is not implemented yet; \
                     use exec for a program that reads and writes envelopes"
                );
                return Err(Error::new(ErrorKind::Unsupported, "plugin", message));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_read_as_the_configuration_writes_them() {
        let steps: Vec<Step> = serde_json::from_str(
            r#"[{"drop":["a"]},{"set":{"b":"x"}},{"rename":{"a":"b"}},{"jq":"."},
                {"exec":"jq -c ."},{"exec_lines":"sed s/a/b/"},{"plugin":"./p.py"}]"#,
        )
        .unwrap();
        let built: Vec<_> = steps
            .iter()
            .map(|step| step.build(Settings::default()))
            .collect();
        assert!(built[..6].iter().all(Result::is_ok));
        let refused = built[6].as_ref().err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn a_step_that_cannot_be_understood_says_what_is_wrong() {
        for (step, expected) in [
            (Step::Jq(".a |".into()), ".a |"),
            (Step::Jq("nosuch".into()), "nosuch"),
            (Step::Drop(vec!["payload.".into()]), "payload."),
            (
                Step::Set([("a".into(), serde_json::json!([1]))].into()),
                "a",
            ),
        ] {
            let error = step.build(Settings::default()).err().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
