//! jq expressions, run in this process.

use std::{
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

use async_trait::async_trait;
use jaq_core::{
    Compiler, Ctx, Vars,
    data::JustLut,
    load::{Arena, File, Loader},
};
use jaq_json::{Val, read, write};
use standpipe_core::{
    driver::{Outcome, Transform},
    envelope,
    error::{Error, ErrorKind, Result},
    message::Message,
};
use tokio::sync::oneshot;

use crate::Settings;

/// Messages that an expression may make of one.
const OUTPUT_LIMIT: usize = 1_000;

/// Levels that the JSON of a message may nest for an expression to be run on it; what an
/// expression parses it parses recursively.
const DEPTH_LIMIT: usize = 10_000;

/// Stack for that many levels.
const STACK_BYTES: usize = 256 << 20;

type Filter = jaq_core::Filter<JustLut<Val>>;
type Job = (Vec<Message>, oneshot::Sender<Vec<Outcome>>);

/// Runs an expression over each message's envelope; what it yields are envelopes: none drops the
/// message, several split it. An error in the expression fails the message.
///
/// One thread works for one transform. Output is bounded by count and bytes; an expression that
/// does not end with a batch in time stops the route.
#[derive(Debug)]
pub struct Jq {
    jobs: Sender<Job>,
    expression: Arc<str>,
    settings: Settings,
}

impl Jq {
    /// Compiles an expression.
    ///
    /// # Errors
    /// `Invalid` where it does not compile.
    pub fn new(expression: &str, settings: Settings) -> Result<Self> {
        let expression: Arc<str> = expression.into();
        let (jobs, queue) = mpsc::channel();
        let (told, compiled) = mpsc::sync_channel(1);
        let code = Arc::clone(&expression);
        let work = move || match compile(&code) {
            Err(problem) => drop(told.send(Err(problem))),
            Ok(filter) => {
                drop(told.send(Ok(())));
                run(&filter, &queue, settings);
            }
        };
        let named = thread::Builder::new().name("jq".to_owned());
        let spawned = named.stack_size(STACK_BYTES).spawn(work);
        spawned.map_err(|error| {
            Error::new(ErrorKind::Transient, "start jq", "no thread").with_source(error)
        })?;
        match compiled.recv() {
            Ok(Ok(())) => Ok(Self {
                jobs,
                expression,
                settings,
            }),
            Ok(Err(problem)) => {
                let message = format!("`{expression}` does not compile: {problem}");
                Err(Error::new(ErrorKind::Invalid, "jq", message))
            }
            Err(_) => Err(ended(&expression)),
        }
    }
}

#[async_trait]
impl Transform for Jq {
    async fn apply(&self, batch: Vec<Message>) -> Result<Vec<Outcome>> {
        let (reply, outcomes) = oneshot::channel();
        let sent = self.jobs.send((batch, reply));
        sent.map_err(|_| ended(&self.expression))?;
        match tokio::time::timeout(self.settings.patience, outcomes).await {
            Ok(Ok(outcomes)) => Ok(outcomes),
            Ok(Err(_)) => Err(ended(&self.expression)),
            Err(_) => {
                let message = format!(
                    "`{}` did not end with a batch in {:?}",
                    self.expression, self.settings.patience
                );
                Err(Error::new(ErrorKind::Permanent, "jq", message))
            }
        }
    }
}

fn ended(expression: &str) -> Error {
    let message = format!("`{expression}` ended its thread");
    Error::new(ErrorKind::Permanent, "jq", message)
}

fn compile(code: &str) -> Result<Filter, String> {
    let definitions = jaq_core::defs()
        .chain(jaq_std::defs())
        .chain(jaq_json::defs());
    let functions = jaq_core::funs()
        .chain(jaq_std::funs())
        .chain(jaq_json::funs());
    let arena = Arena::default();
    let modules = Loader::new(definitions)
        .load(&arena, File { code, path: () })
        .map_err(|_| "it is no jq expression".to_owned())?;
    let compiled = Compiler::default().with_funs(functions).compile(modules);
    compiled.map_err(|errors| {
        let undefined = errors.iter().flat_map(|(_, undefined)| undefined);
        let names = undefined.map(|(name, kind)| format!("undefined {} `{name}`", kind.as_str()));
        names.collect::<Vec<_>>().join(", ")
    })
}

fn run(filter: &Filter, queue: &Receiver<Job>, settings: Settings) {
    while let Ok((batch, reply)) = queue.recv() {
        let mut outcomes = Vec::with_capacity(batch.len());
        for message in batch {
            // Nobody waits any more: the route has stopped.
            if reply.is_closed() {
                break;
            }
            outcomes.push(match apply(filter, &message, settings) {
                Ok(mut messages) if messages.len() == 1 => Outcome::One(messages.remove(0)),
                Ok(messages) if messages.is_empty() => Outcome::Drop,
                Ok(messages) => Outcome::Many(messages),
                Err(problem) => Outcome::Failed(problem),
            });
        }
        drop(reply.send(outcomes));
    }
}

fn apply(filter: &Filter, message: &Message, settings: Settings) -> Result<Vec<Message>> {
    let mut line = Vec::new();
    envelope::encode(message, &mut line)?;
    if depth(&line) > DEPTH_LIMIT {
        return Err(failed(format!(
            "the message nests more than {DEPTH_LIMIT} levels"
        )));
    }
    let input = read::parse_single(&line).map_err(|error| failed(error.to_string()))?;
    let context = Ctx::<JustLut<Val>>::new(&filter.lut, Vars::new([]));
    let (mut messages, mut bytes) = (Vec::new(), 0);
    for output in filter.id.run((context, input)) {
        let output = output.map_err(|exception| match exception.get_err() {
            Ok(error) => failed(error.to_string()),
            Err(_) => failed("the expression halted".to_owned()),
        })?;
        line.clear();
        write::write(&mut line, &write::Pp::default(), 0, &output)
            .map_err(|error| failed(error.to_string()))?;
        bytes += line.len();
        if messages.len() == OUTPUT_LIMIT || bytes > settings.output_bytes {
            return Err(failed(format!(
                "the expression makes more than {OUTPUT_LIMIT} messages or {} bytes of one",
                settings.output_bytes
            )));
        }
        let mut output = envelope::decode(&line)?;
        output.annotations = message.annotations.clone();
        messages.push(output);
    }
    Ok(messages)
}

fn failed(problem: String) -> Error {
    Error::new(ErrorKind::Invalid, "jq", problem)
}

/// The most brackets that are open at a time, those within strings included: payloads are strings
/// here, and may be parsed by the expression.
fn depth(json: &[u8]) -> usize {
    let (mut open, mut most) = (0usize, 0);
    for octet in json {
        match octet {
            b'[' | b'{' => {
                open += 1;
                most = most.max(open);
            }
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn apply(expression: &str, message: Message) -> Outcome {
        let jq = Jq::new(expression, Settings::default()).unwrap();
        jq.apply(vec![message]).await.unwrap().remove(0)
    }

    #[tokio::test]
    async fn the_identity_changes_nothing() {
        let mut message = Message::new(&b"\xff\x00"[..])
            .with_key("k")
            .with_header("n", 9_007_199_254_740_993)
            .with_header("n", standpipe_core::message::Value::F64(0.1));
        message.annotations.routing_key = Some("a.b".into());
        let Outcome::One(same) = apply(".", message.clone()).await else {
            panic!("it was dropped or split");
        };
        assert_eq!(same, message);
    }

    #[tokio::test]
    async fn expressions_change_drop_split_and_fail() {
        let flight = || Message::new(r#"{"carrier":"UA","n":1}"#);
        let Outcome::One(changed) =
            apply(".payload |= (fromjson | del(.n) | tojson)", flight()).await
        else {
            panic!("it was dropped or split");
        };
        assert_eq!(changed, Message::new(r#"{"carrier":"UA"}"#));
        assert!(matches!(apply("empty", flight()).await, Outcome::Drop));
        assert!(matches!(apply("., .", flight()).await, Outcome::Many(m) if m.len() == 2));
        for bad in [
            ".payload + 1",
            "5",
            "{unknown: 1}",
            "error(\"no\")",
            "repeat(.)",
            "halt",
        ] {
            let Ok(jq) = Jq::new(bad, Settings::default()) else {
                continue;
            };
            let outcome = jq.apply(vec![flight()]).await.unwrap().remove(0);
            assert!(matches!(outcome, Outcome::Failed(_)), "{bad}: {outcome:?}");
        }
    }

    #[tokio::test]
    async fn an_expression_that_does_not_end_stops_the_route() {
        let settings = Settings {
            patience: Duration::from_millis(50),
            ..Settings::default()
        };
        let jq = Jq::new("last(range(1000000000000))", settings).unwrap();
        let error = jq.apply(vec![Message::new("x")]).await.unwrap_err();
        assert!(error.to_string().contains("did not end"), "{error}");
    }

    #[tokio::test]
    async fn a_payload_nested_deep_is_parsed_or_refused() {
        let deep = |levels| Message::new("[".repeat(levels) + &"]".repeat(levels));
        let parse = ".payload |= (fromjson | tojson)";
        assert!(matches!(apply(parse, deep(9_000)).await, Outcome::One(_)));
        assert!(matches!(
            apply(parse, deep(1_000_000)).await,
            Outcome::Failed(_)
        ));
    }
}
