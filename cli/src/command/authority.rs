//! A time stamp authority over HTTP, as RFC 3161 has it: one request, one response.

use std::time::Duration;

use restore_verify::evidence::token::RESPONSE_MAX_BYTES;
use url::Url;

use crate::command::context::Context;
use crate::fault::Fault;

/// An authority answers within a second; who waits longer asks again tomorrow.
const TIMEOUT_MS: u64 = 20_000;

/// The authority that flag, environment or configuration file name.
///
/// # Errors
/// A fault of usage if it is no URL, or one with more than scheme, host and path.
pub fn configured(context: &Context<'_>) -> Result<Option<String>, Fault> {
    let variable = || context.around.text("MAINSTAY_TIMESTAMP_URL");
    let url = match &context.global.timestamp_url {
        Some(url) => Some(url.clone()),
        None => variable()?.map(str::to_owned),
    };
    url.map(|url| checked(&url)).transpose()
}

/// An authority as it may stand in evidence: scheme, host and path. Whatever else is in a URL can be a
/// secret, and what is signed goes to auditors.
fn checked(text: &str) -> Result<String, Fault> {
    let wrong = |why: &str| {
        Err(Fault::usage(format!("the URL of the time stamp authority {why}"))
            .hint("for example: https://freetsa.org/tsr"))
    };
    // Its text is in no message: it is not known yet what is in it.
    let Ok(url) = Url::parse(text.trim()) else { return wrong("cannot be read") };
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return wrong("is no http or https URL");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("holds a user or a password, which would be signed and shown to auditors");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong("holds a query, which could be a secret and would be shown to auditors");
    }
    Ok(url.into())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scheme_host_and_path_are_an_authority_and_nothing_else_is_shown() {
        assert_eq!(checked("https://tsa.example/tsr").as_deref(), Ok("https://tsa.example/tsr"));
        assert_eq!(checked(" http://[::1]:80/a ").as_deref(), Ok("http://[::1]/a"));
        for bad in [
            "https://user:hunter2@tsa.example/",
            "https://hunter2@tsa.example/",
            "https://:hunter2@tsa.example/",
            "https://tsa.example/tsr?key=hunter2",
            "https://tsa.example/tsr#hunter2",
            "ftp://tsa.example/hunter2",
            "file:///hunter2",
            "hunter2",
            "https://",
            "",
        ] {
            let fault = checked(bad).expect_err(bad);
            assert_eq!(fault.exit_code().code(), 2);
            assert!(!fault.lines().join(" ").contains("hunter2"), "{bad}: {:?}", fault.lines());
        }
    }
}
