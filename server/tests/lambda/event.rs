//! Requests and answers in the words of the services that call a function: a REST API (version 1 of API
//! Gateway), an HTTP API (version 2), a function's own url.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

/// Who calls the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Front {
    RestApi,
    HttpApi,
    FunctionUrl,
}

impl Front {
    pub(crate) const ALL: [Self; 3] = [Self::RestApi, Self::HttpApi, Self::FunctionUrl];

    /// Where clients of this front come from.
    pub(crate) const fn client(self) -> &'static str {
        match self {
            Self::RestApi => "203.0.113.1",
            Self::HttpApi => "203.0.113.2",
            Self::FunctionUrl => "2001:db8::3",
        }
    }

    /// The stage of its API.
    const fn stage(self) -> &'static str {
        match self {
            Self::RestApi | Self::HttpApi => "live",
            Self::FunctionUrl => "$default",
        }
    }
}

/// A request of a client.
#[derive(Clone, Default)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    /// Names and values as the client means them.
    pub(crate) query: &'a [(&'a str, &'a str)],
    pub(crate) token: Option<&'a str>,
    pub(crate) cookies: &'a [String],
    pub(crate) body: Option<Value>,
    /// Whether the front takes the body for binary.
    pub(crate) binary: bool,
}

impl Request<'_> {
    /// The event that the function is called with.
    pub(crate) fn event(&self, front: Front) -> Value {
        match front {
            Front::RestApi => self.version_1(front),
            Front::HttpApi | Front::FunctionUrl => self.version_2(front),
        }
    }

    fn version_1(&self, front: Front) -> Value {
        let mut headers = self.headers();
        if !self.cookies.is_empty() {
            headers.insert("cookie".to_owned(), self.cookies.join("; ").into());
        }
        let each_in_a_list = |(name, value): (&String, &Value)| (name.clone(), json!([value]));
        let mut query = Map::new();
        for (name, value) in self.query {
            let values = query.entry(*name).or_insert_with(|| json!([]));
            values
                .as_array_mut()
                .into_iter()
                .for_each(|values| values.push(json!(value)));
        }
        json!({
            "resource": "/{proxy+}",
            "path": self.path,
            "httpMethod": self.method,
            "headers": headers,
            "multiValueHeaders": headers.iter().map(each_in_a_list).collect::<Map<_, _>>(),
            "queryStringParameters": self.query.iter().map(|(name, value)| (*name, *value)).collect::<std::collections::HashMap<_, _>>(),
            "multiValueQueryStringParameters": query,
            "pathParameters": {"proxy": self.path.trim_start_matches('/')},
            "stageVariables": null,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "api",
                "resourceId": "res",
                "resourcePath": "/{proxy+}",
                "stage": front.stage(),
                "path": format!("/{}{}", front.stage(), self.path),
                "httpMethod": self.method,
                "protocol": "HTTP/1.1",
                "requestId": "41b45ea3-70b5-11e6-b7bd-69b5aaebc7d9",
                "requestTimeEpoch": 1_795_331_700_000_i64,
                "identity": {"sourceIp": front.client(), "userAgent": "test"},
            },
            "body": self.written_body(),
            "isBase64Encoded": self.binary,
        })
    }

    fn version_2(&self, front: Front) -> Value {
        let raw_path = match front.stage() {
            "$default" => self.path.to_owned(),
            stage => format!("/{stage}{}", self.path),
        };
        let mut event = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": raw_path,
            "rawQueryString": self.raw_query(),
            "headers": self.headers(),
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "api",
                "domainName": "chat.example.com",
                "domainPrefix": "chat",
                "stage": front.stage(),
                "requestId": "JKJaXmPLvHcESHA=",
                "routeKey": "$default",
                "time": "22/Nov/2026:07:15:00 +0000",
                "timeEpoch": 1_795_331_700_000_i64,
                "http": {
                    "method": self.method,
                    "path": raw_path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": front.client(),
                    "userAgent": "test",
                },
            },
            "isBase64Encoded": self.binary,
        });
        // What a request does not have is not in its event.
        if let Some(body) = self.written_body() {
            event["body"] = body.into();
        }
        if !self.cookies.is_empty() {
            event["cookies"] = self.cookies.into();
        }
        event
    }

    fn headers(&self) -> Map<String, Value> {
        let headers = json!({
            "host": "chat.example.com",
            "content-type": "application/json",
            "x-forwarded-proto": "https",
            // A client's own words: nobody believes them.
            "x-forwarded-for": "198.51.100.99",
        });
        let Value::Object(mut headers) = headers else {
            unreachable!("written above")
        };
        if let Some(token) = self.token {
            headers.insert("authorization".to_owned(), format!("Bearer {token}").into());
        }
        headers
    }

    fn raw_query(&self) -> String {
        let pairs = self.query.iter();
        let pairs = pairs.map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
        pairs.collect::<Vec<_>>().join("&")
    }

    fn written_body(&self) -> Option<String> {
        let body = self.body.as_ref()?.to_string();
        Some(if self.binary {
            STANDARD.encode(body)
        } else {
            body
        })
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            escaped.push(byte.into());
        } else {
            // A string takes everything.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

/// What a function answers.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u64,
    /// The cookies that it sets, each as it is written.
    pub(crate) cookies: Vec<String>,
    /// Whether it came as base64.
    pub(crate) binary: bool,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    /// Reads what `front` is answered.
    pub(crate) fn read(front: Front, answer: &Value) -> Result<Self> {
        let cookies = match front {
            Front::RestApi => &answer["multiValueHeaders"]["set-cookie"],
            Front::HttpApi | Front::FunctionUrl => &answer["cookies"],
        };
        let cookies = cookies.as_array().into_iter().flatten();
        let binary = answer["isBase64Encoded"] == json!(true);
        let body = answer["body"].as_str().unwrap_or_default();
        Ok(Self {
            status: answer["statusCode"]
                .as_u64()
                .context("an answer has a status")?,
            cookies: cookies
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            binary,
            bytes: if binary {
                STANDARD.decode(body)?
            } else {
                body.into()
            },
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }
}
