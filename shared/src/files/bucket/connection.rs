//! How a bucket is reached: over the HTTP client and the TLS that this process has anyway.

use std::{error::Error as StdError, fmt, io, time::Duration};

use futures_util::future::BoxFuture;
use http::Uri;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{self, Client},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
        HttpResponse, HttpResponseBody, HttpService,
    },
};
use tokio::{net::TcpStream, time::timeout};
use tower::{service_fn, util::BoxCloneSyncService};

use crate::{internal_tls::Stream, trust::Trust};

/// Makes clients.
#[derive(Debug)]
pub(super) struct Connector(pub(super) Trust);

struct Hyper(Client<Connect, HttpRequestBody>);

type Connect = BoxCloneSyncService<Uri, TokioIo<Stream>, io::Error>;

const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Until an answer begins, what is sent included.
const ANSWER_MAX: Duration = Duration::from_secs(60);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(connect(self.0.clone()));
        Ok(HttpClient::new(Hyper(client)))
    }
}

impl fmt::Debug for Hyper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hyper")
    }
}

impl HttpService for Hyper {
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> BoxFuture<'b, Result<HttpResponse, HttpError>>
    where
        'a: 'b,
    {
        Box::pin(async move {
            match timeout(ANSWER_MAX, self.0.request(request)).await {
                Ok(Ok(answer)) => Ok(answer.map(body)),
                Ok(Err(error)) => Err(failed(error)),
                Err(late) => Err(HttpError::new(HttpErrorKind::Timeout, late)),
            }
        })
    }
}

fn body(body: Incoming) -> HttpResponseBody {
    HttpResponseBody::new(body.map_err(|error| HttpError::new(HttpErrorKind::Interrupted, error)))
}

fn failed(error: legacy::Error) -> HttpError {
    let broke_off = |error: &(dyn StdError + 'static)| {
        error
            .downcast_ref::<hyper::Error>()
            .is_some_and(|error| error.is_incomplete_message() || error.is_canceled())
    };
    let kind = if error.is_connect() {
        HttpErrorKind::Connect
    } else if error.source().is_some_and(broke_off) {
        HttpErrorKind::Request
    } else {
        HttpErrorKind::Interrupted
    };
    HttpError::new(kind, error)
}

fn connect(trust: Trust) -> Connect {
    BoxCloneSyncService::new(service_fn(move |uri: Uri| {
        let trust = trust.clone();
        async move {
            let connected = timeout(CONNECT_MAX, open(uri, trust)).await;
            Ok(TokioIo::new(connected??))
        }
    }))
}

async fn open(uri: Uri, trust: Trust) -> io::Result<Stream> {
    let invalid = |why: &'static str| io::Error::new(io::ErrorKind::InvalidInput, why);
    let host = uri.host().ok_or_else(|| invalid("the url has no host"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_tls = uri.scheme_str() != Some("http");
    let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    if !is_tls {
        return Ok(Stream::Plain(stream));
    }
    let stream = trust.connect(host, stream).await?;
    Ok(Stream::Tls(Box::new(stream.into())))
}
