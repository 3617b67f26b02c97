//! One change of a stack, carried out and waited for

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudformation::error::ProvideErrorMetadata as _;
use aws_sdk_cloudformation::types::{Capability, Parameter, Stack, Tag};

use super::aws::{Endpoint, say};
use crate::error::{LocalError, Result};

/// The tag that says what a stack was made from
const DIGEST: &str = "weir:template";
/// How long a change may take; measured: 0.1–5.5 s
const PATIENCE: Duration = Duration::from_secs(300);

/// What a stack is to become
#[derive(Debug)]
pub(super) struct Change<'a> {
    pub(super) stack: &'a str,
    /// Where the template is: a request may hold only 51,200 bytes of it
    pub(super) template_url: String,
    pub(super) parameters: &'a BTreeMap<String, String>,
    pub(super) digest: &'a str,
}

impl Change<'_> {
    /// Does what is needed, and says whether anything was
    pub(super) async fn carry_out(&self, endpoint: &Endpoint) -> Result<bool> {
        match describe(endpoint, self.stack).await? {
            Some(stack) if is_done(&status(&stack)) => {
                if tag(&stack) == Some(self.digest) {
                    return Ok(false);
                }
                self.update(endpoint).await?;
            }
            Some(stack) if status(&stack) == "UPDATE_ROLLBACK_COMPLETE" => self.update(endpoint).await?,
            Some(stack) if status(&stack).ends_with("_IN_PROGRESS") => {
                // A weir-local that was killed began it; what it became is not known yet.
                self.wait(endpoint).await?;
                self.update(endpoint).await?;
            }
            Some(_) => {
                self.delete(endpoint).await?;
                self.create(endpoint).await?;
            }
            None => self.create(endpoint).await?,
        }
        self.wait(endpoint).await?;
        Ok(true)
    }

    async fn create(&self, endpoint: &Endpoint) -> Result<()> {
        let request =
            endpoint.cloudformation().create_stack().stack_name(self.stack).template_url(&self.template_url);
        let request = request.set_parameters(Some(self.parameters())).set_capabilities(Some(capabilities()));
        let created = request.tags(self.tag()).send().await;
        created.map(|_| ()).map_err(|error| {
            self.refused(error.message().map_or_else(|| say("", &error).to_string(), str::to_owned))
        })
    }

    async fn update(&self, endpoint: &Endpoint) -> Result<()> {
        let request =
            endpoint.cloudformation().update_stack().stack_name(self.stack).template_url(&self.template_url);
        let request = request.set_parameters(Some(self.parameters())).set_capabilities(Some(capabilities()));
        match request.tags(self.tag()).send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error.message().is_some_and(|text| text.contains("No updates are to be performed")) =>
            {
                Ok(())
            }
            Err(error) => {
                Err(self.refused(error.message().map_or_else(|| say("", &error).to_string(), str::to_owned)))
            }
        }
    }

    async fn delete(&self, endpoint: &Endpoint) -> Result<()> {
        let deleted = endpoint.cloudformation().delete_stack().stack_name(self.stack).send().await;
        deleted.map_err(|error| say("DeleteStack", &error))?;
        let gone = async {
            while let Some(stack) = describe(endpoint, self.stack).await? {
                match status(&stack).as_str() {
                    "DELETE_COMPLETE" => break,
                    "DELETE_FAILED" => {
                        return Err(self.refused("what was left of it could not be deleted".to_owned()));
                    }
                    _ => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
            Ok(())
        };
        self.in_time(gone).await
    }

    /// Waits for the end, and says which resource failed if it is not a good one
    async fn wait(&self, endpoint: &Endpoint) -> Result<()> {
        let ended = async {
            loop {
                let stack = describe(endpoint, self.stack).await?;
                let status = stack.as_ref().map_or_else(|| "DELETE_COMPLETE".to_owned(), status);
                if is_done(&status) {
                    return Ok(());
                }
                if !status.ends_with("_IN_PROGRESS") {
                    let reason = failure(endpoint, self.stack).await;
                    return Err(self.refused(reason.unwrap_or_else(|| status.clone())));
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        self.in_time(ended).await
    }

    async fn in_time(&self, work: impl Future<Output = Result<()>>) -> Result<()> {
        let late = |_| self.refused(format!("still not done after {} s", PATIENCE.as_secs()));
        tokio::time::timeout(PATIENCE, work).await.map_err(late)?
    }

    fn parameters(&self) -> Vec<Parameter> {
        let parameter = |(key, value): (&String, &String)| {
            Parameter::builder().parameter_key(key).parameter_value(value).build()
        };
        self.parameters.iter().map(parameter).collect()
    }

    fn tag(&self) -> Tag {
        Tag::builder().key(DIGEST).value(self.digest).build()
    }

    fn refused(&self, reason: String) -> LocalError {
        LocalError::Deploy { stack: self.stack.to_owned(), reason }
    }
}

fn capabilities() -> Vec<Capability> {
    vec![Capability::CapabilityIam, Capability::CapabilityNamedIam, Capability::CapabilityAutoExpand]
}

fn is_done(status: &str) -> bool {
    matches!(status, "CREATE_COMPLETE" | "UPDATE_COMPLETE")
}

fn status(stack: &Stack) -> String {
    stack.stack_status().map(|status| status.as_str().to_owned()).unwrap_or_default()
}

fn tag(stack: &Stack) -> Option<&str> {
    stack.tags().iter().find(|tag| tag.key() == Some(DIGEST)).and_then(Tag::value)
}

async fn describe(endpoint: &Endpoint, stack: &str) -> Result<Option<Stack>> {
    match endpoint.cloudformation().describe_stacks().stack_name(stack).send().await {
        Ok(answer) => Ok(answer.stacks().iter().find(|found| status(found) != "DELETE_COMPLETE").cloned()),
        Err(error) if error.message().is_some_and(|text| text.contains("does not exist")) => Ok(None),
        Err(error) => Err(say("DescribeStacks", &error)),
    }
}

/// The first resource that failed, and why
async fn failure(endpoint: &Endpoint, stack: &str) -> Option<String> {
    let events = endpoint.cloudformation().describe_stack_events().stack_name(stack).send().await.ok()?;
    // Newest first; a resource whose creation was only cancelled is a consequence, not a cause.
    let failed = events.stack_events().iter().rev().filter(|event| {
        let status = event.resource_status().map(|status| status.as_str()).unwrap_or_default();
        status.ends_with("_FAILED")
            && !event.resource_status_reason().unwrap_or_default().contains("cancelled")
    });
    let text = |event: &aws_sdk_cloudformation::types::StackEvent| {
        let name = event.logical_resource_id().unwrap_or_default();
        let kind = event.resource_type().unwrap_or_default();
        format!("{name} ({kind}): {}", event.resource_status_reason().unwrap_or("no reason given"))
    };
    failed.map(text).next()
}

/// The physical id of each resource, by its name in the template
pub(super) async fn resources(endpoint: &Endpoint, stack: &str) -> Result<BTreeMap<String, String>> {
    let mut pages =
        endpoint.cloudformation().list_stack_resources().stack_name(stack).into_paginator().send();
    let mut resources = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| say("ListStackResources", &error))?;
        resources.extend(page.stack_resource_summaries().iter().filter_map(|resource| {
            Some((resource.logical_resource_id()?.to_owned(), resource.physical_resource_id()?.to_owned()))
        }));
    }
    Ok(resources)
}

/// The outputs of the stack
pub(super) async fn outputs(endpoint: &Endpoint, stack: &str) -> Result<BTreeMap<String, String>> {
    let described = describe(endpoint, stack).await?;
    let outputs = described.iter().flat_map(Stack::outputs);
    Ok(outputs
        .filter_map(|output| Some((output.output_key()?.to_owned(), output.output_value()?.to_owned())))
        .collect())
}
