//! An OpenID provider on a real socket that signs whatever a test tells it to, and is as strict as a good one about who
//! asks for it: it takes a code once, from who has the secret and the verifier of the visit.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use aws_lc_rs::{
    digest,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    routing::{get, post},
};
use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use shared::settings::Provider;
use tokio::net::TcpListener;

pub(crate) const CLIENT: &str = "chat of tests";
pub(crate) const SECRET: &str = "a secret: with / in it";

/// It listens until the test ends.
pub(crate) struct Issuer {
    pub(crate) url: String,
    said: Arc<Mutex<Said>>,
}

/// What it has been told to say.
struct Said {
    url: String,
    key: Key,
    /// By their codes.
    grants: HashMap<String, Grant>,
    userinfo: Value,
    asked_for_keys: usize,
}

/// A key, as who signs has it.
#[derive(Clone)]
pub(crate) struct Key {
    kid: String,
    document: Vec<u8>,
    public: Vec<u8>,
}

struct Grant {
    id_token: String,
    challenge: String,
    redirect_uri: String,
}

impl Key {
    pub(crate) fn new(kid: &str) -> Self {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref()).unwrap();
        Self {
            kid: kid.to_owned(),
            public: pair.public_key().as_ref().to_vec(),
            document: document.as_ref().to_vec(),
        }
    }

    /// An ID token as it should be signed.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = Header {
            kid: Some(self.kid.clone()),
            ..Header::new(Algorithm::ES256)
        };
        let key = EncodingKey::from_ec_der(&self.document);
        jsonwebtoken::encode(&header, claims, &key).unwrap()
    }

    /// One that is signed with what everybody knows.
    pub(crate) fn sign_with_public_key(&self, claims: &Value) -> String {
        let header = Header {
            kid: Some(self.kid.clone()),
            ..Header::new(Algorithm::HS256)
        };
        let key = EncodingKey::from_secret(&self.public);
        jsonwebtoken::encode(&header, claims, &key).unwrap()
    }

    /// One that nobody signed.
    pub(crate) fn do_not_sign(&self, claims: &Value) -> String {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({ "alg": "none", "kid": self.kid });
        format!("{}.{}.", part(&header), part(claims))
    }

    fn shown(&self) -> Value {
        let point = |range| BASE64_URL_SAFE_NO_PAD.encode(&self.public[range]);
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid,
            "x": point(1..33), "y": point(33..65) })
    }
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let said = Arc::new(Mutex::new(Said {
            url: url.clone(),
            key: Key::new("first"),
            grants: HashMap::new(),
            userinfo: json!({}),
            asked_for_keys: 0,
        }));
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(document))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .with_state(Arc::clone(&said));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, said }
    }

    /// What a server that believes it has in its settings.
    pub(crate) fn settings(&self, id: &str) -> Provider {
        Provider {
            id: id.to_owned(),
            issuer: self.url.clone(),
            client_id: CLIENT.to_owned(),
            client_secret: Some(SECRET.into()),
            name: "The issuer".to_owned(),
            scopes: "openid email".to_owned(),
            trusted_network: false,
        }
    }

    pub(crate) fn key(&self) -> Key {
        self.said.lock().unwrap().key.clone()
    }

    /// Has other keys from now on.
    pub(crate) fn turn_to(&self, key: Key) {
        self.said.lock().unwrap().key = key;
    }

    pub(crate) fn asked_for_keys(&self) -> usize {
        self.said.lock().unwrap().asked_for_keys
    }

    pub(crate) fn says_elsewhere(&self, userinfo: Value) {
        self.said.lock().unwrap().userinfo = userinfo;
    }

    /// A code for `id_token`, good for the visit that was sent to `url`.
    pub(crate) fn grant(&self, url: &str, id_token: String) -> String {
        let mut said = self.said.lock().unwrap();
        let code = format!("code {}", said.grants.len());
        let grant = Grant {
            id_token,
            challenge: parameter(url, "code_challenge"),
            redirect_uri: parameter(url, "redirect_uri"),
        };
        said.grants.insert(code.clone(), grant);
        code
    }
}

/// A parameter of a url's query.
pub(crate) fn parameter(url: &str, name: &str) -> String {
    let (_, query) = url.split_once('?').unwrap();
    let query: HashMap<String, String> = form(query);
    query[name].clone()
}

fn form(text: &str) -> HashMap<String, String> {
    let uri = format!("/?{text}").parse().unwrap();
    axum::extract::Query::try_from_uri(&uri).unwrap().0
}

type Shared = State<Arc<Mutex<Said>>>;

async fn document(State(said): Shared) -> Json<Value> {
    let url = &said.lock().unwrap().url;
    Json(json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "userinfo_endpoint": format!("{url}/userinfo"),
        "jwks_uri": format!("{url}/keys"),
    }))
}

async fn keys(State(said): Shared) -> Json<Value> {
    let mut said = said.lock().unwrap();
    said.asked_for_keys += 1;
    // One that nobody here can use is no reason to believe none.
    let strange = json!({ "kty": "strange", "kid": "strange" });
    Json(json!({ "keys": [strange, said.key.shown()] }))
}

async fn token(
    State(said): Shared,
    headers: HeaderMap,
    body: String,
) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    let asked = form(&body);
    let refused = |error: &str| Err((StatusCode::BAD_REQUEST, Json(json!({ "error": error }))));
    let proof = headers.get(AUTHORIZATION).unwrap().to_str().unwrap();
    let pair = BASE64_STANDARD
        .decode(proof.strip_prefix("Basic ").unwrap())
        .unwrap();
    if pair != b"chat+of+tests:a+secret%3A+with+%2F+in+it" {
        return refused("invalid_client");
    }
    let grant = said.lock().unwrap().grants.remove(&asked["code"]);
    let Some(grant) = grant else {
        return refused("invalid_grant");
    };
    let verifier = digest::digest(&digest::SHA256, asked["code_verifier"].as_bytes());
    if BASE64_URL_SAFE_NO_PAD.encode(verifier) != grant.challenge
        || asked["redirect_uri"] != grant.redirect_uri
        || asked["grant_type"] != "authorization_code"
    {
        return refused("invalid_grant");
    }
    Ok(Json(
        json!({ "id_token": grant.id_token, "access_token": "opens", "token_type": "Bearer" }),
    ))
}

async fn userinfo(State(said): Shared, headers: HeaderMap) -> Json<Value> {
    assert_eq!(headers[AUTHORIZATION], "Bearer opens");
    Json(said.lock().unwrap().userinfo.clone())
}
