//! Carries messages from one address to another, in capitals: `01_pipe FROM TO`.
use standpipe::{CancellationToken, Message, Outcome, Pipe, Result, TokenBucket, Transform};
struct Capitals;
#[async_trait::async_trait]
impl Transform for Capitals {
    async fn apply(&self, mut batch: Vec<Message>) -> Result<Vec<Outcome>> {
        let payloads = batch.iter_mut().filter_map(|m| m.payload.as_mut());
        payloads.for_each(|p| *p = p.to_ascii_uppercase().into());
        Ok(batch.into_iter().map(Outcome::One).collect())
    }
}
#[tokio::main]
async fn main() -> Result<()> {
    let (registry, args) = (standpipe::registry(), std::env::args().collect::<Vec<_>>());
    let pipe = Pipe::builder().from_address(&registry, &args[1])?;
    let pipe = pipe.to_address(&registry, &args[2])?.transform(Capitals);
    let pipe = pipe.layer(TokenBucket::per_second(1_000)).build()?;
    pipe.run(CancellationToken::new()).await.map(drop)
}
