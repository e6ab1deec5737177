//! `[kafka]`: what Kafka's broker has as `num.partitions`, `auto.create.topics.enable` and `group.*`.

use std::{collections::BTreeMap, num::NonZeroU32, str::FromStr, time::Duration};

use standpipe_core::quantity::{duration_text, parse_duration};

use super::{Problem, document::Document, top};

/// Settings of the Kafka frontend; `None` where the configuration is silent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KafkaConfig {
    /// Partitions of a topic that a client brings into being without a number; else 1.
    pub num_partitions: Option<NonZeroU32>,
    /// Whether a topic that a client names comes into being; else it does.
    pub auto_create_topics: Option<bool>,
    /// How long the first rebalance of an empty group waits for more members; else not at all.
    pub group_initial_rebalance_delay: Option<Duration>,
    /// The shortest session timeout that a group's member may ask for; else 6 s.
    pub group_min_session_timeout: Option<Duration>,
    /// The longest; else 30 min.
    pub group_max_session_timeout: Option<Duration>,
}

/// Understands the words of `[kafka]`; its keys are checked already.
pub(super) fn read(
    raw: BTreeMap<String, String>,
    document: &Document,
) -> Result<KafkaConfig, Problem> {
    let mut kafka = KafkaConfig::default();
    for (key, text) in raw {
        let place = match key.as_str() {
            "num_partitions" => {
                let number = NonZeroU32::from_str(&text);
                let wrong = |_| format!("`{text}` is no number of partitions; write 1 or more");
                let number = number.map_err(wrong);
                let problem = |message| document.problem(&top("kafka").key(&key), message);
                kafka.num_partitions = Some(number.map_err(problem)?);
                continue;
            }
            "auto_create_topics" => {
                let wrong = |_| format!("`{text}` is neither true nor false");
                let said = bool::from_str(&text).map_err(wrong);
                let problem = |message| document.problem(&top("kafka").key(&key), message);
                kafka.auto_create_topics = Some(said.map_err(problem)?);
                continue;
            }
            "group_initial_rebalance_delay" => &mut kafka.group_initial_rebalance_delay,
            "group_min_session_timeout" => &mut kafka.group_min_session_timeout,
            _ => &mut kafka.group_max_session_timeout,
        };
        let time = parse_duration(&text);
        *place = Some(time.map_err(|message| document.problem(&top("kafka").key(&key), message))?);
    }
    check_bounds(&kafka, document)?;
    Ok(kafka)
}

/// # Errors
/// Where no session timeout would be possible.
fn check_bounds(kafka: &KafkaConfig, document: &Document) -> Result<(), Problem> {
    let defaults = standpipe_core::group::Options::default();
    let least = kafka.group_min_session_timeout;
    let least = least.unwrap_or(defaults.min_session_timeout);
    let most = kafka.group_max_session_timeout;
    let most = most.unwrap_or(defaults.max_session_timeout);
    if least <= most && !least.is_zero() {
        return Ok(());
    }
    let (least, most) = (duration_text(least), duration_text(most));
    let message = format!(
        "session timeouts from {least} to {most}: the shortest must be above 0 and not above the longest"
    );
    Err(document.problem(&top("kafka"), message))
}
