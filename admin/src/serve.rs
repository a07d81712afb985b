//! Starting the service, and stopping it after a signal.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::api::{App, Middleware, Rules, router};
use crate::connections::Connections;
use crate::metrics::Metrics;
use crate::secrets::{self, Secrets};
use crate::settings::Serve;
use crate::store::{Store, now};
use crate::telemetry::Traces;

/// The time that requests under way have to finish after a signal.
const GRACE: Duration = Duration::from_secs(20);

/// Serves until SIGTERM or SIGINT. An error is the reason why the service did not start.
pub(crate) async fn serve(flags: &Serve) -> Result<(), Box<dyn fmt::Display>> {
    let mut secrets = Secrets::read(flags)?;
    let counters = Arc::new(flags.counters().map_err(boxed)?);
    let traces = flags.otlp_endpoint.as_deref().map(Traces::to).transpose().map_err(boxed)?;
    let traces = traces.map(Arc::new);
    // The handlers are installed before the slow steps of the start, so that no signal is lost.
    let mut terminated = signal(SignalKind::terminate()).map_err(boxed)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(boxed)?;
    let mut hung_up = signal(SignalKind::hangup()).map_err(boxed)?;

    let store = Store::open(&flags.database_url, flags.change_history).await.map_err(boxed)?;
    match store.seal_secrets(&secrets.vault).await.map_err(boxed)? {
        0 => {}
        count => tracing::info!(count, "encrypted secrets that another key or none had encrypted"),
    }
    let store = Arc::new(store);
    let metrics = Arc::new(Metrics::default());
    let rules =
        Rules { strict_app_ids: flags.strict_app_ids, session_data_max: flags.session_data_max };
    let interval = Duration::from_secs(flags.sweep_interval);
    let client_timeout = Duration::from_secs(flags.client_timeout);
    let app = App {
        store: Arc::clone(&store),
        counters: Arc::clone(&counters),
        metrics: Arc::clone(&metrics),
        rules,
        vault: Arc::clone(&secrets.vault),
        gateways: Arc::default(),
        auth: Arc::clone(&secrets.auth),
        body_timeout: client_timeout,
    };
    let ui = !flags.no_ui;
    let middleware =
        Middleware::new(router(app, ui), Arc::clone(&secrets.auth), Arc::clone(&metrics), ui)
            .with_traces(traces.clone());

    let listener = TcpListener::bind(flags.listen)
        .await
        .map_err(|error| boxed(format!("--listen {}: {error}", flags.listen)))?;
    let address = listener.local_addr().map_err(boxed)?;
    let (stop, stopped) = watch::channel(false);
    let tls = secrets.tls.as_ref().map(watch::Sender::subscribe);
    let most = (flags.max_connections, flags.most_of_peer());
    let connections =
        Connections::new(middleware, metrics, tls, most, client_timeout, stopped.clone());
    tracing::info!(
        address = %address,
        tls = flags.tls_cert.is_some(),
        tokens = flags.admin_token_file.is_some(),
        database = store.engine_name(),
        counters = counters.engine_name(store.engine_name()),
        version = env!("CARGO_PKG_VERSION"),
        "listening"
    );

    let accepting = tokio::spawn(connections.accept(listener));
    let sweeping = tokio::spawn(sweep(Arc::clone(&store), interval, stopped));
    loop {
        tokio::select! {
            _ = terminated.recv() => break,
            _ = interrupted.recv() => break,
            _ = hung_up.recv() => {}
            () = tokio::time::sleep(secrets::INTERVAL) => {}
        }
        secrets.read_again(flags, &store).await;
    }
    tracing::info!("stopping: requests that are under way are finished");
    let _ = stop.send(true);
    if tokio::time::timeout(GRACE, accepting).await.is_err() {
        tracing::warn!("stopped with requests under way");
    }
    sweeping.abort();
    // A database connection that hangs must not delay the end for ever.
    let _ = tokio::time::timeout(Duration::from_secs(5), store.close()).await;
    if let Some(traces) = traces {
        traces.finish().await;
    }
    tracing::info!("stopped");
    Ok(())
}

/// Deletes expired rows every `interval`. Readers ignore an expired row that is not deleted yet.
async fn sweep(store: Arc<Store>, interval: Duration, mut stopped: watch::Receiver<bool>) {
    let pause = async |stopped: &mut watch::Receiver<bool>| {
        tokio::time::timeout(interval, stopped.wait_for(|stopped| *stopped)).await.is_err()
    };
    while pause(&mut stopped).await {
        match store.delete_expired(now()).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "deleted expired API keys"),
            Err(error) => tracing::warn!(error = %error, "expired API keys could not be deleted"),
        }
        match store.sweep(now()).await {
            Ok(removed) => {
                for (what, count) in removed {
                    tracing::info!(what, count, "deleted what has expired");
                }
            }
            Err(error) => tracing::warn!(error = %error, "what has expired could not be deleted"),
        }
    }
}

/// Boxes an error that is only printed.
fn boxed(error: impl fmt::Display + 'static) -> Box<dyn fmt::Display> {
    Box::new(error)
}
