//! Which function answers which request

use std::collections::BTreeMap;

use axum::http::Method;
use serde::{Deserialize, Serialize};

/// One route of the API
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HttpRoute {
    /// `POST`, …, or `ANY`
    pub method: String,
    /// `/v1/releases/{release}`; a last part `{rest+}` takes whatever is left
    pub path: String,
    /// The function's name in AWS
    pub function: String,
}

/// All routes
#[derive(Debug, Default)]
pub struct RouteTable(Vec<HttpRoute>);

impl HttpRoute {
    /// As API Gateway names it
    pub fn key(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The path's parameters if it is this route's, and how closely it fits: fixed parts count, a greedy end does not
    fn matches(&self, path: &str) -> Option<(usize, BTreeMap<String, String>)> {
        let (mut fixed, mut parameters) = (0, BTreeMap::new());
        let mut given = path.trim_start_matches('/').split('/');
        for part in self.path.trim_start_matches('/').split('/') {
            let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
            match (name, name.and_then(|name| name.strip_suffix('+'))) {
                (_, Some(rest)) => {
                    let left: Vec<&str> = given.collect();
                    parameters.insert(rest.to_owned(), decode(&left.join("/")));
                    return (!left.is_empty()).then_some((fixed, parameters));
                }
                (Some(name), None) => {
                    let value = given.next().filter(|value| !value.is_empty())?;
                    parameters.insert(name.to_owned(), decode(value));
                    fixed += 1;
                }
                (None, None) => {
                    given.next().filter(|value| *value == part)?;
                    fixed += 100;
                }
            }
        }
        given.next().is_none().then_some((fixed, parameters))
    }
}

impl RouteTable {
    /// From a list
    pub fn new(routes: Vec<HttpRoute>) -> Self {
        Self(routes)
    }

    /// The closest route for a request, and the parameters in its path
    pub fn find(&self, method: &Method, path: &str) -> Option<(&HttpRoute, BTreeMap<String, String>)> {
        let fits = |route: &&HttpRoute| route.method == method.as_str() || route.method == "ANY";
        let candidates = self.0.iter().filter(fits).filter_map(|route| {
            let (closeness, parameters) = route.matches(path)?;
            Some(((closeness, route.method != "ANY"), route, parameters))
        });
        candidates
            .max_by_key(|(closeness, _, _)| *closeness)
            .map(|(_, route, parameters)| (route, parameters))
    }
}

/// Undoes percent-encoding; what is not valid stays as it is
pub(super) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = if first == b'%' { after.get(..2).and_then(hex_byte) } else { None };
        bytes.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    hex::decode(digits).ok()?.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> RouteTable {
        let route = |method: &str, path: &str| HttpRoute {
            method: method.into(),
            path: path.into(),
            function: format!("f {method} {path}"),
        };
        RouteTable::new(vec![
            route("GET", "/v1/releases"),
            route("POST", "/v1/releases"),
            route("GET", "/v1/releases/{release}"),
            route("GET", "/v1/releases/latest"),
            route("POST", "/v1/plans/{id}/operations"),
            route("ANY", "/console/{proxy+}"),
            route("GET", "/console/help"),
        ])
    }

    #[test]
    fn requests_find_their_functions() {
        for (method, path, expected) in [
            ("GET", "/v1/releases", Some("f GET /v1/releases {}")),
            ("POST", "/v1/releases", Some("f POST /v1/releases {}")),
            ("DELETE", "/v1/releases", None),
            ("GET", "/v1/releases/rel_1", Some("f GET /v1/releases/{release} {\"release\": \"rel_1\"}")),
            ("GET", "/v1/releases/latest", Some("f GET /v1/releases/latest {}")),
            ("GET", "/v1/releases/a%2Fb%20c", Some("f GET /v1/releases/{release} {\"release\": \"a/b c\"}")),
            ("GET", "/v1/releases/", None),
            ("GET", "/v1/releases/a/b", None),
            (
                "POST",
                "/v1/plans/p%zz/operations",
                Some("f POST /v1/plans/{id}/operations {\"id\": \"p%zz\"}"),
            ),
            ("GET", "/console/help", Some("f GET /console/help {}")),
            ("POST", "/console/help", Some("f ANY /console/{proxy+} {\"proxy\": \"help\"}")),
            ("GET", "/console/a/b", Some("f ANY /console/{proxy+} {\"proxy\": \"a/b\"}")),
            ("GET", "/", None),
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let table = table();
            let found = table
                .find(&method, path)
                .map(|(route, parameters)| format!("{} {parameters:?}", route.function));
            assert_eq!(found.as_deref(), expected, "{method} {path}");
        }
    }
}
