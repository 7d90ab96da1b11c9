//! A time stamp authority over HTTP, as RFC 3161 has it: one request, one response.

use std::time::Duration;

use restore_verify::evidence::token::RESPONSE_MAX_BYTES;

use crate::command::context::Context;
use crate::fault::Fault;

/// An authority answers within a second; who waits longer asks again tomorrow.
const TIMEOUT_MS: u64 = 20_000;

/// The authority that flag, environment or configuration file name.
///
/// # Errors
/// A fault of usage if the variable is no URL.
pub fn configured(context: &Context<'_>) -> Result<Option<String>, Fault> {
    let variable = || context.around.text("MAINSTAY_TIMESTAMP_URL");
    let url = match &context.global.timestamp_url {
        Some(url) => Some(url.clone()),
        None => variable()?.map(str::to_owned),
    };
    match url {
        Some(url) if !(url.starts_with("http://") || url.starts_with("https://")) => {
            Err(Fault::usage(format!("the time stamp authority {url} is no http or https URL"))
                .hint("for example: https://freetsa.org/tsr"))
        }
        url => Ok(url),
    }
}

/// Sends a request and returns the response. Only a hash leaves the machine, and the response is
/// signed, so plain HTTP is as good.
///
/// # Errors
/// In words, if there is no response.
pub fn ask(url: &str, request: &[u8]) -> Result<Vec<u8>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(exchange(url, request)).map_err(|error| match error {
        Trouble::Http(error) => {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            let text = error.without_url().to_string();
            source.map_or(text.clone(), |source| format!("{text}: {source}"))
        }
        Trouble::Answer(why) => why,
    })
}

enum Trouble {
    Http(reqwest::Error),
    Answer(String),
}

impl From<reqwest::Error> for Trouble {
    fn from(error: reqwest::Error) -> Self {
        Self::Http(error)
    }
}

async fn exchange(url: &str, request: &[u8]) -> Result<Vec<u8>, Trouble> {
    let client = reqwest::Client::builder()
        .user_agent(concat!("mainstay/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_millis(TIMEOUT_MS))
        .build()?;
    let mut response = client
        .post(url)
        .header("content-type", "application/timestamp-query")
        .header("accept", "application/timestamp-reply")
        .body(request.to_vec())
        .send()
        .await?;
    if !response.status().is_success() {
        return Err(Trouble::Answer(format!("it answers {}", response.status())));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > RESPONSE_MAX_BYTES {
            return Err(Trouble::Answer("its response is too long".to_owned()));
        }
    }
    Ok(bytes)
}
