//! What an endpoint is, as data: everything that can be said of it without running it

/// The most bytes of a body, where a route does not say otherwise
pub const BODY_LIMIT: usize = 256 * 1024;

/// An HTTP method
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// Reads
    Get,
    /// Does something
    Post,
}

impl Method {
    /// As HTTP writes it
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// How a caller proves who it is
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Any bearer token: a person's, a program's, an agent's
    Bearer,
    /// An agent's credential and nothing else
    Agent,
    /// A one-time registration token, in the body's field `token`
    Registration,
    /// Slack's signature over the raw body, which is a form
    SlackSignature,
    /// The token in the path, which one job was given, and the signature that it asked for
    Callback,
    /// Nobody has to
    Public,
}

/// What `Idempotency-Key` means to an endpoint
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idempotency {
    /// It must be given; the same key gets the same answer for 24 hours
    Required,
    /// It is not looked at: a read, a poll that may be repeated, a report or a callback that is known by what it says
    None,
    /// It must be given, and the answer holds a secret: it is never stored. A repeat runs the endpoint again
    /// with the same ids and [`crate::Call::again`] set; it answers `secret-shown-once` unless a new secret does no harm
    Secret,
}

/// What an endpoint, task or reactor needs of AWS: the one source of its role's IAM statements
///
/// Object prefixes are seen from the workspace's folder of the bucket and end in `/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Use {
    /// Get and query the table and its indexes
    TableRead,
    /// Put, update and delete items, alone and in transactions
    TableWrite,
    /// Get objects under the prefix, and presign that
    ObjectsRead(&'static str),
    /// Put objects under the prefix, and presign that
    ObjectsWrite(&'static str),
    /// Put an answer that is too long for a function's, and presign its reading
    LargeAnswers,
    /// Start executions of the operation machine
    StartOperation,
    /// Start executions of the segment machine
    StartSegment,
    /// Stop executions of both machines
    StopExecution,
    /// Answer task tokens
    SendTask,
    /// Send to the jobs queue
    JobsSend,
    /// Send to the notify queue
    NotifySend,
    /// Invoke the functions that jobs may, by the pattern of their names that the deployment was told
    InvokeJobFunctions,
    /// Sign with the workspace's key
    Sign,
    /// Read the public half of that key
    PublicKey,
}

/// What an endpoint is, for the router, OpenAPI, the SAM template, the local gateway and the authorization tests
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The method
    pub method: Method,
    /// With `{…}` for what is taken from the path
    pub path: &'static str,
    /// `noun_verb`: also the name of the function, its `_HANDLER` and its source file (`<noun>/<verb>.rs`)
    pub operation: &'static str,
    /// `noun:verb`: what the caller must be allowed to do; empty exactly where `auth` leaves it to the handler or to nobody
    pub permission: &'static str,
    /// What success is answered with, unless the answer says otherwise
    pub success: u16,
    /// One line for the API's reader
    pub summary: &'static str,
    /// How the caller proves who it is
    pub auth: Auth,
    /// What `Idempotency-Key` means
    pub idempotency: Idempotency,
    /// Whether it can be asked only to say what it would do, by `?dry_run=true`: nothing is written then, not even
    /// that a key was seen
    pub dry_run: bool,
    /// What it needs of AWS
    pub uses: &'static [Use],
    /// The most bytes of a body
    pub body_limit: usize,
}

impl Route {
    /// A read: bearer token, no body; `Route { method, … ..Route::GET }` says the rest
    pub const GET: Self = Self {
        method: Method::Get,
        path: "",
        operation: "",
        permission: "",
        success: 200,
        summary: "",
        auth: Auth::Bearer,
        idempotency: Idempotency::None,
        dry_run: false,
        uses: &[Use::TableRead],
        body_limit: 0,
    };

    /// A command: bearer token, idempotency key, answers 201
    pub const POST: Self = Self {
        method: Method::Post,
        success: 201,
        idempotency: Idempotency::Required,
        uses: &[Use::TableRead, Use::TableWrite],
        body_limit: BODY_LIMIT,
        ..Self::GET
    };

    /// What stands in the place of each `{…}` if `path` is one of this route's, percent-decoded
    pub fn matches(&self, path: &str) -> Option<Vec<(String, String)>> {
        let (mut wanted, mut given) = (self.path.split('/'), path.split('/'));
        let mut found = Vec::new();
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return Some(found),
                (Some(want), Some(have)) => match want.strip_prefix('{').and_then(|w| w.strip_suffix('}')) {
                    Some(name) if !have.is_empty() => {
                        found.push((name.to_owned(), crate::decode::percent(have)?))
                    }
                    Some(_) => return None,
                    None if want == have => {}
                    None => return None,
                },
                (None, Some(_)) | (Some(_), None) => return None,
            }
        }
    }

    /// How specific the path is: a literal part is preferred to a `{…}` in the same place
    pub fn specificity(&self) -> Vec<bool> {
        self.path.split('/').map(|part| !part.starts_with('{')).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_matches_by_its_parts() {
        let route = Route { path: "/v1/agents/{agent}/heartbeat", ..Route::POST };
        let found = |path| {
            route.matches(path).map(|p| p.into_iter().map(|(n, v)| format!("{n}={v}")).collect::<String>())
        };
        for (path, expected) in [
            ("/v1/agents/agt_1/heartbeat", Some("agent=agt_1")),
            ("/v1/agents/a%20b/heartbeat", Some("agent=a b")),
            ("/v1/agents//heartbeat", None),
            ("/v1/agents/x/heartbeat/", None),
            ("/v1/agents/x", None),
            ("/v1/agents/%ff/heartbeat", None),
        ] {
            assert_eq!(found(path).as_deref(), expected, "{path}");
        }
    }
}
