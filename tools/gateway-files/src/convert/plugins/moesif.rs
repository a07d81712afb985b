//! Moesif's plugin.

use super::Context;
use crate::convert::Target;
use crate::convert::settings::Settings;
use crate::convert::to_istio::{cluster, collector};
use crate::convert::values::put;
use serde_norway::Value;

pub(super) fn moesif(context: &mut Context<'_>, settings: &mut Settings) -> Option<()> {
    if let Some(Value::String(id)) = settings.take("application_id") {
        context.secrets.put(
            &mut settings.out,
            "application_id",
            "GATEHOUSE_MOESIF_APPLICATION_ID",
            &id,
        );
    }
    // An empty text is a setting here: it switches a source of users off.
    for name in ["authorization_header_name", "authorization_user_id_field"] {
        if let Some(value) = settings.take(name) {
            put(&mut settings.out, name, value);
        }
    }
    settings.same(&[
        "api_endpoint",
        "connect_timeout",
        "send_timeout",
        "api_version",
        "disable_capture_request_body",
        "disable_capture_response_body",
        "request_header_masks",
        "request_body_masks",
        "request_masks",
        "request_query_masks",
        "response_header_masks",
        "response_body_masks",
        "response_masks",
        "request_max_body_size_limit",
        "response_max_body_size_limit",
        "user_id_header",
        "company_id_header",
        "authorization_company_id_field",
        "disable_gzip_payload_decompression",
        "disable_transaction_id",
        "batch_size",
        "event_queue_size",
        "enable_compression",
        "debug",
    ]);
    let how = "has no effect: the filter sends batches whenever they are full or old enough";
    settings.tell(
        &["timeout", "keepalive", "max_callback_time_spent", "max_events_sent_per_callback"],
        how,
        context.notes,
    );
    settings.tell(
        &["sampling_percentage"],
        "has no effect: Moesif's own configuration samples",
        context.notes,
    );
    settings.tell(
        &[
            "max_body_size_limit",
            "enable_reading_send_event_response",
            "disable_moesif_payload_compression",
        ],
        "is of older versions of the plugin and has no effect",
        context.notes,
    );
    match context.options.to {
        Target::Envoy => put(&mut settings.out, "upstream", "moesif_api"),
        Target::Istio => {
            let (host, port, _) = collector(&settings.out);
            put(&mut settings.out, "upstream", cluster("moesif", &host, port));
        }
        Target::Kong => tell_kong(context),
    }
    Some(())
}

fn tell_kong(context: &mut Context<'_>) {
    let how = "the filter sees what reaches its chain: not the requests that Kong answers before, such as those \
                   without a route or those that a Lua plugin refuses";
    context.notes.differs(&context.plugin.place, how);
}
