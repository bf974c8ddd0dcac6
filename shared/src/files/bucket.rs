//! Files in a bucket of S3, or of a server that speaks as it does. What is kept there comes in one request, or
//! in parts that count only once all are there, so that nobody ever reads half of a file.

mod connection;

use std::{io, ops::Range, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::{
    GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, PutPayload, RetryConfig,
    WriteMultipart,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path,
};
use secrecy::ExposeSecret as _;
use tokio::{io::AsyncReadExt as _, sync::Semaphore, time::timeout};

use super::{Content, Error, incoming::Arrived, place::Key};
use crate::{Settings, trust::Trust};
use connection::Connector;

/// The bucket, and what stands before every name in it.
pub(super) struct Bucket {
    store: Arc<AmazonS3>,
    prefix: Path,
    /// What is sent is in memory, so only a few files are sent at once.
    sending: Semaphore,
}

/// Why a bucket cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(#[source] object_store::Error);

const SENT_AT_ONCE: usize = 4;
/// What is larger is sent in parts.
const WHOLE_MAX_BYTES: u64 = 32 * 1_024 * 1_024;
const PART_BYTES: usize = 8 * 1_024 * 1_024;
/// A server that sends nothing for so long while it is read has stopped.
const SILENT_MAX: Duration = Duration::from_secs(30);

impl Bucket {
    /// The one that `settings` name; what they leave out, the machine's settings for AWS say. Nothing is
    /// asked before the first file.
    pub(super) fn new(settings: &Settings, trust: &Trust) -> Result<Self, Unusable> {
        let place = settings.files.strip_prefix("s3://").unwrap_or_default();
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .with_http_connector(Connector(trust.clone()))
            .with_retry(RetryConfig {
                max_retries: 2,
                retry_timeout: Duration::from_secs(10),
                ..RetryConfig::default()
            });
        let given = &settings.s3;
        if let Some(endpoint) = &given.endpoint {
            builder = builder.with_endpoint(endpoint).with_allow_http(true);
        }
        if let Some(region) = &given.region {
            builder = builder.with_region(region);
        }
        if let (Some(id), Some(secret)) = (&given.access_key_id, &given.secret_access_key) {
            builder = builder
                .with_access_key_id(id)
                .with_secret_access_key(secret.expose_secret());
        }
        Ok(Self {
            store: Arc::new(builder.build().map_err(Unusable)?),
            prefix: Path::from(prefix),
            sending: Semaphore::new(SENT_AT_ONCE),
        })
    }

    fn path(&self, key: Key) -> Path {
        Path::from(format!("{}/{key}", self.prefix))
    }

    pub(super) async fn keep(&self, key: Key, arrived: Arrived) -> Result<(), Error> {
        let _permit = self.sending.acquire().await;
        let path = self.path(key);
        if arrived.size <= WHOLE_MAX_BYTES {
            let bytes = tokio::fs::read(arrived.path()).await.map_err(Error::Away)?;
            let payload = PutPayload::from(Bytes::from(bytes));
            self.store.put(&path, payload).await.map_err(away)?;
            return Ok(());
        }
        let upload = self.store.put_multipart(&path).await.map_err(away)?;
        let mut parts = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        let sent = async {
            let mut file = tokio::fs::File::open(arrived.path()).await?;
            let mut part = vec![0; PART_BYTES];
            loop {
                let read = file.read(&mut part).await?;
                if read == 0 {
                    return Ok(());
                }
                parts.wait_for_capacity(1).await.map_err(io::Error::from)?;
                parts.write(&part[..read]);
            }
        };
        match sent.await {
            Ok(()) => parts.finish().await.map(drop).map_err(away),
            Err(error) => {
                // What was sent is paid for until it is given up.
                if let Err(error) = parts.abort().await {
                    tracing::warn!(%error, "an upload to the bucket cannot be given up");
                }
                Err(Error::Away(error))
            }
        }
    }

    pub(super) async fn read(&self, key: Key, range: Option<Range<u64>>) -> Result<Content, Error> {
        let options = GetOptions {
            range: range.map(GetRange::Bounded),
            ..GetOptions::default()
        };
        let found = self.store.get_opts(&self.path(key), options).await;
        let found = found.map_err(away)?;
        let size = found.meta.size;
        let bytes = stream::try_unfold(found.into_stream(), |mut bytes| async move {
            match timeout(SILENT_MAX, bytes.try_next()).await {
                Ok(Ok(next)) => Ok(next.map(|next| (next, bytes))),
                Ok(Err(error)) => Err(io::Error::from(error)),
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            }
        });
        Ok(Content {
            size,
            bytes: bytes.boxed(),
        })
    }

    pub(super) async fn remove(&self, key: Key) -> Result<(), Error> {
        self.store.delete(&self.path(key)).await.map_err(away)
    }
}

fn away(error: object_store::Error) -> Error {
    match error {
        object_store::Error::NotFound { .. } => Error::Missing,
        error => Error::Away(error.into()),
    }
}
