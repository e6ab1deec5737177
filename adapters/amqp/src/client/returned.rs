//! Which messages of a batch came back because no queue took them.

use bytes::Bytes;
use lapin::{BasicProperties, message::BasicReturnMessage, types::ShortString};

use super::properties::from_basic;

/// The header with further routing keys that a broker takes out, also of what it returns.
const HIDDEN: &str = "BCC";

/// What was published, to recognise it by when it comes back.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) routing_key: ShortString,
    pub(super) properties: BasicProperties,
    pub(super) body: Bytes,
}

/// The places in `batch` of the messages that were `returned`; fewer than those where one is none of
/// them, since its broker has changed it.
///
/// A return carries no delivery tag, and lapin hands it out with whichever confirm comes next: so
/// they are told by content. Which of two equal messages it was makes no difference.
pub(super) fn places(batch: &[Option<Published>], returned: &[BasicReturnMessage]) -> Vec<usize> {
    if returned.is_empty() {
        return Vec::new();
    }
    let compared = batch.iter().map(|published| {
        let published = published.as_ref()?;
        Some((published, what_stays(&published.properties)?))
    });
    let mut compared: Vec<_> = compared.collect();
    let mut places = Vec::with_capacity(returned.len());
    for message in returned {
        let delivery = &message.delivery;
        let properties = what_stays(&delivery.properties);
        let place = compared.iter().position(|published| {
            published.as_ref().is_some_and(|(published, stays)| {
                published.body == delivery.data
                    && published.routing_key == delivery.routing_key
                    && properties.as_ref() == Some(stays)
            })
        });
        if let Some(place) = place {
            compared[place] = None;
            places.push(place);
        }
    }
    places
}

/// The properties that a message still has when it comes back, as octets: so two numbers are equal
/// where their bits are, even if they are none.
fn what_stays(properties: &BasicProperties) -> Option<Bytes> {
    let mut properties = from_basic(properties).ok()?;
    let mut headers = properties.table().ok()?;
    headers.retain(|(name, _)| *name != HIDDEN);
    properties.set_table(&headers).ok()?;
    Some(properties.encode())
}

#[cfg(test)]
mod tests {
    use lapin::{
        message::Delivery,
        types::{AMQPValue, FieldArray, FieldTable},
    };

    use super::*;

    fn properties(headers: &[(&str, AMQPValue)]) -> BasicProperties {
        let mut table = FieldTable::default();
        for (name, value) in headers {
            table.insert((*name).into(), value.clone());
        }
        BasicProperties::default().with_headers(table)
    }

    fn published(properties: BasicProperties) -> Option<Published> {
        Some(Published {
            routing_key: "k".into(),
            properties,
            body: Bytes::from_static(b"x"),
        })
    }

    fn returned(properties: BasicProperties) -> BasicReturnMessage {
        let mut delivery = Delivery::mock(0, "e".into(), "k".into(), false, b"x".to_vec());
        delivery.properties = properties;
        BasicReturnMessage {
            delivery,
            reply_code: 312,
            reply_text: "NO_ROUTE".into(),
        }
    }

    #[test]
    fn what_comes_back_is_known_by_its_content_each_once() {
        let number = |n| properties(&[("n", AMQPValue::LongInt(n))]);
        let batch = [number(1), number(2), number(1)].map(published);
        let came = [number(1), number(1), number(1), number(3)].map(returned);
        assert_eq!(places(&batch, &came), [0, 2]);
    }

    #[test]
    fn a_number_that_is_none_and_a_header_that_is_taken_out_are_no_difference() {
        let nan = || ("n", AMQPValue::Double(f64::NAN));
        let keys = AMQPValue::FieldArray(FieldArray::from(vec![AMQPValue::Void]));
        let hidden = || ("BCC", keys.clone());
        let batch = [
            properties(&[]),
            properties(&[nan()]),
            properties(&[hidden(), nan()]),
            properties(&[hidden()]),
        ];
        let came = [&[nan()][..], &[nan()], &[], &[]].map(|headers| returned(properties(headers)));
        assert_eq!(places(&batch.map(published), &came), [1, 2, 0, 3]);
    }
}
