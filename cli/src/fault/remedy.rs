//! What to do about a store, by what is behind the error: not by its class, which many causes share.
//!
//! The class decides the exit code; the cause knows whether a clock, a key, a region, a bucket, a
//! quota or a cable is to be looked after.

use std::error::Error;
use std::io;

use engine::store::cause::{
    Answered, Keys, NoAccess, NoConnection, NoKeys, NotBelieved, Obstacle, RefusedRedirect,
    TimedOut,
};

use crate::fault::local;

/// What to do next, and a stable name of its own if the cause has one.
pub(super) struct Remedy {
    pub(super) hint: String,
    /// Stable name; exit code 24 comes with it.
    pub(super) code: Option<&'static str>,
}

/// Looks through an error and what is behind it.
pub(super) fn find(error: Option<&(dyn Error + 'static)>) -> Option<Remedy> {
    let mut next = error;
    while let Some(error) = next {
        if let Some(answer) = error.downcast_ref::<Answered>() {
            return of_answer(answer);
        }
        if let Some(lost) = error.downcast_ref::<NoConnection>() {
            return Some(hint(of_connection(lost)));
        }
        if let Some(folder) = error.downcast_ref::<NoAccess>() {
            return Some(hint(match folder.is_read_only {
                true => {
                    "the repository's file system is mounted read-only: restores and checks work, \
                     what writes to it does not; mount it for writing"
                }
                false => {
                    "run this as the owner of the repository's folder, or let this user read and \
                     write there"
                }
            }));
        }
        if let Some(redirect) = error.downcast_ref::<RefusedRedirect>() {
            let code = if redirect.region.is_empty() { "E_STORE" } else { "E_REGION" };
            return Some(Remedy { hint: of_redirect(redirect), code: Some(code) });
        }
        if error.is::<NotBelieved>() {
            return Some(hint(
                "something else than the store answers: check the endpoint, and whether a proxy or \
                 a login page of the network stands in between",
            ));
        }
        if error.is::<TimedOut>() {
            return Some(hint(
                "the store takes connections and does not answer: look at the store, or try again \
                 later",
            ));
        }
        if let Some(lacking) = error.downcast_ref::<NoKeys>() {
            return Some(hint(of_keys(lacking.keys)));
        }
        if error.downcast_ref::<io::Error>().is_some_and(is_full) {
            return Some(hint(FULL));
        }
        if let Some(limit) = error.downcast_ref::<io::Error>().and_then(local::of_limits) {
            return Some(hint(limit));
        }
        next = error.source();
    }
    None
}

fn hint(text: impl Into<String>) -> Remedy {
    Remedy { hint: text.into(), code: None }
}

fn of_keys(keys: Keys) -> &'static str {
    match keys {
        Keys::S3 => {
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or check AWS_PROFILE and what it names"
        }
        Keys::Google => {
            "set GOOGLE_APPLICATION_CREDENTIALS to the file with the key of a service account"
        }
        Keys::Azure => {
            "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or the variables of a \
             service principal"
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn of_connection(lost: &NoConnection) -> String {
    if let Some(proxy) = &lost.proxy {
        return format!(
            "check the proxy {proxy} (HTTPS_PROXY), or list the host in NO_PROXY to reach it \
             directly"
        );
    }
    let words = match lost.obstacle {
        Obstacle::Name => {
            "check the name in the endpoint (--endpoint or AWS_ENDPOINT_URL), and the DNS of this \
             machine"
        }
        Obstacle::Refused => "check the port of the endpoint, and that the store runs",
        Obstacle::Tls => {
            "check that the endpoint speaks https on this port; a certificate of your own must be \
             among those that this machine trusts"
        }
        Obstacle::Proxy => "check the proxy (HTTPS_PROXY)",
        Obstacle::NoRoute | Obstacle::Silence => {
            "check the host and the port of the endpoint, and firewalls on the way"
        }
        Obstacle::Broken => {
            "check the port of the endpoint and whether it is http or https, then repeat the command"
        }
    };
    words.to_owned()
}

fn of_redirect(redirect: &RefusedRedirect) -> String {
    match redirect.region.as_str() {
        "" => "check the endpoint and the region; redirects are not followed".to_owned(),
        region => format!("the bucket is in the region {region}: set AWS_REGION={region}"),
    }
}

fn of_answer(answer: &Answered) -> Option<Remedy> {
    let coded = |code, text: &str| Some(Remedy { hint: text.to_owned(), code: Some(code) });
    match answer.status {
        402 => {
            return coded(
                "E_STORE_DENIED",
                "the store wants to be paid first: look at the account and its bill",
            );
        }
        507 => return coded("E_QUOTA", QUOTA),
        _ => {}
    }
    match answer.code.as_str() {
        "NoSuchBucket" | "ContainerNotFound" => coded("E_NO_BUCKET", BUCKET),
        "RequestTimeTooSkewed" => Some(Remedy {
            hint: match answer.date.as_str() {
                "" => "the clock of this machine is wrong: set it".to_owned(),
                date => format!("the clock of this machine is wrong: the store's says {date}"),
            },
            code: Some("E_CLOCK"),
        }),
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" | "RequestExpired" => {
            coded("E_TOKEN", "the token of the credentials has expired: get new ones")
        }
        "InvalidToken" => coded("E_TOKEN", "AWS_SESSION_TOKEN does not belong to this key"),
        "InvalidAccessKeyId" => coded(
            "E_STORE_DENIED",
            "this store does not know the access key: check AWS_ACCESS_KEY_ID and the endpoint",
        ),
        "SignatureDoesNotMatch" => coded(
            "E_STORE_DENIED",
            "check AWS_SECRET_ACCESS_KEY, and the region and the endpoint that requests are \
             signed for",
        ),
        "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException"
        | "PermanentRedirect"
        | "InvalidRegion" => Some(Remedy {
            hint: match answer.region.as_str() {
                "" => "check the region: AWS_REGION".to_owned(),
                region => format!("the region is {region}: set AWS_REGION={region}"),
            },
            code: Some("E_REGION"),
        }),
        "QuotaExceeded"
        | "InsufficientCapacity"
        | "XMinioStorageFull"
        | "StorageCapExceeded"
        | "AccountQuotaExceeded"
        | "ServiceQuotaExceededException" => coded("E_QUOTA", QUOTA),
        "AccountProblem" | "UserSuspended" | "AllAccessDisabled" | "NotSignedUp" => {
            coded("E_STORE_DENIED", "ask the operator of the store: the account is disabled")
        }
        "InvalidObjectState" | "BlobArchived" => Some(hint(
            "bring the objects that are named back from the archive with the tools of the store, \
             then repeat the command",
        )),
        "" if answer.status == 404 => coded("E_NO_BUCKET", BUCKET),
        _ if matches!(answer.status, 401 | 403) => Some(hint(
            "check the permissions of this access key on the bucket: listing, reading and writing",
        )),
        // These have words of their own, by their class.
        "RequestTimeout" | "SlowDown" | "ThrottlingException" | "OperationAborted" => None,
        _ => match answer.status {
            404 | 408 | 425 | 429 | 500 | 502..=599 => None,
            _ => coded(
                "E_STORE",
                "look at what the store, or a proxy before it, says of this request in its log; check \
                 that the endpoint speaks the protocol of the location",
            ),
        },
    }
}

const BUCKET: &str = "create the bucket with the tools of the store first, or check its name, the \
                      endpoint and the region";
const FULL: &str = "make room on the file system; `mainstay forget`, then `mainstay prune --grace \
                    0s`, frees space in a repository that lies there";
const QUOTA: &str = "the store is full or the quota is used up: enlarge it, or free space with \
                     `mainstay forget` and `mainstay prune`";

#[cfg(test)]
mod tests {
    use super::*;

    fn said(error: &(dyn Error + 'static)) -> (String, Option<&'static str>) {
        let remedy = find(Some(error)).expect("there is something to do");
        (remedy.hint, remedy.code)
    }

    #[test]
    fn each_cause_has_its_own_way_out() {
        for (code, words) in [
            ("NoSuchBucket", "create the bucket"),
            ("RequestTimeTooSkewed", "Mon, 30 Nov 2026"),
            ("ExpiredToken", "expired"),
            ("InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
            ("SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
            ("AuthorizationHeaderMalformed", "AWS_REGION=eu-west-1"),
            ("QuotaExceeded", "quota"),
            ("InvalidObjectState", "archive"),
            ("AccessDenied", "permissions"),
        ] {
            let answer = Answered {
                status: 403,
                code: code.to_owned(),
                region: "eu-west-1".to_owned(),
                date: "Mon, 30 Nov 2026 05:00:00 GMT".to_owned(),
                ..Answered::default()
            };
            let (hint, _) = said(&answer);
            assert!(hint.contains(words), "{code}: {hint}");
        }
        let mut hints: Vec<_> =
            [Obstacle::Name, Obstacle::Refused, Obstacle::Tls, Obstacle::Broken, Obstacle::Silence]
                .into_iter()
                .map(|obstacle| {
                    let target = "s3.example:443".to_owned();
                    said(&NoConnection { target, proxy: None, obstacle, detail: String::new() }).0
                })
                .collect();
        hints.dedup();
        assert_eq!(hints.len(), 5);
    }

    #[test]
    fn a_proxy_is_named_and_missing_credentials_are_said() {
        let lost = |target: &str, proxy: Option<&str>| NoConnection {
            target: target.to_owned(),
            proxy: proxy.map(str::to_owned),
            obstacle: Obstacle::Refused,
            detail: String::new(),
        };
        assert!(said(&lost("s3.example:443", Some("proxy:3128"))).0.contains("proxy:3128"));
        assert!(said(&lost("s3.example:443", None)).0.contains("port"));
        for (keys, variable) in [
            (Keys::S3, "AWS_ACCESS_KEY_ID"),
            (Keys::Google, "GOOGLE_APPLICATION_CREDENTIALS"),
            (Keys::Azure, "AZURE_STORAGE_ACCOUNT_KEY"),
        ] {
            assert!(said(&NoKeys { why: String::new(), keys }).0.contains(variable));
        }
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert!(said(&full).0.contains("--grace 0s"));
        let few = io::Error::from(rustix::io::Errno::MFILE);
        assert!(said(&few).0.contains("ulimit -n"));
        let unpaid = Answered { status: 402, ..Answered::default() };
        assert_eq!(said(&unpaid).1, Some("E_STORE_DENIED"));
    }
}
