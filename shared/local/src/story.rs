//! What `weir-local demo` shows

use crate::error::Result;
use crate::progress::Progress;
use crate::stack::Stack;

/// Says what the stack has and where it is
pub async fn run(stack: &Stack, progress: &Progress) -> Result<()> {
    summary(stack, progress);
    Ok(())
}

/// Where everything is
pub fn summary(stack: &Stack, progress: &Progress) {
    progress.say("");
    progress.say(&format!("  API      {}/v1", stack.api_url()));
    progress.say(&format!("  AWS      export AWS_ENDPOINT_URL={}", stack.endpoint().url()));
    progress.say(&format!("  tokens   {}", stack.state().path("tokens.json").display()));
    progress.say(&format!("  logs     {}", stack.state().logs().display()));
}
