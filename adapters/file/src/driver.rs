//! The driver of `file://PATH` and of `-`, which is the path `-`.

use std::path::PathBuf;

use async_trait::async_trait;
use standpipe_core::{
    Error, ErrorKind, Result,
    address::Address,
    driver::{
        Admin, Capabilities, Confirming, Consumer, Draining, Driver, OpenOptions, Ordering,
        Producer, Settler,
    },
};

use crate::{
    consumer::{FileConsumer, FileSettler},
    format::Format,
    place::Place,
    producer::FileProducer,
};

/// Opens files, and stdin or stdout for the path `-`.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileDriver;

fn place(address: &Address) -> Result<Place> {
    match address.path() {
        Some("-") => Ok(Place::Standard),
        Some(path) if !path.is_empty() => Ok(Place::Path(PathBuf::from(path))),
        _ => Err(address.invalid("no file; write file:///absolute/path")),
    }
}

fn format(address: &Address) -> Result<Format> {
    Ok(address.parsed("format")?.unwrap_or_default())
}

#[async_trait]
impl Driver for FileDriver {
    fn scheme(&self) -> &'static str {
        "file"
    }

    fn options(&self) -> &'static [&'static str] {
        &["format"]
    }

    fn capabilities(&self, address: &Address) -> Capabilities {
        let mut capabilities = Capabilities::NONE;
        capabilities.ordering = Ordering::Total;
        capabilities.draining = Draining::Ends;
        capabilities.confirming = match place(address) {
            Ok(Place::Path(_)) => Confirming::Durable,
            _ => Confirming::Accepted,
        };
        capabilities
    }

    async fn producer(&self, address: &Address) -> Result<Box<dyn Producer>> {
        let format = format(address)?;
        if format == Format::Csv {
            let message = "format=csv can only be read; write format=envelope or format=lines";
            return Err(Error::new(ErrorKind::Unsupported, "open file", message));
        }
        let sink = place(address)?.sink(format).await?;
        Ok(Box::new(FileProducer::new(sink, format)))
    }

    async fn consumer(
        &self,
        address: &Address,
        _: &OpenOptions,
    ) -> Result<(Box<dyn Consumer>, Box<dyn Settler>)> {
        let format = format(address)?;
        let reader = place(address)?.reader().await?;
        let consumer = FileConsumer::new(reader, format);
        Ok((Box::new(consumer), Box::new(FileSettler)))
    }

    async fn admin(&self, address: &Address) -> Result<Box<dyn Admin>> {
        let message = format!("{address} is a file; there is nothing to administer");
        Err(Error::new(ErrorKind::Unsupported, "open file", message))
    }

    async fn probe(&self, address: &Address) -> Result<()> {
        format(address)?;
        match place(address)? {
            Place::Standard => Ok(()),
            Place::Path(path) => {
                let folder = path
                    .parent()
                    .filter(|folder| !folder.as_os_str().is_empty());
                let look = folder.map_or_else(|| PathBuf::from("."), PathBuf::from);
                tokio::fs::metadata(&look).await.map(drop).map_err(|error| {
                    let message = format!("cannot look into {}", look.display());
                    Error::new(ErrorKind::NotFound, "probe file", message).with_source(error)
                })
            }
        }
    }
}
