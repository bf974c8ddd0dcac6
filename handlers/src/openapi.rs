//! The OpenAPI document: what the handlers say of themselves, completed with what holds for all of
//! them, so that no handler repeats it and none forgets it.

use protocol::ErrorBody;
use utoipa::{
    PartialSchema,
    openapi::{
        Components, Content, Header, InfoBuilder, License, OpenApi, Ref, RefOr, Required, Response,
        SecurityRequirement, Tag,
        path::{Operation, Parameter, ParameterIn, PathItem},
        schema::{AdditionalProperties, Schema},
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    },
};

const BEARER: &str = "bearer";
const COOKIE: &str = "cookie";
const CSRF: &str = "csrf";

/// Adds to `api` what every operation can answer, and how callers prove who they are.
pub(crate) fn completed(mut api: OpenApi) -> OpenApi {
    api.info = InfoBuilder::new()
        .title("ChatX")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(include_str!("openapi.md")))
        .license(Some(License::new("MIT OR Apache-2.0")))
        .build();
    api.tags = Some(tags());
    api.security = Some(vec![SecurityRequirement::new::<_, _, String>(BEARER, [])]);
    complete_components(api.components.get_or_insert_with(Components::new));
    for item in api.paths.paths.values_mut() {
        let PathItem {
            get,
            put,
            post,
            delete,
            patch,
            ..
        } = item;
        for operation in [get].into_iter().flatten() {
            complete(operation, Effect::Reads);
        }
        for operation in [put, post, delete, patch].into_iter().flatten() {
            complete(operation, Effect::Changes);
        }
    }
    api
}

fn tags() -> Vec<Tag> {
    let tag = |(name, description): (&str, &str)| {
        let mut tag = Tag::new(name);
        tag.description = Some(description.to_owned());
        tag
    };
    let all = [
        ("auth", "Accounts and tokens."),
        ("sessions", "Where one is logged in."),
        ("users", "People."),
        ("rooms", "Rooms."),
        ("members", "Who is in a room, and as what."),
        ("bans", "Who may not come into a room."),
        ("invites", "Codes that let people into a room."),
        (
            "messages",
            "What is said in a room, and how far it was read.",
        ),
        ("bots", "Accounts of programs, and their tokens."),
        ("webhooks", "Ways out of rooms, to urls elsewhere."),
        ("hooks", "Ways into a room for tools that can only post."),
        ("files", "What is attached to messages."),
        ("reports", "What members tell moderators of messages."),
        (
            "socket",
            "The way to live events; see `/v1/asyncapi.json` for what follows.",
        ),
        ("admin", "For server admins."),
        ("health", "For machines that watch over the server."),
    ];
    all.map(tag).into()
}

fn complete_components(components: &mut Components) {
    for (name, schema) in error_schemas() {
        components.schemas.entry(name).or_insert(schema);
    }
    refuse_unknown_fields(components);
    let mut bearer = Http::new(HttpAuthScheme::Bearer);
    bearer.bearer_format = Some("JWT".to_owned());
    bearer.description = Some(
        "The access token of register, login or refresh. With `?cookie=true` on those, the cookie \
         `chatx_access` takes its place; a request that changes something then carries \
         `X-CSRF-Token` (from `/v1/auth/csrf`) and an own `Origin`."
            .to_owned(),
    );
    let api_key =
        |key: fn(ApiKeyValue) -> ApiKey, name| SecurityScheme::ApiKey(key(ApiKeyValue::new(name)));
    components.add_security_scheme(BEARER, SecurityScheme::Http(bearer));
    components.add_security_scheme(COOKIE, api_key(ApiKey::Cookie, "chatx_access"));
    components.add_security_scheme(CSRF, api_key(ApiKey::Header, "X-CSRF-Token"));
}

/// Bodies of requests are named so, and have no other fields than those told.
fn refuse_unknown_fields(components: &mut Components) {
    for (name, schema) in &mut components.schemas {
        if let RefOr::T(Schema::Object(object)) = schema
            && name.ends_with("Body")
            && name != "ErrorBody"
        {
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        }
    }
}

fn error_schemas() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = vec![("ErrorBody".to_owned(), ErrorBody::schema())];
    <ErrorBody as utoipa::ToSchema>::schemas(&mut schemas);
    schemas
}

/// Whether an operation changes something, and so asks more of a caller with a cookie.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Reads,
    Changes,
}

fn complete(operation: &mut Operation, effect: Effect) {
    let works_alone = operation.operation_id.as_deref() == Some("livez");
    name_uniquely(operation);
    let is_open = operation.security.is_some();
    let parameters = operation.parameters.iter().flatten();
    let reads_parameters = parameters.filter(|parameter| !is_header(parameter)).count() > 0;
    if !is_open {
        operation.security = Some(proofs(effect));
        add(
            operation,
            401,
            "`unauthenticated`: no access token, or one that is no longer good",
        );
        add(operation, 429, "`rate_limited`");
        add(
            operation,
            403,
            "`missing_scope`: the token of a bot does not open it",
        );
        if effect == Effect::Changes {
            add(operation, 403, "`csrf`: only with cookies");
        }
    }
    if operation.request_body.is_some() {
        refuse_other_bodies(operation);
    }
    if operation.request_body.is_some() || reads_parameters {
        add(
            operation,
            422,
            "`validation_failed`: `fields` says what is wrong with which field",
        );
    }
    if !works_alone {
        add(operation, 500, "`internal`");
        add(
            operation,
            503,
            "`unavailable`: the database is away; nothing was changed",
        );
    }
    read_body_as_told(operation);
    require_path_parameters(operation);
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with(['4', '5'])
        {
            describe_refusal(status, response);
        }
    }
}

/// Says what of a body is refused before its fields are looked at.
fn refuse_other_bodies(operation: &mut Operation) {
    const FORM: &str = "multipart/form-data";
    let is_form = matches!(&operation.request_body,
        Some(RefOr::T(body)) if body.content.contains_key(FORM));
    let [malformed, too_large, other] = if is_form {
        [
            "`malformed`: the body is no such form, or breaks off",
            "`too_large`: the file is larger than 25 MiB",
            "`unsupported_media_type`: the body is not called `multipart/form-data`",
        ]
    } else {
        [
            "`malformed`: the body is no JSON object",
            "`too_large`: the body is larger than 256 KiB",
            "`unsupported_media_type`: the body is not called `application/json`",
        ]
    };
    add(operation, 400, malformed);
    add(operation, 413, too_large);
    add(operation, 415, other);
}

/// A handler is named within its module, an operation within the document: `rooms_create`.
fn name_uniquely(operation: &mut Operation) {
    let tag = operation.tags.iter().flatten().next();
    if let (Some(tag), Some(name)) = (tag, &operation.operation_id) {
        operation.operation_id = Some(format!("{tag}_{name}"));
    }
}

fn is_header(parameter: &RefOr<Parameter>) -> bool {
    matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Header)
}

/// A body that may be left out is still an object when it is there.
fn read_body_as_told(operation: &mut Operation) {
    let Some(RefOr::T(body)) = &mut operation.request_body else {
        return;
    };
    let contents = body
        .content
        .values_mut()
        .filter_map(|content| match content {
            RefOr::T(content) => content.schema.as_mut(),
            RefOr::Ref(_) => None,
        });
    let mut is_needed = true;
    for schema in contents {
        if let RefOr::T(Schema::OneOf(either)) = schema
            && let [object @ RefOr::Ref(_), _null] = either.items.as_slice()
        {
            *schema = object.clone();
            is_needed = false;
        }
    }
    body.required = Some(if is_needed {
        Required::True
    } else {
        Required::False
    });
}

fn require_path_parameters(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && parameter.parameter_in == ParameterIn::Path
        {
            parameter.required = Required::True;
        }
    }
}

/// A bearer token, or the cookie; with the cookie, changes ask for the csrf token as well.
fn proofs(effect: Effect) -> Vec<SecurityRequirement> {
    let none: [String; 0] = [];
    let cookie = SecurityRequirement::new(COOKIE, none.clone());
    let cookie = match effect {
        Effect::Reads => cookie,
        Effect::Changes => cookie.add(CSRF, none.clone()),
    };
    vec![SecurityRequirement::new(BEARER, none), cookie]
}

/// Adds an answer, or to the description of one that is there.
fn add(operation: &mut Operation, status: u16, description: &str) {
    let responses = &mut operation.responses.responses;
    let response = responses
        .entry(status.to_string())
        .or_insert_with(|| Response::new("").into());
    if let RefOr::T(response) = response {
        if !response.description.is_empty() {
            response.description.push_str("; ");
        }
        response.description.push_str(description);
    }
}

fn describe_refusal(status: &str, response: &mut Response) {
    let body = Content::new(Some(Ref::from_schema_name("ErrorBody")));
    response
        .content
        .insert("application/json".to_owned(), body.into());
    if matches!(status, "429" | "503") {
        let mut header = Header::new(<u64 as PartialSchema>::schema());
        header.description = Some("Seconds after which it may go through.".to_owned());
        response
            .headers
            .insert("Retry-After".to_owned(), header.into());
    }
}
