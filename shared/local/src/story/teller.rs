//! Whoever tells the story: the people, and where it is shown

use std::path::{Path, PathBuf};
use std::time::Duration;

use weir_client::api::{ApiError, Client};
use weir_client::cli::style::Style;
use weir_client::clock;
use weir_domain::definition::address::Address;
use weir_domain::time::{Millis, Time};
use weir_edge::wire::artifact::UploadTicket;
use weir_edge::wire::secret::Secret;

use crate::error::{LocalError, Result};
use crate::net;
use crate::progress::Progress;
use crate::stack::Stack;
use crate::tokens::Tokens;

/// The tenant of the example
const TENANT: &str = "acme";

/// How long an upload may take
const UPLOAD: Duration = Duration::from_secs(60);

/// The people, and where the story is shown
pub(crate) struct Teller<'a> {
    /// The checkout
    pub root: PathBuf,
    /// Where what happens is shown
    pub progress: &'a Progress,
    /// Alice, about the tenant
    pub alice: Client,
    /// Alice, about the workspace
    pub workspace: Client,
}

impl<'a> Teller<'a> {
    /// For the API at `api_url`, whose people have `tokens`
    pub fn new(root: &Path, api_url: &str, tokens: &Tokens, progress: &'a Progress) -> Result<Self> {
        let workspace = client(api_url, tokens, "alice")?;
        let alice = workspace.clone().with_tenant(TENANT);
        Ok(Self { root: root.to_owned(), progress, alice, workspace })
    }

    /// A file or folder of the example
    pub fn example(&self, path: &str) -> PathBuf {
        self.root.join("infra/example").join(path)
    }

    /// How text looks where it is shown
    pub fn style(&self) -> Style {
        Style { colour: self.progress.has_colours(), now: Some(now()) }
    }

    /// Sends announced bytes to where the ticket says, unless they are there already
    pub async fn send(&self, ticket: UploadTicket, bytes: Vec<u8>) -> Result<()> {
        let Some(upload) = ticket.upload else { return Ok(()) };
        let failed = |reason: String| LocalError::Story(format!("the upload failed: {reason}"));
        let mut request = net::client(UPLOAD)?.put(upload.url.expose()).body(bytes);
        for header in upload.headers {
            request = request.header(header.name, header.value);
        }
        // The address is a secret: an error may not name it.
        let answer = request.send().await.map_err(|error| failed(error.without_url().to_string()))?;
        if answer.status().is_success() { Ok(()) } else { Err(failed(format!("status {}", answer.status()))) }
    }
}

/// The person called `name`, as a client of the API
pub fn person(stack: &Stack, name: &str) -> Result<Client> {
    client(&stack.api_url(), stack.tokens(), name)
}

fn client(api_url: &str, tokens: &Tokens, name: &str) -> Result<Client> {
    let token = tokens.token(name).unwrap_or_default();
    let client = Client::new(api_url).map_err(|error| told(&format!("{name}'s client"), &error))?;
    Ok(client.with_bearer(Secret::new(token)))
}

/// A refusal or failure of the API, with what was being done
pub fn told(what: &str, error: &ApiError) -> LocalError {
    LocalError::Story(format!("{what}: {error}"))
}

/// An address of the example
pub fn address(text: &str) -> Result<Address> {
    text.parse().map_err(|error| LocalError::Story(format!("`{text}`: {error}")))
}

fn now() -> Time {
    Millis(clock::now().as_millisecond()).into()
}
