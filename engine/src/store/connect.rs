//! Opens a location: which library object stands behind it, and with which settings.
//!
//! The settings that matter: payload hashes are signed (`x-amz-checksum-*` is not checked by every
//! store, the signed hash is); creation sends `If-None-Match: *`; deletion is one request per key,
//! because batches are not supported everywhere; own endpoints are addressed path-style; local
//! files and their folders are synced; the library's own retries and its total timeout are off,
//! since a large upload over a slow line is no failure.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::client::HttpConnector;
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::{ClientOptions, RetryConfig};
use url::{Host, Url};

use crate::base::limits::{CONNECT_TIMEOUT_MS, STORE_OPENING_MS};
use crate::store::backend::Backend;
use crate::store::bucket::Bucket;
use crate::store::error::StoreError;
use crate::store::folder::Folder;
use crate::store::keys::RenewedKeys;
use crate::store::location::{Cloud, Location, Place, StoreOptions};
use crate::store::proxy::Proxies;
use crate::store::settings;
use crate::store::transport::Connector;
use crate::store::wait::{Heard, Watch};

pub(crate) fn connect(
    location: &Location,
    options: &StoreOptions,
    create_missing: bool,
) -> Result<Backend, StoreError> {
    let backend = match location.place() {
        Place::Folder(path) => {
            // Nobody is told that a folder is silent: it is slow by a limit, or the disk is.
            let watch =
                Watch { is_cancelled: options.watch.is_cancelled.clone(), ..Watch::default() };
            let heard = Arc::new(Heard::new(watch, STORE_OPENING_MS));
            Backend { heard, ..open_folder(path, create_missing)? }
        }
        Place::Memory(name) => Backend::bare(named_memory(name), true),
        Place::Bucket { cloud, bucket, prefix } => {
            let named = |why| StoreError::BadLocation { location: location.display(), why };
            let options = &cleaned(options).map_err(named)?;
            let heard = Arc::new(Heard::new(
                options.watch.clone(),
                options.opening_ms.unwrap_or(STORE_OPENING_MS),
            ));
            let connector = connector(options, &heard).map_err(named)?;
            let opened = match cloud {
                Cloud::S3 => open_s3(bucket, options, connector),
                Cloud::Google => open_google(bucket, options, connector),
                Cloud::Azure => open_azure(bucket, options, connector),
            };
            Backend { root: prefix.clone(), heard, ..opened.map_err(named)? }
        }
    };
    Ok(Backend { limits: options.limits.clone(), ..backend })
}

/// The same options, each value without what does not belong to it.
fn cleaned(options: &StoreOptions) -> Result<StoreOptions, String> {
    let word = |name, value: &Option<String>| match value {
        Some(value) => settings::word(name, value).map(Some),
        None => Ok(None),
    };
    Ok(StoreOptions {
        endpoint: word("the endpoint", &options.endpoint)?,
        region: word("the region", &options.region)?,
        environment: settings::clean(&options.environment)?,
        ..options.clone()
    })
}

fn open_folder(path: &Path, create_missing: bool) -> Result<Backend, StoreError> {
    let folder = Folder::open(path, create_missing)?;
    let files = LocalFileSystem::new_with_prefix(folder.root()).map_err(|error| {
        let source = std::io::Error::other(error);
        StoreError::FolderMissing { path: path.to_owned(), source }
    })?;
    let files = Arc::new(files.with_fsync(true));
    Ok(Backend { folder: Some(folder), ..Backend::bare(files, true) })
}

/// The store that bears `name` in this process; made at its first use.
fn named_memory(name: &str) -> Arc<InMemory> {
    static NAMED: LazyLock<Mutex<BTreeMap<String, Arc<InMemory>>>> = LazyLock::new(Mutex::default);
    let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(named.entry(name.to_owned()).or_default())
}

/// What variables say about an S3 store, as far as it is heeded.
fn s3_settings(options: &StoreOptions) -> AmazonS3Builder {
    let mut builder = AmazonS3Builder::new();
    for (key, value) in variables::<AmazonS3ConfigKey>(options, "AWS_") {
        use AmazonS3ConfigKey as Key;
        match key {
            // What would weaken the connection, or contradict what is set below.
            Key::UnsignedPayload
            | Key::SkipSignature
            | Key::Client(_)
            | Key::ConditionalPut
            | Key::CopyIfNotExists
            | Key::DisableBulkDelete
            | Key::Bucket
            | Key::S3Express
            | Key::VirtualHostedStyleRequest => {}
            Key::Token if value.is_empty() => {}
            key => builder = builder.with_config(key, value),
        }
    }
    builder
}

fn open_s3(bucket: &str, options: &StoreOptions, connector: Connector) -> Result<Backend, String> {
    let mut builder = s3_settings(options);
    if let Some(region) = &options.region {
        builder = builder.with_region(region);
    }
    let configured = |key| builder.get_config_value(&key).filter(|value| !value.is_empty());
    let endpoint = options
        .endpoint
        .clone()
        .or_else(|| configured(AmazonS3ConfigKey::S3Endpoint))
        .or_else(|| configured(AmazonS3ConfigKey::Endpoint));
    let region = configured(AmazonS3ConfigKey::Region)
        .or_else(|| configured(AmazonS3ConfigKey::DefaultRegion))
        .unwrap_or_else(|| "us-east-1".to_owned());
    let (url, allow_http) = match &endpoint {
        Some(endpoint) => {
            let allow_http = check_endpoint(endpoint, options.allow_http)?;
            // Elsewhere than at AWS nobody hands out credentials by a metadata service.
            require_keys(options, &builder)?;
            let endpoint = endpoint.trim_end_matches('/');
            builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
            (format!("{endpoint}/{bucket}"), allow_http)
        }
        None => (aws_url(bucket, &region), false),
    };
    let keys = options.keys.clone().map(RenewedKeys::new).map(Arc::new);
    if let Some(keys) = &keys {
        builder = builder.with_credentials(Arc::clone(keys) as _);
    }
    let client_options = client_options(allow_http);
    let client = connector.connect(&client_options).map_err(in_words)?;
    let store = builder
        .with_bucket_name(bucket)
        .with_region(&region)
        .with_virtual_hosted_style_request(endpoint.is_none() && !bucket.contains('.'))
        .with_client_options(client_options)
        .with_retry(no_retries())
        .with_unsigned_payload(false)
        .with_skip_signature(false)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_disable_bulk_delete(true)
        .with_disable_tagging(true)
        .with_http_connector(connector)
        .build()
        .map_err(in_words)?;
    let credentials = Arc::clone(store.credentials());
    let store = Arc::new(store);
    Ok(Backend {
        pager: Some(Arc::clone(&store) as _),
        bucket: Some(Bucket { url, region, credentials, client }),
        keys,
        ..Backend::bare(store, false)
    })
}

/// Fails if nothing says where keys come from.
fn require_keys(options: &StoreOptions, builder: &AmazonS3Builder) -> Result<(), String> {
    use AmazonS3ConfigKey as Key;
    let places = [
        Key::AccessKeyId,
        Key::WebIdentityTokenFile,
        Key::ContainerCredentialsRelativeUri,
        Key::ContainerCredentialsFullUri,
    ];
    let is_set = |key| builder.get_config_value(&key).is_some_and(|value| !value.is_empty());
    match options.keys.is_some() || places.into_iter().any(is_set) {
        true => Ok(()),
        false => Err("no credentials are given: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, \
                      or AWS_PROFILE"
            .to_owned()),
    }
}

/// A dot in the name of a bucket would not match the certificate, so it goes into the path then.
fn aws_url(bucket: &str, region: &str) -> String {
    match bucket.contains('.') {
        true => format!("https://s3.{region}.amazonaws.com/{bucket}"),
        false => format!("https://{bucket}.s3.{region}.amazonaws.com/"),
    }
}

fn open_google(
    bucket: &str,
    options: &StoreOptions,
    connector: Connector,
) -> Result<Backend, String> {
    let mut builder = GoogleCloudStorageBuilder::new();
    for (key, value) in variables::<GoogleConfigKey>(options, "GOOGLE_") {
        use GoogleConfigKey as Key;
        if !matches!(key, Key::SkipSignature | Key::Client(_) | Key::Bucket | Key::BaseUrl) {
            builder = builder.with_config(key, value);
        }
    }
    let mut allow_http = false;
    if let Some(endpoint) = &options.endpoint {
        allow_http = check_endpoint(endpoint, options.allow_http)?;
        builder = builder.with_config(GoogleConfigKey::BaseUrl, endpoint);
    }
    let store = builder
        .with_bucket_name(bucket)
        .with_client_options(client_options(allow_http))
        .with_retry(no_retries())
        .with_http_connector(connector)
        .build()
        .map_err(in_words)?;
    let store = Arc::new(store);
    Ok(Backend { pager: Some(Arc::clone(&store) as _), ..Backend::bare(store, false) })
}

fn open_azure(
    container: &str,
    options: &StoreOptions,
    connector: Connector,
) -> Result<Backend, String> {
    let mut builder = MicrosoftAzureBuilder::new();
    for (key, value) in variables::<AzureConfigKey>(options, "AZURE_") {
        use AzureConfigKey as Key;
        if !matches!(key, Key::SkipSignature | Key::Client(_) | Key::ContainerName | Key::Endpoint)
        {
            builder = builder.with_config(key, value);
        }
    }
    let mut allow_http = false;
    if let Some(endpoint) = &options.endpoint {
        allow_http = check_endpoint(endpoint, options.allow_http)?;
        builder = builder.with_endpoint(endpoint.clone());
    }
    if builder.get_config_value(&AzureConfigKey::AccountName).is_none() {
        return Err("no account is given: set AZURE_STORAGE_ACCOUNT_NAME, and \
                    AZURE_STORAGE_ACCOUNT_KEY or other credentials"
            .to_owned());
    }
    let store = builder
        .with_container_name(container)
        .with_client_options(client_options(allow_http))
        .with_retry(no_retries())
        .with_http_connector(connector)
        .build()
        .map_err(in_words)?;
    let store = Arc::new(store);
    Ok(Backend { pager: Some(Arc::clone(&store) as _), ..Backend::bare(store, false) })
}

/// The variables that begin with `prefix` and that the library knows.
fn variables<'a, K: std::str::FromStr>(
    options: &'a StoreOptions,
    prefix: &'a str,
) -> impl Iterator<Item = (K, String)> + 'a {
    let ours = options.environment.iter().filter(move |(name, _)| name.starts_with(prefix));
    ours.filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value.clone())))
}

fn connector(options: &StoreOptions, heard: &Arc<Heard>) -> Result<Connector, String> {
    let proxies = Arc::new(Proxies::find(&options.environment)?);
    Ok(Connector { proxies, heard: Arc::clone(heard) })
}

fn client_options(allow_http: bool) -> ClientOptions {
    // The library's own is shorter than the loss of two packets needs.
    let connect = Duration::from_millis(CONNECT_TIMEOUT_MS);
    ClientOptions::new()
        .with_allow_http(allow_http)
        .with_connect_timeout(connect)
        .with_timeout_disabled()
}

fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

/// Whether the endpoint needs plain HTTP; an error if it may not have it.
fn check_endpoint(endpoint: &str, allow_http: bool) -> Result<bool, String> {
    let url = Url::parse(endpoint).map_err(|error| format!("the endpoint is no URL: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("credentials do not belong into the URL of the endpoint".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("the endpoint has a query or a fragment".to_owned());
    }
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(false),
        "http" if is_loopback || allow_http => Ok(true),
        "http" => Err("the endpoint is plain HTTP on another machine".to_owned()),
        other => Err(format!("the endpoint is neither https nor http but {other}")),
    }
}

/// Without the name by which the library calls the store.
fn in_words(error: object_store::Error) -> String {
    match error {
        object_store::Error::Generic { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine_unless_allowed() {
        for local in ["http://127.0.0.1:9000", "http://localhost", "http://[::1]:9000"] {
            assert_eq!(check_endpoint(local, false), Ok(true), "{local}");
        }
        assert_eq!(check_endpoint("https://s3.example", false), Ok(false));
        assert_eq!(check_endpoint("http://s3.example", true), Ok(true));
        for bad in ["http://s3.example", "http://127.0.0.1.example", "https://k:s@s3.example", "s3"]
        {
            assert!(check_endpoint(bad, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_container_without_an_account_is_refused_with_what_to_set() {
        let location = Location::parse("az://box").expect("a location");
        let error = connect(&location, &StoreOptions::default(), false).err().expect("refused");
        assert!(error.to_string().contains("AZURE_STORAGE_ACCOUNT_NAME"), "{error}");
    }

    #[test]
    fn an_endpoint_without_credentials_is_refused_before_any_request() {
        let options = StoreOptions {
            endpoint: Some("http://127.0.0.1:1".to_owned()),
            ..StoreOptions::default()
        };
        let location = Location::parse("s3://bucket").expect("a location");
        let error = connect(&location, &options, false).err().expect("refused");
        assert!(matches!(error, StoreError::BadLocation { .. }), "{error}");
    }
}
