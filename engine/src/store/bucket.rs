//! What an S3 bucket says about itself: versioning, Object Lock, default retention.
//!
//! The library asks nothing about buckets, but hands out its credentials and its signature, so two
//! small signed requests suffice. An answer that is neither yes nor no (no permission, not
//! implemented) is *unknown*.

use object_store::aws::{AwsAuthorizer, AwsCredentialProvider};
use object_store::client::{HttpClient, HttpRequest, HttpRequestBody};

use crate::store::answer::element;
use crate::store::cause::Answered;
use crate::store::error::Source;

/// Where and how a bucket is asked.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) url: String,
    pub(crate) region: String,
    pub(crate) credentials: AwsCredentialProvider,
    pub(crate) client: HttpClient,
}

/// The answers; `None` is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct BucketFacts {
    pub(crate) versioning: Option<bool>,
    pub(crate) object_lock: Option<bool>,
    /// Mode and period, `COMPLIANCE 30 days`; empty if there is none.
    pub(crate) default_retention: Option<String>,
}

impl Bucket {
    pub(crate) async fn facts(&self) -> BucketFacts {
        let mut facts = BucketFacts::default();
        if let Ok((200, text)) = self.ask("versioning").await {
            facts.versioning = Some(element(&text, "Status") == "Enabled");
        }
        match self.ask("object-lock").await {
            Ok((200, text)) => {
                facts.object_lock = Some(element(&text, "ObjectLockEnabled") == "Enabled");
                let period = match (element(&text, "Days"), element(&text, "Years")) {
                    ("", "") => String::new(),
                    ("", years) => format!("{} {years} years", element(&text, "Mode")),
                    (days, _) => format!("{} {days} days", element(&text, "Mode")),
                };
                facts.default_retention = Some(period);
            }
            Ok((404, _)) => facts.object_lock = Some(false),
            _ => {}
        }
        facts
    }

    /// GETs a sub-resource of the bucket: status and text.
    async fn ask(&self, question: &str) -> Result<(u16, String), Source> {
        let credential = self.credentials.get_credential().await?;
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.uri_mut() = format!("{}?{question}", self.url).parse()?;
        AwsAuthorizer::new(&credential, "s3", &self.region).try_authorize(&mut request, None)?;
        match self.client.execute(request).await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                let bytes = answer.into_body().bytes().await?;
                Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
            }
            Err(error) => {
                let source = std::error::Error::source(&error);
                match source.and_then(|source| source.downcast_ref::<Answered>()) {
                    Some(answer) => Ok((answer.status, String::new())),
                    None => Err(error.into()),
                }
            }
        }
    }
}
