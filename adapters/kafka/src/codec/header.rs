//! Headers of requests and responses.

use bytes::{Bytes, BytesMut};

use super::{Malformed, Reader, Wire, Writer, api::ApiKey};

/// What precedes every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestHeader {
    /// The API.
    pub(crate) key: ApiKey,
    /// The version of it.
    pub(crate) version: i16,
    /// The client's number for the request; its response carries it.
    pub(crate) correlation: i32,
    /// The client's name for itself.
    pub(crate) client_id: String,
}

impl RequestHeader {
    /// Reads a header, version 1 or 2, and leaves the reader at the body.
    ///
    /// # Errors
    /// For an API that is not served: there is no answer then that the client could read.
    pub(crate) fn read(request: Bytes) -> Result<(Self, Reader), Malformed> {
        let mut reader = Reader::new(request, false);
        let (key, version) = (i16::read(&mut reader, 0)?, i16::read(&mut reader, 0)?);
        let correlation = i32::read(&mut reader, 0)?;
        let key = ApiKey::from_number(key)
            .ok_or_else(|| Malformed(format!("API key {key}, which is not served")))?;
        let client_id = Option::<String>::read(&mut reader, 0)?.unwrap_or_default();
        let header = Self {
            key,
            version,
            correlation,
            client_id,
        };
        // The client id stays as it was before versions were flexible (KIP-482). Of an
        // unknown version of ApiVersions nothing more is read.
        if header.is_supported() {
            reader.set_flexible(key.is_flexible(version));
            reader.skip_tags()?;
        }
        Ok((header, reader))
    }

    /// Whether this version of the API is served.
    pub(crate) fn is_supported(&self) -> bool {
        self.key.versions().contains(&self.version)
    }

    /// A response with its size in front.
    pub(crate) fn respond(&self, version: i16, body: &impl Wire) -> BytesMut {
        let flexible = self.key.is_flexible(version);
        // ApiVersions: a client that does not know our version must be able to read it (KIP-511).
        let mut writer = Writer::new(flexible && self.key != ApiKey::ApiVersions);
        writer.put(&[0; 4]);
        self.correlation.write(&mut writer, 0);
        writer.put_no_tags();
        writer.set_flexible(flexible);
        body.write(&mut writer, version);
        let mut response = writer.finish();
        let size = u32::try_from(response.len() - 4).expect("responses are below 2 GiB");
        response[..4].copy_from_slice(&size.to_be_bytes());
        response
    }
}
